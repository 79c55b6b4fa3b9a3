import { randomBytes } from 'node:crypto'
import { rename } from 'node:fs/promises'
import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import type { DatabaseSource } from '../../define/source.js'
import { feedKey } from '../../define/sql/name.js'
import type { LakeState } from '../../log/commit.js'
import type { BatchFile } from '../../step/batches.js'
import type { RunContext } from '../../step/context.js'
import { createOnce } from '../../storage/retry.js'
import { type Storage, stagingOf } from '../../storage/storage.js'
import { nothingYet } from '../batch-commit.js'
import type { Landings } from '../database/checkpoint.js'
import { discoverRows } from '../database/database.js'
import { landingOf } from '../ingest/landing.js'
import type { Lookup } from '../ingestion.js'
import type { Intake } from '../offer.js'

/** Where files lie until the commit that says so makes them part of the inbox. */
const HIDDEN = '.feeding'

/**
 * Lays rows of a database into an inbox, as files of JSON lines. What was read and how far becomes
 * part of the lake in one commit; only then the files get the names by which they are found. A feed
 * that was stopped in between goes on with that.
 */
export class Feed {
  private constructor(
    private readonly target: Bronze,
    private readonly landing: string,
    private readonly offer: Awaited<ReturnType<typeof discoverRows>>,
    private readonly left: boolean,
  ) {}

  static async look(of: Lookup<DatabaseSource>): Promise<Feed> {
    const { dataset, source, state } = of
    const { storage } = of.batches
    const landing = landingOf(dataset)
    const land = {
      write: (context: RunContext, files: readonly BatchFile[], feedCommit: number) =>
        writeHidden(context, landing, files, feedCommit),
      show: (context: RunContext, names: readonly string[]) =>
        show(context.storage, landing, names),
    }
    const name = feedKey(dataset.name)
    const target: Bronze = { ...dataset, name, from: source, format: 'jsonl' }
    const offer = await discoverRows({ ...of, dataset: target }, { land })
    const { landed = [] } = (state.watermarks[fullName(target)] ?? {}) as Partial<Landings>
    const hidden = await storage.list(`${landing}/${HIDDEN}/`)
    const left = hidden.some(({ path }) => landed.includes(path.split('/').at(-1) ?? ''))
    return new Feed(target, landing, offer, left)
  }

  /** What there is to lay down. */
  get news(): string | undefined {
    const { discovery } = this.offer
    const news = 'news' in discovery ? discovery.news : undefined
    return news ?? (this.left ? 'files of its feed are ready' : undefined)
  }

  /** Why there is nothing to lay down. */
  get none(): string {
    const { discovery } = this.offer
    return 'none' in discovery ? discovery.none : ''
  }

  async ingest(context: RunContext, base: LakeState): Promise<Intake> {
    const { discovery } = this.offer
    const watermark = (state: LakeState) =>
      (state.watermarks[fullName(this.target)] ?? {}) as Partial<Landings>
    await show(context.storage, this.landing, watermark(base).landed ?? [])
    await this.removeOrphans(context.storage, watermark(base))
    if (!('news' in discovery) || discovery.news === undefined) return nothingYet(base)
    return this.offer.ingest(context, base)
  }

  /**
   * Removes what was laid down by a feed that was killed before its commit, and so was read again.
   * A file says of which commit it was to be part: once that one is there without it, no other will
   * have it.
   */
  private async removeOrphans(
    storage: Storage,
    { landed = [], feedCommits = 0 }: Partial<Landings>,
  ): Promise<void> {
    for (const { path } of await storage.list(`${this.landing}/${HIDDEN}/`)) {
      const name = path.split('/').at(-1) ?? ''
      if (Number.parseInt(name, 10) <= feedCommits && !landed.includes(name))
        await storage.remove(path)
    }
  }
}

/** Puts files where the inbox does not see them yet; returns their names. */
async function writeHidden(
  { storage, started }: RunContext,
  landing: string,
  files: readonly BatchFile[],
  feedCommit: number,
): Promise<string[]> {
  const time = started.toISOString().replace(/[-:.]/g, '')
  const names: string[] = []
  for (const [i, file] of files.entries()) {
    const number = String(i + 1).padStart(5, '0')
    const name = `${feedCommit}-${time}-${number}-${randomBytes(3).toString('hex')}.jsonl`
    await move(storage, file.data, `${landing}/${HIDDEN}/${name}`)
    names.push(name)
  }
  return names
}

/** Gives files their names in the inbox, unless they have been taken from there since. */
async function show(storage: Storage, landing: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const from = `${landing}/${HIDDEN}/${name}`
    if (await storage.stat(from))
      await move(storage, from, `${landing}/${name.replace(/^\d+-/, '')}`)
  }
}

async function move(storage: Storage, from: string, to: string): Promise<void> {
  await storage.prepare(to)
  const [source, target] = [from, to].map((path) => storage.locate(path)) as [string, string]
  const here = (location: string) => stagingOf(storage).localPath(location)
  if (target.startsWith('file://')) return rename(here(source), here(target))
  await createOnce(storage, to, await storage.read(from))
  await storage.remove(from)
}
