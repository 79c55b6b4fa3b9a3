import { MoraineError } from '../errors.js'
import { Manifests } from '../iceberg/manifests.js'
import { realEffects, Table, type TablePointer } from '../iceberg/table.js'
import { type Changes, type CommitInfo, isEmpty, type LakeState } from '../log/commit.js'
import { refuseWriting } from '../log/features.js'
import type { CommitLog } from '../log/log.js'
import { quarantinedIn } from '../log/quarantined.js'
import type { Storage, StoredObject } from '../storage/storage.js'
import { Batches } from './batches.js'
import { Journal } from './journal.js'

export interface VacuumOptions {
  /** Files that are younger stay, whoever may be about to refer to them. Milliseconds. */
  grace: number
  /** How far back the lake can be seen as it was, in milliseconds; all of its history when not given. */
  history?: number
  /** Whether to remove files, rather than to say which. */
  remove: boolean
  info: Omit<CommitInfo, 'message'>
  now?: () => Date
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
}

/** Folders that hold nothing but what the log leads to. */
const PREFIXES = ['bronze/', 'silver/', 'gold/', 'discarded/', 'deleted/', 'history/', 'ended/']
const EXAMPLES = 20

/** What has landed belongs to who sent it, until it is taken in. */
const isOurs = ({ path }: StoredObject) => !path.startsWith('bronze/landing/')

/**
 * Finds files that no commit within the history leads to, on any branch, and removes them when asked to. The
 * log itself is never touched.
 */
export async function vacuum(
  log: CommitLog,
  storage: Storage,
  options: VacuumOptions,
): Promise<Vacuumed> {
  const now = (options.now?.() ?? new Date()).getTime()
  const { history, grace, remove, info } = options
  if (remove) refuseWriting(await log.head())
  // Listed first: what is written from now on is none of our business.
  const found: StoredObject[] = []
  for (const prefix of PREFIXES)
    for (const object of await storage.list(prefix)) if (isOurs(object)) found.push(object)
  const since = history === undefined ? undefined : new Date(now - history)
  const { expired, horizon } = await expire(log, storage, since, remove, info)
  const used = await new Roots(storage).of(log, horizon)
  const old = since ? await oldRecords(storage, since) : []
  const unused = [...found.filter(({ path }) => !used.has(path)), ...old].filter(
    ({ modified }) => modified < now - grace,
  )
  if (remove) for (const { path } of unused) await storage.remove(path)
  return {
    files: unused.length,
    bytes: unused.reduce((sum, { size }) => sum + size, 0),
    kept: found.length + old.length - unused.length,
    expired,
    removed: remove,
    examples: unused.slice(0, EXAMPLES).map(({ path }) => path),
  }
}

/** Records of runs from before the horizon. */
async function oldRecords(storage: Storage, horizon: Date): Promise<StoredObject[]> {
  const records = await storage.list('_moraine/runs/')
  return records.filter(({ modified }) => modified < horizon.getTime())
}

/**
 * Settles from which commit on the lake stays visible, and lets tables forget snapshots from before that time:
 * readers could not open their files any more. The horizon is committed before the first file goes, so that whoever
 * asks for an older commit, also after a crash in the middle, is told instead of finding half of it.
 */
async function expire(
  log: CommitLog,
  storage: Storage,
  since: Date | undefined,
  remove: boolean,
  info: Omit<CommitInfo, 'message'>,
): Promise<{ expired: string[]; horizon: number }> {
  const base = await log.head()
  const before = base.horizon ?? 0
  if (!since) return { expired: [], horizon: before }
  const horizon = Math.max(before, (await log.stateAt(since)).number)
  const tables: NonNullable<Changes['tables']> = {}
  for (const [name, state] of Object.entries(base.tables)) {
    const table = await Table.load(storage, state)
    const old = table.metadata.snapshots.some((s) => s['timestamp-ms'] < since.getTime())
    if (!old || table.metadata.snapshots.length < 2) continue
    const left = remove ? await table.expire(since) : table
    const same = [state.metadata, ...(state.same ?? [])]
    tables[name] = { ...state, ...left.pointer, same }
  }
  const expired = Object.keys(tables)
  const changes: Changes = {
    ...(expired.length > 0 ? { tables } : {}),
    ...(horizon > before ? { horizon } : {}),
  }
  if (remove && !isEmpty(changes))
    await log.commit(base, changes, { ...info, message: `expire commits before ${horizon}` })
  return { expired, horizon }
}

/** The files that commits lead to. */
class Roots {
  private readonly used = new Set<string>()
  private readonly metadata = new Set<string>()
  private readonly manifests: Manifests
  private readonly batches: Batches

  constructor(private readonly storage: Storage) {
    this.manifests = new Manifests(storage)
    this.batches = new Batches(storage)
  }

  /** All that is visible from commit `horizon` of main on, and on other branches from its time on. */
  async of(log: CommitLog, horizon: number): Promise<ReadonlySet<string>> {
    const time = (await log.stateAt(horizon)).time
    for (const id of await this.storage.folders('_moraine/log/')) {
      if (id === log.branch) await this.commits(log, horizon)
      const branch = id === log.branch ? undefined : await log.openBranch(id)
      if (branch)
        await this.commits(branch, time ? (await branch.stateAt(new Date(time))).number : 0)
    }
    // What a run that was stopped has finished, the next one takes from there.
    for (const metadata of await new Journal(this.storage).keptTables())
      if (await this.storage.stat(metadata)) await this.table({ metadata })
    return this.used
  }

  /** What a branch's own commits lead to; of those it shares with another, that one knows. */
  private async commits(log: CommitLog, first: number): Promise<void> {
    const head = await log.head()
    await this.state(head)
    if (first > log.forkedAt && first < head.number) await this.state(await log.stateAt(first))
    for (let number = Math.max(first, log.forkedAt) + 1; number < head.number; number++) {
      const entry = await log.entry(number)
      if (!entry) throw new MoraineError('corrupt', `commit ${number} of the log is missing`)
      const { tables = {}, batches = [], watermarks = {} } = entry.commit.changes
      for (const table of Object.values(tables)) if (table) await this.table(table)
      await this.pointers(batches)
      this.indexes(watermarks)
    }
  }

  private async state({ tables, batches, watermarks }: LakeState): Promise<void> {
    for (const table of Object.values(tables)) await this.table(table)
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

  /** A version of a table: its metadata, and what its current snapshot leads to. */
  private async table({ metadata, sha256 }: TablePointer): Promise<void> {
    if (this.metadata.has(metadata)) return
    this.metadata.add(metadata)
    this.used.add(metadata)
    const at = { metadata, ...(sha256 ? { sha256 } : {}) }
    const table = await Table.load(this.storage, at, realEffects, this.manifests)
    const list = table.snapshot?.['manifest-list']
    if (list) this.used.add(table.pathOf(list))
    for (const manifest of await table.manifests()) {
      const path = table.pathOf(manifest.manifest_path)
      if (this.used.has(path)) continue
      this.used.add(path)
      for (const { status, file } of await table.entries(manifest))
        if (status !== 'deleted') this.used.add(table.pathOf(file.path))
    }
  }
}
