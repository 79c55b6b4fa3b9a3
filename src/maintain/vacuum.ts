import { MoraineError } from '../errors.js'
import { realEffects, type TableEffects } from '../iceberg/effects.js'
import { FOREIGN } from '../iceberg/foreign-path.js'
import { Table } from '../iceberg/table.js'
import { deleteExpired, expiredBranches } from '../log/branch/expiry.js'
import { endDeadRunBranches } from '../log/branch/run-branch.js'
import type { Changes, CommitInfo } from '../log/commit.js'
import { isEmpty } from '../log/fold.js'
import { refuseWriting } from '../log/format/features.js'
import { VACUUMED } from '../log/format/folders.js'
import { type Live, lookForLive, nameOfLive, whileWriting } from '../log/live.js'
import type { CommitLog } from '../log/log.js'
import { commitTables } from '../log/tables/commit-tables.js'
import { sameRowsAs } from '../log/tables/same-rows.js'
import type { Storage, StoredObject } from '../storage/storage.js'
import { storageClock } from './storage-clock.js'
import { Roots } from './vacuum-roots.js'

export interface VacuumOptions {
  /** Files that are younger stay, whoever may be about to refer to them. Milliseconds. */
  grace: number
  /**
   * How far back the lake can be seen as it was, in milliseconds; all of its history when not
   * given.
   */
  history?: number
  /** Whether to remove files, rather than to say which. */
  remove: boolean
  info: Omit<CommitInfo, 'message'>
  now?: () => Date
  /** What new metadata of tables takes from the world. */
  effects?: TableEffects
}

export interface Vacuumed {
  /** Files that nothing refers to. */
  files: number
  bytes: number
  /** Files that are in use, or too young to tell. */
  kept: number
  /** When the newest file was last modified that nothing refers to, and that is too young. */
  youngest?: number
  /** Branches whose time is over. */
  branches: string[]
  /** Tables whose older snapshots were forgotten. */
  expired: string[]
  removed: boolean
  /** The first of the files. */
  examples: string[]
  /** Runs of which nobody knows whether they go on. */
  silent: Live[]
}

const EXAMPLES = 20

/** What has landed belongs to who sent it, until it is taken in. */
const isOurs = ({ path }: StoredObject) => !path.startsWith('bronze/landing/')

/**
 * Finds files that no commit within the history leads to, on any branch, and removes them when
 * asked to. The log itself is never touched.
 */
export async function vacuum(
  log: CommitLog,
  storage: Storage,
  options: VacuumOptions,
): Promise<Vacuumed> {
  const { history, grace, remove, info, effects = realEffects } = options
  const head = await log.head()
  if (remove) refuseWriting(head)
  const now = await timeOf(storage, options)
  const { live, left } = await lookForLive(storage, now)
  if (remove) refuseLive(live, now, grace)
  const busy = new Set(live.flatMap(({ branch }) => (branch === undefined ? [] : [branch])))
  const branches = await endBranches(log, storage, options, { now, busy })
  // Listed first: what is written from now on is none of our business.
  const found: StoredObject[] = []
  // Before other engines keep anything here, a folder of that name is none of ours.
  const folders = VACUUMED.filter((prefix) => prefix !== FOREIGN || head.external)
  for (const prefix of folders)
    for (const object of await storage.list(prefix)) if (isOurs(object)) found.push(object)
  const since = history === undefined ? undefined : new Date(now - history)
  const cutoff = now - grace
  const expireOld = () => expire(log, storage, since, remove, info, effects)
  const { expired, horizon } = await (remove && since
    ? whileWriting(storage, log, { command: 'vacuum', author: info.author }, expireOld)
    : expireOld())
  const roots = new Roots(storage, since)
  // What somebody reads at this moment stays, although it can't be asked for any more.
  const pins = live.map(({ commit }) => commit).filter((commit) => commit >= (head.horizon ?? 0))
  const oldest = Math.min(horizon, ...pins)
  const old = [
    ...(since ? await oldRecords(storage, since) : []),
    ...(await definitions(storage, live)),
  ]
  const unusedOf = async (objects: readonly StoredObject[]) => {
    await roots.follow(log, oldest, new Date(cutoff))
    return objects.filter(({ path, modified }) => !roots.lead(path) && modified < cutoff)
  }
  let unused = await unusedOf([...found, ...old])
  if (remove) await log.refuseOther()
  if (remove && unused.length > 0) {
    await announce(log, cutoff, info)
    // Whoever committed before the announcement keeps its files; whoever commits behind it looks
    // for them.
    unused = await unusedOf(unused)
    await log.refuseOther()
    for (const { path } of unused) await storage.remove(path)
  }
  if (remove) for (const path of [...left, ...roots.passed]) await storage.remove(path)
  return {
    files: unused.length,
    bytes: unused.reduce((sum, { size }) => sum + size, 0),
    kept: found.length + old.length - unused.length,
    ...youngestOf(found.filter(({ path, modified }) => modified >= cutoff && !roots.lead(path))),
    branches,
    expired,
    removed: remove,
    examples: unused.slice(0, EXAMPLES).map(({ path }) => path),
    silent: live.filter(({ kind, certain }) => kind === 'run' && !certain),
  }
}

