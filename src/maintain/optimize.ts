import { randomUUID } from 'node:crypto'
import { quoteName } from '../define/sql/sql.js'
import type { Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { pathsOf, type ScanTask } from '../iceberg/deletes.js'
import type { DataFile } from '../iceberg/spec/manifest.js'
import { currentSpec } from '../iceberg/spec/metadata.js'
import { Table } from '../iceberg/table.js'
import type { CommitInfo, LakeState, TableState } from '../log/commit.js'
import { refuseWriting } from '../log/format/features.js'
import { whileWriting } from '../log/live.js'
import type { CommitLog } from '../log/log.js'
import { commitTables, type LakeLog } from '../log/tables/commit-tables.js'
import { sameRowsAs } from '../log/tables/same-rows.js'
import { checkFiles } from '../step/check-files.js'
import { tableFiles } from '../step/table-files.js'
import type { Storage } from '../storage/storage.js'

export interface OptimizeOptions {
  /** Bytes that files should have; 128 MiB. */
  target?: number
  /** Columns whose order the rows of each file shall have. */
  orderBy?: readonly string[]
  /** Bytes that are rewritten before a commit; 1 GiB. */
  step?: number
  signal?: AbortSignal
  info: Omit<CommitInfo, 'message'>
  /** Told after each commit. */
  onStep?: (done: Optimized) => void
}

/** What was rewritten of a table. */
export interface Optimized {
  table: string
  /** Files before and after, of those that were rewritten. */
  before: number
  after: number
  bytes: number
}

/** Bytes that files should have. */
export const FILE_BYTES = 128 * 2 ** 20

/** Data files that become one, or a few. */
type Bin = ScanTask[]

/**
 * Puts small files of a table together, partition by partition, and applies what other writers have
 * deleted row by row. The rows stay the same: nothing that reads the table is built again. Each
 * step is a commit of its own, so that it can be stopped at any time.
 *
 * @throws MoraineError of kind `conflict` when somebody else changed the table meanwhile.
 */
export function optimizeTable(
  log: CommitLog,
  storage: Storage,
  session: Session,
  name: string,
  options: OptimizeOptions,
): Promise<Optimized> {
  const by = { command: 'optimize', author: options.info.author }
  return whileWriting(storage, log, by, () => optimize(log, storage, session, name, options))
}

async function optimize(
  log: CommitLog,
  storage: Storage,
  session: Session,
  name: string,
  options: OptimizeOptions,
): Promise<Optimized> {
  const { target = FILE_BYTES, step = 2 ** 30, signal, onStep } = options
  const total: Optimized = { table: name, before: 0, after: 0, bytes: 0 }
  let state = await log.head()
  refuseWriting(state)
  const first = await tableAt(storage, state, name)
  const bins = binsOf(await first.plan(), target, options.orderBy !== undefined)
  while (bins.length > 0) {
    signal?.throwIfAborted()
    const table = await tableAt(storage, state, name)
    const chosen = takeUpTo(bins, step)
    const { written, added } = await compacted(storage, session, table, {
      chosen,
      ...(options.orderBy ? { orderBy: options.orderBy } : {}),
    })
    state = await publish({ log, storage }, state, name, written, options.info)
    total.before += chosen.flat().length
    total.after += added.length
    total.bytes += added.reduce((sum, file) => sum + file.bytes, 0)
    onStep?.(total)
  }
  return total
}

/** A version of a table with the rows of chosen files in others, which nobody sees yet. */
export async function compacted(
  storage: Storage,
  session: Session,
  table: Table,
  { chosen, ...options }: Pick<OptimizeOptions, 'orderBy'> & { chosen: readonly Bin[] },
): Promise<{ written: Table; added: readonly DataFile[] }> {
  const files: DataFile[] = []
  for (const bin of chosen) files.push(...(await rewrite(storage, session, table, bin, options)))
  const sums = await storage.seal(files.map((file) => table.pathOf(file.path)))
  const added = files.map((file) => table.withChecksum(file, sums))
  const written = await table.write({
    removed: pathsOf(chosen.flat()),
    added,
    summary: { 'moraine.optimized': 'true' },
    sameRows: true,
  })
  return { written, added }
}

async function tableAt(storage: Storage, state: LakeState, name: string): Promise<Table> {
  const found = state.tables[name]
  if (found) return Table.load(storage, found)
  throw new MoraineError('usage', `There is no table ${name} in this lake`, {
    hint: `Its tables are: ${Object.keys(state.tables).join(', ')}`,
  })
}

async function publish(
  lake: LakeLog,
  base: LakeState,
  name: string,
  table: Table,
  info: Omit<CommitInfo, 'message'>,
): Promise<LakeState> {
  const before = base.tables[name] as TableState
  const changed: TableState = {
    ...before,
    ...table.totals,
    ...table.pointer,
    sameRowsAs: sameRowsAs(before),
  }
  const message = `optimize ${name}`
  return commitTables(lake, base, {
    changes: { tables: { [name]: changed } },
    info: { ...info, message },
  })
}

/**
 * Files of each partition that are worth rewriting, in lots of about the size that files should
 * have.
 */
export function binsOf(tasks: readonly ScanTask[], target: number, all: boolean): Bin[] {
  const partitions = new Map<string, ScanTask[]>()
  for (const task of tasks) {
    const key = JSON.stringify(task.file.partition, (_, v) => (typeof v === 'bigint' ? `${v}n` : v))
    partitions.set(key, [...(partitions.get(key) ?? []), task])
  }
  return [...partitions.values()].flatMap((files) => {
    const worth = files.filter(
      ({ file, deletes }) => all || deletes.length > 0 || file.bytes < target / 2,
    )
    return packed(worth, target).filter(
      (bin) => all || bin.length > 1 || bin.some(({ deletes }) => deletes.length > 0),
    )
  })
}

/** Lots of files, one after the other, none larger than the target unless a file is. */
function packed(tasks: readonly ScanTask[], target: number): Bin[] {
  const bins: { tasks: Bin; bytes: number }[] = []
  for (const task of tasks) {
    const last = bins.at(-1)
    if (last && last.bytes + task.file.bytes <= target) {
      last.tasks.push(task)
      last.bytes += task.file.bytes
    } else bins.push({ tasks: [task], bytes: task.file.bytes })
  }
  return bins.map((bin) => bin.tasks)
}

export function takeUpTo(bins: Bin[], bytes: number): Bin[] {
  const taken: Bin[] = []
  let sum = 0
  while (bins.length > 0 && (taken.length === 0 || sum < bytes)) {
    const bin = bins.shift() as Bin
    taken.push(bin)
    sum += bin.reduce((total, { file }) => total + file.bytes, 0)
  }
  return taken
}

async function rewrite(
  storage: Storage,
  session: Session,
  table: Table,
  bin: Bin,
  { orderBy }: Pick<OptimizeOptions, 'orderBy'>,
): Promise<DataFile[]> {
  await checkFiles(storage, table, bin)
  await storage.prepare(`${table.dataFolder}/x`)
  const rows = session.tables.scan(table.schema, tableFiles(storage, table, bin))
  const order = orderBy ? ` ORDER BY ${orderBy.map(quoteName).join(', ')}` : ''
  const added = await session.tables.write(`SELECT * FROM (${rows})${order}`, {
    schema: table.schema,
    spec: currentSpec(table.metadata),
    location: storage.locate(table.dataFolder),
    name: `optimized-${randomUUID()}`,
    compression: table.compression,
  })
  const count = (files: readonly DataFile[]) => files.reduce((sum, file) => sum + file.rows, 0)
  const before = count(bin.map(({ file }) => file))
  const exact = bin.every(({ deletes }) => deletes.length === 0)
  if (exact ? count(added) === before : count(added) <= before) return added
  throw new MoraineError('corrupt', `${count(added)} rows were written instead of ${before}`, {
    hint: 'This is a bug in Moraine; nothing was published. Please report it.',
  })
}
