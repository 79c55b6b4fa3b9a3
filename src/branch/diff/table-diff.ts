import type { Field } from '../../define/types/column-type.js'
import { typeNamed } from '../../define/types/parse-type.js'
import type { ResultRow, Session } from '../../engine/engine.js'
import { contentsOf, without } from '../../iceberg/difference.js'
import { Table } from '../../iceberg/table.js'
import type { TableState, ViewState } from '../../log/commit.js'
import type { ColumnChange } from '../../plan/schema-diff.js'
import type { PartOfFile } from '../../step/table-files.js'
import { tableFiles } from '../../step/table-files.js'
import type { Storage } from '../../storage/storage.js'
import { columnsOf, fieldsOf, isShown } from './columns.js'
import { diffRows, type RowsDiff } from './rows.js'
import { unlikeFiles } from './unlike.js'

/** Files of two versions of a table, and what reading them costs. */
export interface FilesDiff {
  added: { files: number; bytes: number }
  removed: { files: number; bytes: number }
  /** Data files that both have with the same rows. */
  shared: number
}

/** How two versions of a table differ. */
export interface TableDiff {
  columns: readonly ColumnChange[]
  rows: RowsDiff
  files: FilesDiff
}

/** Where and how tables are compared. */
export interface Comparing {
  storage: Storage
  session: Session
  /** Examples of each kind, at most. */
  examples: number
}

/** By which columns rows are paired, and whether each side is known to have each value once. */
export interface Key {
  columns: readonly string[]
  isUnique: boolean
  /** What may be a key without them, though nobody has said so: the first that is one is taken. */
  guesses?: readonly (readonly string[])[]
}

/** Compares two versions of a table; files that both have with the same rows are not read. */
export async function diffTables(
  { storage, session, examples }: Comparing,
  before: TableState,
  after: TableState,
  key: Key,
): Promise<TableDiff> {
  const [old, fresh] = await Promise.all([Table.load(storage, before), Table.load(storage, after)])
  const [contents, others] = await Promise.all([contentsOf(old), contentsOf(fresh)])
  const { pairs, changes, isReread } = columnsOf(old, fresh)
  const unlike = isReread
    ? { before: contents.tasks, after: others.tasks, shared: 0, common: [] }
    : unlikeFiles(contents.tasks, others.tasks)
  const scan = (table: Table, tasks: readonly PartOfFile[]) =>
    session.tables.scan(table.schema, tableFiles(storage, table, tasks))
  const sides = {
    before: scan(old, unlike.before),
    after: scan(fresh, unlike.after),
    ...(unlike.common.length > 0 ? { common: scan(fresh, unlike.common) } : {}),
  }
  const isUnique = key.isUnique && isChecked(before) && isChecked(after)
  const { columns, guesses = [] } = key
  const rows = await diffRows(session, sides, { pairs, key: columns, guesses, isUnique, examples })
  const sizeOf = (entries: ReturnType<typeof without>) => ({
    files: entries.length,
    bytes: entries.reduce((sum, { entry }) => sum + entry.file.bytes, 0),
  })
  const files = {
    added: sizeOf(without(others, contents)),
    removed: sizeOf(without(contents, others)),
    shared: unlike.shared,
  }
  return { columns: changes, rows, files }
}

/** Whether no other engine has changed rows that no run has checked since. */
const isChecked = ({ adopted }: TableState) => adopted?.unchecked !== true

/** The columns of a table, without those that Moraine adds. */
export async function columnsOfTable(storage: Storage, state: TableState) {
  const { schema } = await Table.load(storage, state)
  return fieldsOf(schema.fields)
}

/** The columns of a dataset on one side: of its table, or else of its view. */
export async function columnsOfSide(
  storage: Storage,
  table: TableState | undefined,
  view: ViewState | undefined,
): Promise<Field[] | undefined> {
  if (table) return columnsOfTable(storage, table)
  return view?.columns.filter(isShown).map(({ name, type }) => {
    return { name, type: typeNamed(type) ?? { kind: 'string' } }
  })
}

/** Rows that only one side discards: how many, and for which reasons. */
export interface DiscardedDiff {
  gained: number
  lost: number
  /** A row counts for each of its reasons. */
  reasons: readonly { reason: string; gained: number; lost: number }[]
}

/**
 * Rows of `discarded.*` that only one version has. One that both have for other reasons is none.
 */
export async function diffDiscarded(
  { storage, session }: Comparing,
  before: TableState | undefined,
  after: TableState | undefined,
): Promise<DiscardedDiff> {
  if (before?.metadata === after?.metadata) return { gained: 0, lost: 0, reasons: [] }
  const load = async (state: TableState | undefined) => state && (await Table.load(storage, state))
  const [old, fresh] = await Promise.all([load(before), load(after)])
  const tasks = async (table: Table | undefined) => (table ? table.plan() : [])
  const unlike = unlikeFiles(await tasks(old), await tasks(fresh))
  const row = 'raw, _source_file, _source_line'
  const rows = (table: Table | undefined, files: readonly PartOfFile[], counts: string) =>
    table
      ? [
          `SELECT ${counts}, reasons, ${row} FROM (${session.tables.scan(table.schema, tableFiles(storage, table, files))})`,
        ]
      : []
  const all = [
    ...rows(old, unlike.before, '1 AS a, 0 AS b'),
    ...rows(fresh, unlike.after, '0 AS a, 1 AS b'),
  ]
  const only = (side: 'a' | 'b') => `min(reasons) FILTER (WHERE ${side} = 1)`
  const moved = await session.materialize(`SELECT CASE WHEN nb > na THEN rb ELSE ra END AS reasons,
      greatest(nb - na, 0) AS more, greatest(na - nb, 0) AS less FROM (
      SELECT sum(a) AS na, sum(b) AS nb, ${only('a')} AS ra, ${only('b')} AS rb
      FROM (${all.join(' UNION ALL ')}) GROUP BY ${row}) WHERE na <> nb`)
  try {
    const sums = 'coalesce(sum(more), 0) AS gained, coalesce(sum(less), 0) AS lost'
    const [total] = await session.rows(`SELECT ${sums} FROM ${moved.sql}`)
    const reasons = await session.rows(`SELECT reason, ${sums} FROM (
        SELECT ${session.dialect.lists.each('reasons')} AS reason, more, less FROM ${moved.sql})
      GROUP BY reason ORDER BY gained + lost DESC, reason`)
    const counts = (of: ResultRow | undefined) => {
      return { gained: Number(of?.gained), lost: Number(of?.lost) }
    }
    return {
      ...counts(total),
      reasons: reasons.map((of) => ({ reason: String(of.reason), ...counts(of) })),
    }
  } finally {
    await session.drop([moved])
  }
}
