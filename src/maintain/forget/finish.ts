import { setTimeout as sleep } from 'node:timers/promises'
import { countOf } from '../../define/thousands.js'
import { MoraineError } from '../../errors.js'
import { FOREIGN } from '../../iceberg/foreign-path.js'
import { endDeadRunBranches } from '../../log/branch/run-branch.js'
import type { NamedReceipt } from '../../log/forgotten.js'
import { VACUUMED } from '../../log/format/folders.js'
import { howToEnd, lookForLive, nameOfLive, whileWriting } from '../../log/live.js'
import type { CommitLog } from '../../log/log.js'
import type { Storage } from '../../storage/storage.js'
import { vacuum } from '../vacuum.js'
import { build } from './build.js'
import { type Author, cleanTables } from './clean-tables.js'
import { removeArchived, removeRecords } from './leftovers.js'
import type { ForgetOptions } from './options.js'
import { refuseBranches, refuseUnknownTables, refuseWriters } from './refused.js'

/** What was removed beside rows of the newest state. */
export interface Finished {
  /** Files that earlier states alone led to. */
  files: number
  /** Records of runs and queries. */
  records: number
  /** Files of the archive. */
  archived: number
  /** Earlier versions of objects, where the storage keeps them. */
  versions: number
  /** The commit that says that nothing is left. */
  commit: number
}

/** How often somebody else may be faster. */
const ROUNDS = 5

/**
 * Goes on where rows are gone from the newest state of bronze and silver: builds what is made of
 * them, then removes what earlier states, the archive, and records have. It needs not know whose
 * rows they were, and can be called again after a crash at any point.
 *
 * @throws MoraineError that says what is in the way; the receipt then stays unfinished.
 */
export async function finish(options: ForgetOptions, receipt: NamedReceipt): Promise<Finished> {
  const { storage, log, author } = options
  const info = { author, run: null }
  let [files, records] = [0, 0]
  for (let round = 1; ; round++) {
    await refuseWriters(storage)
    refuseUnknownTables(options.lake, await log.head())
    await endDeadRunBranches({ storage, log }, info)
    records += await removeRecords(storage)
    const begun = await log.head()
    const built = await build(options, receipt)
    const by = { command: 'forget', author }
    const expired = await whileWriting(storage, log, by, () => expire(options, info))
    await refuseReaders(storage, expired.horizon)
    files += await emptied(options, info)
    // Ids of runs begin with a time.
    const since = expired.time.replace(/[-:.]/g, '')
    records += await removeRecords(storage, (run) => run === built?.run || run > since)
    const own = new Set([...expired.commits, ...(built?.commits ?? [])])
    if (!(await isWrittenSince(log, begun.number, own))) break
    if (round === ROUNDS) throw tooBusy()
  }
  const state = await log.head()
  await refuseBranches(storage, log, state)
  const archived = await removeArchived(options, state, receipt)
  const versions = await purge(storage)
  const message = `rows are forgotten (receipt ${receipt.id})`
  const { number: commit } = await log.commit(
    state,
    { forgotten: { id: receipt.id, done: true } },
    { ...info, message },
  )
  return { files, records, archived, versions, commit }
}

/**
 * Whether somebody else has written tables since a commit: they may be made of what was there
 * before.
 */
async function isWrittenSince(
  log: CommitLog,
  since: number,
  own: ReadonlySet<number>,
): Promise<boolean> {
  const { number: last } = await log.head()
  for (let number = since + 1; number <= last; number++) {
    const { tables = {} } = (await log.entry(number))?.commit.changes ?? {}
    if (!own.has(number) && Object.keys(tables).length > 0) return true
  }
  return false
}

const tooBusy = () =>
  new MoraineError('usage', 'Others have written tables each time that what is left was removed', {
    hint: 'Pause what runs on the lake (moraine schedule pause), then forget the rows again: it continues from there.',
  })

/**
 * Earlier states can't be seen any more. Returns the first commit that can, its time, and what was
 * committed.
 */
async function expire(
  { storage, log }: ForgetOptions,
  info: Author,
): Promise<{ horizon: number; time: string; commits: number[] }> {
  const { state, isChanged } = await cleanTables({ storage, log }, info)
  const { number: horizon, time } = state
  const message = `expire commits before ${horizon}`
  const { number } = await log.commit(state, { horizon }, { ...info, message })
  return { horizon, time: time ?? '', commits: isChanged ? [horizon, number] : [number] }
}

/**
 * Milliseconds that clocks of this machine and of the storage may differ by, and are waited for.
 */
const SKEW = 10_000

/**
 * Removes all files that nothing refers to, and returns how many. By the clock of the storage, what
 * was written a moment ago may be from later than now.
 */
async function emptied({ storage, log, signal }: ForgetOptions, info: Author): Promise<number> {
  const until = Date.now() + SKEW
  for (let removed = 0; ; ) {
    const { files, youngest } = await vacuum(log, storage, { grace: 0, remove: true, info })
    removed += files
    if (youngest === undefined) return removed
    if (youngest > until || Date.now() > until)
      throw new MoraineError(
        'usage',
        `Files that nothing refers to, and that may have the rows, are from ${new Date(youngest).toISOString()}: later than the time of this machine`,
        {
          hint: 'Set the clock that is wrong, or wait until then. Then forget the rows again: it continues from there.',
        },
      )
    await sleep(Math.max(1, youngest + 1 - Date.now()), undefined, { signal })
  }
}

/** What somebody reads at this moment is left to them, until they are done. */
async function refuseReaders(storage: Storage, horizon: number): Promise<void> {
  const { live } = await lookForLive(storage, Date.now())
  const reader = live.find(({ commit }) => commit < horizon)
  if (reader)
    throw new MoraineError(
      'usage',
      `${nameOfLive(reader)} reads an earlier state of the lake (process ${reader.pid} on ${reader.host}), whose files are still there`,
      {
        hint: `${howToEnd(reader)} Then forget the rows again: it continues from there.`,
      },
    )
}

/** All that a vacuum removes files from, but for what other engines keep, and what it leaves. */
const FOLDERS = [...VACUUMED.filter((folder) => folder !== FOREIGN), 'archive/', '_moraine/'].map(
  (folder) => folder.slice(0, -1),
)

/** Storages may keep versions of what was removed. */
async function purge(storage: Storage): Promise<number> {
  let versions = 0
  for (const folder of FOLDERS) {
    const purged = await storage.purge?.(folder)
    const [first, ...others] = purged?.kept ?? []
    if (first)
      throw new MoraineError(
        'storage',
        `Earlier versions of ${countOf(others.length + 1, 'object')} can't be removed: ${first.path}: ${first.why}`,
        { hint: 'Forget the rows again once they can be: it continues from there.' },
      )
    versions += purged?.versions ?? 0
  }
  return versions
}
