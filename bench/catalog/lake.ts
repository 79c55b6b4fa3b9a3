import { createHash, randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExternalState } from '../../src/log/commit.js'
import { LEVEL } from '../../src/log/external.js'
import { CommitLog } from '../../src/log/log.js'
import { LocalStorage } from '../../src/storage/local.js'
import { benchFolder } from '../tickit.js'
import { Template } from './metadata.js'

/** Tables of a lake, of which there are many in one namespace. */
export const NAMESPACE = 'ml'

const definition = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('sales', { from: files('in/*.csv') })
export default defineLake({ name: 'open', datasets: [silver('sales', { from: raw, schema: z.object({ id: t.int() }), key: 'id' })] })
`

/** Names of tables, by what they are for. */
export interface Tables {
  /** Tables that are committed to, with some 50 snapshots each. */
  busy: string[]
  /** Metadata of 20 KB, and of 200 KB. */
  small: string[]
  large: string[]
}

/** A lake that other engines have put tables into. */
export interface OpenLake {
  folder: string
  storage: LocalStorage
  tables: Tables
}

/** Tables of one commit. */
const TOGETHER = 500
const BUSY = 64
const SMALL = 500
const LARGE = 50

/** @param count of all of its tables; most have metadata of 20 KB that nobody reads. */
export async function openLake(count: number): Promise<OpenLake> {
  const folder = await benchFolder()
  await writeFile(join(folder, 'lake.ts'), definition)
  const storage = new LocalStorage(join(folder, 'lake'))
  const log = new CommitLog(storage)
  const info = { author: 'bench', run: null, message: 'create tables' }
  const templates = { busy: new Template(50_000), small: new Template(20_000) }
  const large = new Template(200_000)
  const tables: Tables = { busy: [], small: [], large: [] }
  const namespaces = { [NAMESPACE]: { properties: {} } }
  let state = await log.commit(await log.head(), { external: { namespaces } }, info, { seen: true })
  for (let first = 0; first < count; first += TOGETHER) {
    const relations: Record<string, ExternalState> = {}
    for (let i = first; i < Math.min(count, first + TOGETHER); i++) {
      const name = `table_${String(i).padStart(6, '0')}`
      const as = i < BUSY ? 'busy' : i < BUSY + LARGE ? 'large' : 'small'
      if (as !== 'small' || tables.small.length < SMALL) tables[as].push(name)
      const template = as === 'large' ? large : templates[as]
      relations[`${NAMESPACE}${LEVEL}${name}`] = await place(storage, name, template)
    }
    state = await log.commit(state, { external: { relations } }, info, { seen: true })
  }
  return { folder, storage, tables }
}

async function place(
  storage: LocalStorage,
  name: string,
  template: Template,
): Promise<ExternalState> {
  const uuid = randomUUID()
  const location = `external/${NAMESPACE}/${name}-${uuid.slice(-12)}`
  const text = template.of(storage.locate(location), uuid)
  const version = String(template.snapshots).padStart(5, '0')
  const metadata = `${location}/metadata/${version}-${randomUUID()}.metadata.json`
  // They need not outlive a power cut.
  await mkdir(join(storage.folder, location, 'metadata'), { recursive: true })
  await writeFile(join(storage.folder, metadata), text)
  return { kind: 'table', metadata, sha256: createHash('sha256').update(text).digest('hex') }
}
