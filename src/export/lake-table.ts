import { fullName } from '../define/dataset.js'
import type { Exportable } from '../define/export/target.js'
import type { Field } from '../define/types/column-type.js'
import type { Session } from '../engine/engine.js'
import type { Figures, TextUnits } from '../engine/export-io.js'
import type { ScanTask } from '../iceberg/deletes.js'
import { toColumnType } from '../iceberg/spec/types.js'
import { Table } from '../iceberg/table.js'
import type { Definition, LakeState } from '../log/commit.js'
import { definitionOf } from '../plan/fingerprint.js'
import { hash } from '../step/context.js'
import { tableFiles } from '../step/table-files.js'
import type { Storage } from '../storage/storage.js'

/** A dataset's table as a commit of the lake has it. */
export interface LakeTable {
  dataset: string
  columns: readonly Field[]
  /** By what the table was built. */
  definition: Definition
  /** Columns that no two rows share, if there are any. */
  key: readonly string[]
  /** The column by whose values gold is computed, part by part. */
  by: string | undefined
  table: Table
  /** Earlier metadata files that have the same rows. */
  sameRowsAs: readonly string[]
  commit: number
  rows: number
}

/** The table of a dataset at a state; `undefined` where it was never built. */
export async function lakeTable(
  storage: Storage,
  state: LakeState,
  dataset: Exportable,
): Promise<LakeTable | undefined> {
  const name = fullName(dataset)
  const at = state.tables[name]
  if (!at) return undefined
  const table = await Table.load(storage, at)
  return {
    dataset: name,
    columns: table.schema.fields.map((field) => ({
      name: field.name,
      type: toColumnType(field.type),
    })),
    definition: at.definition,
    key: keyOf(dataset, at.definition),
    by: dataset.tier === 'gold' ? dataset.incremental?.by : undefined,
    table,
    sameRowsAs: at.sameRowsAs ?? [],
    commit: state.number,
    rows: at.rows,
  }
}

/** A key that the table was not built with, as before the next run, says nothing of its rows. */
function keyOf(dataset: Exportable, { key }: Definition): readonly string[] {
  if (dataset.tier !== 'silver') return []
  return key === undefined || key === definitionOf(dataset, hash).key ? dataset.key : []
}

export const metadataOf = ({ table }: LakeTable) => table.file as string
export const snapshotOf = ({ table }: LakeTable) => String(table.snapshot?.['snapshot-id'] ?? '')

/** SQL for all rows of a version of a table. */
export async function rowsOf(session: Session, storage: Storage, table: Table): Promise<string> {
  return scan(session, storage, table, await table.plan())
}

const scan = (session: Session, storage: Storage, table: Table, tasks: readonly ScanTask[]) =>
  session.tables.scan(table.schema, tableFiles(storage, table, tasks))

/** SQL for the rows of some files of a table. */
export function rowsOfTasks(
  session: Session,
  storage: Storage,
  { table }: LakeTable,
  tasks: readonly ScanTask[],
): string {
  return scan(session, storage, table, tasks)
}

/** What a version of a table has that an earlier one had not, and the other way round. */
export interface Changes {
  /** SQL for the rows that are new or changed, as they are now. */
  come: string
  /** SQL for the rows that are gone or changed, as they were. */
  gone: string
  comeFigures: Figures
  goneFigures: Figures
  /** How many rows that is. */
  touched: bigint
}

/** Where changes are looked for. */
interface Compared {
  engine: Session
  storage: Storage
  now: LakeTable
  /** What lengths of texts are counted in. */
  units: TextUnits | undefined
}

/**
 * Rows that differ between an earlier version of a table and this one. Only files are read that one
 * of them has and the other has not; rows that were only written to other files are no change.
 *
 * @param metadata the file of the earlier version, which may be gone.
 */
export async function changesSince(
  { engine: session, storage, now: lakeTable, units }: Compared,
  metadata: string,
): Promise<Changes> {
  const { table, columns } = lakeTable
  const before = await Table.load(storage, metadata)
  const [old, now] = await Promise.all([before.plan(), table.plan()])
  const known = (tasks: readonly ScanTask[]) => new Set(tasks.map(identity))
  const [oldIds, nowIds] = [known(old), known(now)]
  const oldRows = await session.materialize(
    scan(
      session,
      storage,
      before,
      old.filter((task) => !nowIds.has(identity(task))),
    ),
  )
  const nowRows = await session.materialize(
    scan(
      session,
      storage,
      table,
      now.filter((task) => !oldIds.has(identity(task))),
    ),
  )
  const less = (a: string, b: string) => `SELECT * FROM ${a} EXCEPT ALL SELECT * FROM ${b}`
  const come = await session.materialize(less(nowRows.sql, oldRows.sql))
  const gone = await session.materialize(less(oldRows.sql, nowRows.sql))
  await session.drop([oldRows, nowRows])
  const all = (sql: string) => `SELECT * FROM ${sql}`
  const comeFigures = await session.exports.figures(all(come.sql), columns, units)
  const goneFigures = await session.exports.figures(all(gone.sql), columns, units)
  const touched = comeFigures.rows > goneFigures.rows ? comeFigures.rows : goneFigures.rows
  return { come: all(come.sql), gone: all(gone.sql), comeFigures, goneFigures, touched }
}

/** A file with what is deleted of it. */
export const identity = ({ file, deletes }: ScanTask) =>
  [file.path, ...deletes.map(({ path }) => path).sort()].join('\n')
