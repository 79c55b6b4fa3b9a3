import { randomBytes } from 'node:crypto'
import type { LakeState } from '../log/commit.js'
import { whileWriting } from '../log/live.js'
import type { CommitLog } from '../log/log.js'
import { readJson } from '../storage/checked.js'
import { sha256 } from '../storage/checksum.js'
import type { Storage } from '../storage/storage.js'
import type { FoundTable } from './crawl/found.js'

/** What a crawl registered of one source. */
export interface Registered {
  /** The name that the source was given. */
  name: string
  /** Where it is, without what is secret. */
  place: string
  /** ISO, UTC. */
  crawled: string
  tables: FoundTable[]
}

const PREFIX = 'crawl.'

/** Sources that were crawled, as the lake's catalog knows them. */
export async function registeredSources(storage: Storage, state: LakeState): Promise<Registered[]> {
  const pointers = Object.entries(state.watermarks).filter(([name]) => name.startsWith(PREFIX))
  return Promise.all(
    pointers.map(async ([, watermark]) => {
      const { index } = watermark as { index: { path: string; sha256?: string } }
      return readJson<Registered>(storage, index.path, index.sha256)
    }),
  )
}

/** Writes down what a crawl found, and makes it known in one commit. */
export async function register(
  { log, storage }: { log: CommitLog; storage: Storage },
  state: LakeState,
  source: Registered,
  author: string,
): Promise<void> {
  const path = `_moraine/catalog/${source.name}-${randomBytes(6).toString('hex')}.json`
  const bytes = new TextEncoder().encode(JSON.stringify({ format: 1, ...source }))
  if (state.number === 0) await log.probe()
  await whileWriting(storage, log, { command: 'crawl', author }, async () => {
    await storage.write(path, bytes)
    await log.commit(
      state,
      { watermarks: { [`${PREFIX}${source.name}`]: { index: { path, sha256: sha256(bytes) } } } },
      { author, run: null, message: `register ${source.tables.length} tables of ${source.name}` },
    )
  })
}
