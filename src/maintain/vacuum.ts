import { MoraineError } from '../errors.js'
import { filesOfAllSnapshots } from '../iceberg/all-files.js'
import { realEffects, type TableEffects } from '../iceberg/effects.js'
import { FOREIGN } from '../iceberg/foreign-path.js'
import { Manifests } from '../iceberg/manifests.js'
import { Table, type TablePointer } from '../iceberg/table.js'
import { isDeletedBranch } from '../log/branch/named.js'
import type { Changes, CommitInfo, ExternalChanges, LakeState } from '../log/commit.js'
import { isEmpty } from '../log/fold.js'
import { refuseWriting } from '../log/format/features.js'
import { VACUUMED } from '../log/gone.js'
import { type Live, lookForLive, nameOfLive, whileWriting } from '../log/live.js'
import type { CommitLog } from '../log/log.js'
import { quarantinedIn } from '../log/quarantined.js'
import { commitTables } from '../log/tables/commit-tables.js'
import { sameRowsAs } from '../log/tables/same-rows.js'
import { Batches } from '../step/batches.js'
import type { Storage, StoredObject } from '../storage/storage.js'

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
  const now = (options.now?.() ?? new Date()).getTime()
  const { history, grace, remove, info, effects = realEffects } = options
  const head = await log.head()
  if (remove) refuseWriting(head)
  const { live, left } = await lookForLive(storage, now)
  if (remove) refuseLive(live, now, grace)
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
  const old = [...(since ? await oldRecords(storage, since) : []), ...(await definitions(storage))]
  const unusedOf = async (objects: readonly StoredObject[]) => {
    await roots.follow(log, oldest)
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
  if (remove) for (const path of left) await storage.remove(path)
  return {
    files: unused.length,
    bytes: unused.reduce((sum, { size }) => sum + size, 0),
    kept: found.length + old.length - unused.length,
    expired,
    removed: remove,
    examples: unused.slice(0, EXAMPLES).map(({ path }) => path),
    silent: live.filter(({ kind, certain }) => kind === 'run' && !certain),
  }
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

/** Records of runs, and of calls of the catalog, from before the horizon. */
async function oldRecords(storage: Storage, horizon: Date): Promise<StoredObject[]> {
  const folders = ['_moraine/runs/', '_moraine/audit/'].map((prefix) => storage.list(prefix))
  const records = (await Promise.all(folders)).flat()
  return records.filter(({ modified }) => modified < horizon.getTime())
}

/** What runs have laid for their workers, each of them anew: one that is old is nobody's. */
function definitions(storage: Storage): Promise<StoredObject[]> {
  return storage.list('_moraine/definitions/')
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

/**
 * What an earlier commit leads to can't be mended by building it anew: the lake of now is whole by
 * then.
 */
async function atCommit(number: number, look: () => Promise<void>): Promise<void> {
  try {
    await look()
  } catch (error) {
    if (!(error instanceof MoraineError) || error.retryable) throw error
    const { kind, message, path } = error
    throw new MoraineError(kind, `${message}; commit ${number} refers to it`, {
      cause: error,
      ...(path === undefined ? {} : { path }),
      hint: 'Restore it from a backup. If the newest state is complete (moraine verify --head), you can instead expire the commits that refer to it: moraine vacuum with a --history that is shorter than their age. Nothing was removed.',
    })
  }
}

/** The files that commits lead to. */
class Roots {
  private readonly used = new Set<string>()
  /** Metadata files that were followed, and whether to all of their snapshots. */
  private readonly metadata = new Map<string, boolean>()
  /** What tables of other engines name: apart, as they may name anything. */
  private readonly foreign = new Set<string>()
  /** Lists and manifests of other engines that were read. */
  private readonly read = new Set<string>()
  /**
   * A table of another engine has manifests outside of the lake: they may name any of its files.
   */
  private isUntold = false
  /** The last commit of each branch that was followed. */
  private readonly followed = new Map<string, number>()
  private readonly manifests: Manifests
  private readonly batches: Batches

  /** @param since tables forget older snapshots than that, which nothing names. */
  constructor(
    private readonly storage: Storage,
    private readonly since?: Date,
  ) {
    this.manifests = new Manifests(storage)
    this.batches = new Batches(storage)
  }

  /** Whether a file is one that commits lead to, or may be. */
  lead(path: string): boolean {
    const isForeign = this.foreign.has(path) || (this.isUntold && path.startsWith(FOREIGN))
    return this.used.has(path) || isForeign
  }

  /**
   * All that is visible from commit `horizon` of main on, and on other branches from its time on.
   */
  async follow(log: CommitLog, horizon: number): Promise<void> {
    const time = (await log.stateAt(horizon)).time
    const ids = await this.storage.folders('_moraine/log/')
    const head = await log.head()
    for (const id of ids) {
      // Whoever names a branch meanwhile looks behind that for what this vacuum has announced.
      if (isDeletedBranch(id, head)) continue
      if (id === log.branch) await this.commits(log, horizon)
      const branch = id === log.branch ? undefined : await log.openBranch(id)
      if (branch)
        await this.commits(branch, time ? (await branch.stateAt(new Date(time))).number : 0)
    }
  }

  /** What a branch's own commits lead to; of those it shares with another, that one knows. */
  private async commits(log: CommitLog, first: number): Promise<void> {
    const head = await log.head()
    await this.state(head, true)
    const done = this.followed.get(log.branch)
    this.followed.set(log.branch, head.number)
    if (done === undefined && first > log.forkedAt && first < head.number)
      await atCommit(first, async () => this.state(await log.stateAt(first)))
    const from = Math.max(first, log.forkedAt, done ?? 0)
    for (let number = from + 1; number < head.number; number++) {
      const entry = await log.entry(number)
      if (!entry) throw new MoraineError('corrupt', `commit ${number} of the log is missing`)
      const { tables = {}, batches = [], watermarks = {}, external } = entry.commit.changes
      await atCommit(number, async () => {
        for (const table of Object.values(tables)) if (table) await this.table(table)
        await this.external(external)
        await this.pointers(batches)
      })
      this.indexes(watermarks)
    }
  }

  private async state(
    { tables, batches, watermarks, external }: LakeState,
    isHead = false,
  ): Promise<void> {
    for (const table of Object.values(tables)) await this.table(table, isHead)
    await this.external(external, isHead)
    await this.pointers(Object.values(batches).flat())
    this.indexes(watermarks)
  }

  private async pointers(pointers: readonly { manifest: string }[]): Promise<void> {
    for (const pointer of pointers) {
      if (this.used.has(pointer.manifest)) continue
      const { files } = await this.batches.manifest(pointer as never)
      this.used.add(pointer.manifest)
      for (const { data, original } of files) {
        this.used.add(data)
        if (original) this.used.add(original.path)
      }
    }
  }

  private indexes(watermarks: Readonly<Record<string, unknown>>): void {
    for (const watermark of Object.values(watermarks)) {
      const path = (watermark as { index?: { path?: string } } | null)?.index?.path
      if (path) this.used.add(path)
    }
    for (const { object } of quarantinedIn({ watermarks })) this.used.add(object.original.path)
  }

  /**
   * What other engines keep: all snapshots of their tables, whatever branch or tag they are of.
   * What an engine has let go since, it may have removed by itself; then nobody can read what that
   * named.
   */
  private async external({ relations = {} }: ExternalChanges = {}, isHead = false): Promise<void> {
    const isGone = async (path: string) => !isHead && !(await this.storage.stat(path))
    const known = { manifest: (path: string) => this.read.has(path), isGone }
    for (const relation of Object.values(relations)) {
      if (!relation || this.read.has(relation.metadata)) continue
      if (await isGone(relation.metadata)) continue
      this.read.add(relation.metadata)
      this.foreign.add(relation.metadata)
      if (relation.kind === 'view') continue
      for await (const { path, leadsOn } of filesOfAllSnapshots(this.storage, relation, known)) {
        if (path !== undefined) this.foreign.add(path)
        else if (leadsOn) this.isUntold = true
        if (path !== undefined && leadsOn) this.read.add(path)
      }
    }
  }

  /**
   * A version of a table: its metadata, and what its current snapshot leads to, and those that a
   * tag names. Of a version that engines see, all snapshots: they may be asked for any.
   */
  private async table({ metadata, sha256 }: TablePointer, isHead = false): Promise<void> {
    const done = this.metadata.get(metadata)
    if (done !== undefined && (done || !isHead)) return
    this.metadata.set(metadata, isHead)
    this.used.add(metadata)
    const at = { metadata, ...(sha256 ? { sha256 } : {}) }
    const { storage, since, manifests } = this
    const version = await Table.load(storage, at, realEffects, manifests)
    const table = since ? version.expired(since) : version
    const isKnown = (path: string) => this.used.has(path)
    for await (const path of table.paths(isKnown, { others: isHead })) this.used.add(path)
  }
}