/** The time that files are aged by, in milliseconds since 1970. */
async function timeOf(storage: Storage, { remove, now }: VacuumOptions): Promise<number> {
  if (now) return now().getTime()
  return remove ? storageClock(storage, () => Date.now()) : Date.now()
}

/** What other engines write, they may be writing at this moment. */
function youngestOf(objects: readonly StoredObject[]): Pick<Vacuumed, 'youngest'> {
  const times = objects.filter(({ path }) => !path.startsWith(FOREIGN)).map((o) => o.modified)
  return times.length > 0 ? { youngest: times.reduce((a, b) => Math.max(a, b)) } : {}
}

/** Ends branches that nobody needs any more; returns those whose time is over. */
async function endBranches(
  log: CommitLog,
  storage: Storage,
  { remove, info }: VacuumOptions,
  { now, busy }: { now: number; busy: ReadonlySet<string> },
): Promise<string[]> {
  const at = new Date(now)
  if (!remove) return expiredBranches(log, at, busy)
  await endDeadRunBranches({ storage, log }, info)
  return deleteExpired(log, at, info, busy)
}

/** What a run has written so far would go before it can commit it. */
function refuseLive(live: readonly Live[], now: number, grace: number): void {
  const [run] = live.filter(
    ({ kind, certain, started }) => kind === 'run' && certain && now - Date.parse(started) > grace,
  )
  if (!run) return
  const minutes = Math.round((now - Date.parse(run.started)) / 60_000)
  const age = minutes < 1 ? 'less than a minute' : minutes === 1 ? '1 minute' : `${minutes} minutes`
  throw new MoraineError(
    'usage',
    `${nameOfLive(run)} is still running (process ${run.pid} on ${run.host}), longer than --grace: ${age}`,
    {
      hint: 'Files that it has written but not committed yet would be removed. Wait for it, end it, or use a longer --grace. Nothing was removed.',
    },
  )
}

/** Says in the log which files may be gone from now on, whatever becomes of this process. */
async function announce(
  log: CommitLog,
  cutoff: number,
  info: Omit<CommitInfo, 'message'>,
): Promise<void> {
  const head = await log.head()
  if (head.vacuumed !== undefined && Date.parse(head.vacuumed) >= cutoff) return
  const vacuumed = new Date(cutoff).toISOString()
  const message = `vacuum unreferenced files from before ${vacuumed}`
  await log.commit(head, { vacuumed }, { ...info, message })
}

/** Records of runs, of calls of the catalog, and of queries, from before the horizon. */
async function oldRecords(storage: Storage, horizon: Date): Promise<StoredObject[]> {
  const folders = ['_moraine/runs/', '_moraine/audit/', '_moraine/queries/'].map((prefix) =>
    storage.list(prefix),
  )
  const records = (await Promise.all(folders)).flat()
  return records.filter(({ modified }) => modified < horizon.getTime())
}

/** What runs have laid for their workers; while there is any, it may be one that goes on. */
async function definitions(storage: Storage, live: readonly Live[]): Promise<StoredObject[]> {
  return live.some(({ kind }) => kind === 'run') ? [] : storage.list('_moraine/definitions/')
}

/**
 * Settles from which commit on the lake stays visible, and lets tables forget snapshots from before
 * that time: readers could not open their files any more. The horizon is committed before the first
 * file goes, so that whoever asks for an older commit, also after a crash in the middle, is told
 * instead of finding half of it.
 */
async function expire(
  log: CommitLog,
  storage: Storage,
  since: Date | undefined,
  remove: boolean,
  info: Omit<CommitInfo, 'message'>,
  effects: TableEffects,
): Promise<{ expired: string[]; horizon: number }> {
  const base = await log.head()
  const before = base.horizon ?? 0
  if (!since) return { expired: [], horizon: before }
  const horizon = Math.max(before, (await log.stateAt(since)).number)
  const tables: NonNullable<Changes['tables']> = {}
  for (const [name, state] of Object.entries(base.tables)) {
    const table = await Table.load(storage, state, effects)
    const left = table.expired(since)
    if (left === table) continue
    const { pointer } = remove ? await left.save() : left
    tables[name] = { ...state, ...pointer, sameRowsAs: sameRowsAs(state) }
  }
  const expired = Object.keys(tables)
  const changes: Changes = {
    ...(expired.length > 0 ? { tables } : {}),
    ...(horizon > before ? { horizon } : {}),
  }
  if (remove && !isEmpty(changes))
    await commitTables({ log, storage }, base, {
      changes,
      info: { ...info, message: `expire commits before ${horizon}` },
    })
  return { expired, horizon }
}
