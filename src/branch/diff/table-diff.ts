import type { Session } from '../../engine/engine.js'
import { contentsOf, without } from '../../iceberg/difference.js'
import { Table } from '../../iceberg/table.js'
import type { TableState } from '../../log/commit.js'
import type { ColumnChange } from '../../plan/schema-diff.js'
import type { PartOfFile } from '../../step/table-files.js'
import { tableFiles } from '../../step/table-files.js'
import type { Storage } from '../../storage/storage.js'
import { columnsOf, fieldsOf } from './columns.js'
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
  /** Nobody has said that these are a key: where they are none, whole rows are compared. */
  isGuess?: boolean
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
    ? { before: contents.tasks, after: others.tasks, shared: 0 }
    : unlikeFiles(contents.tasks, others.tasks)
  const scan = (table: Table, tasks: readonly PartOfFile[]) =>
    session.tables.scan(table.schema, tableFiles(storage, table, tasks))
  const sides = { before: scan(old, unlike.before), after: scan(fresh, unlike.after) }
  const isUnique = key.isUnique && isChecked(before) && isChecked(after)
  const asked = { pairs, key: key.columns, isUnique, examples }
  const found = await diffRows(session, sides, asked)
  const rows = key.isGuess ? withoutNote(found) : found
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

const withoutNote = ({ note: _, ...rows }: RowsDiff): RowsDiff => rows

/** Whether no other engine has changed rows that no run has checked since. */
const isChecked = ({ adopted }: TableState) => adopted?.unchecked !== true

/** The columns of a table, without those that Moraine adds. */
export async function columnsOfTable(storage: Storage, state: TableState) {
  const { schema } = await Table.load(storage, state)
  return fieldsOf(schema.fields)
}

/** Rows of `discarded.*` that only one version has, by their reasons. */
export async function diffReasons(
  { storage, session }: Comparing,
  before: TableState | undefined,
  after: TableState | undefined,
): Promise<{ reason: string; gained: number; lost: number }[]> {
  if (before?.metadata === after?.metadata) return []
  const load = async (state: TableState | undefined) => state && (await Table.load(storage, state))
  const [old, fresh] = await Promise.all([load(before), load(after)])
  const tasks = async (table: Table | undefined) => (table ? table.plan() : [])
  const unlike = unlikeFiles(await tasks(old), await tasks(fresh))
  const columns = 'reasons, raw, _source_file, _source_line'
  const rows = (table: Table | undefined, files: readonly PartOfFile[], counts: string) =>
    table
      ? [
          `SELECT ${counts}, ${columns} FROM (${session.tables.scan(table.schema, tableFiles(storage, table, files))})`,
        ]
      : []
  const all = [
    ...rows(old, unlike.before, '1 AS a, 0 AS b'),
    ...rows(fresh, unlike.after, '0 AS a, 1 AS b'),
  ]
  const found =
    await session.rows(`SELECT reason, sum(greatest(nb - na, 0)) AS gained, sum(greatest(na - nb, 0)) AS lost
    FROM (SELECT ${session.dialect.lists.each('reasons')} AS reason, na, nb FROM (
      SELECT ${columns}, sum(a) AS na, sum(b) AS nb FROM (${all.join(' UNION ALL ')}) GROUP BY ${columns}))
    WHERE na <> nb GROUP BY reason ORDER BY gained + lost DESC, reason`)
  return found.map(({ reason, gained, lost }) => {
    return { reason: String(reason), gained: Number(gained), lost: Number(lost) }
  })
}
