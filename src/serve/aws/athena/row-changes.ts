import { randomUUID } from 'node:crypto'
import { quoteName, quoteText } from '../../../define/sql/sql.js'
import type { Relation, Session } from '../../../engine/engine.js'
import { MoraineError } from '../../../errors.js'
import type { ScanTask } from '../../../iceberg/deletes.js'
import type { Table } from '../../../iceberg/table.js'
import type { WrittenChange } from '../../../sql/trino/write/change.js'
import { checkFiles } from '../../../step/check-files.js'
import { chooseDeletes } from '../../../step/delete-strategy.js'
import { tableFiles } from '../../../step/table-files.js'
import { writeDeletions } from '../../../step/write-table.js'
import { type Storage, stagingOf } from '../../../storage/storage.js'
import type { RowsFile } from './rows-file.js'

/** Rows that are changed, deleted and added, and the table that they are of. */
interface ChangingRows {
  storage: Storage
  /** Bytes of files that are written again in any case, rather than have rows listed as deleted. */
  rewriteUpTo: number
  session: Session
  table: Table
  change: WrittenChange
  /** What is done with which rows. */
  file: RowsFile
}

/** What is written of a change: the rest of {@link ChangingRows} stays as it is. */
interface ChangedRows {
  /** SQL for the rows of the new data files. */
  rows: string
  removed: ReadonlySet<string>
  /** Files that list rows as deleted. */
  lists: Awaited<ReturnType<typeof writeDeletions>>
}

/**
 * Which files go and what is written in their place, where rows of a table change: files that are
 * small are written again, of large ones rows are listed as deleted.
 */
export async function changedRows(changing: ChangingRows): Promise<ChangedRows> {
  const { storage, session, table, change, file } = changing
  const rows = await session.materialize(file.sql)
  const tasks = await table.plan()
  const leaving = await placed(changing, rows, tasks)
  await refuseTwice(session, leaving)
  const context = { storage, rewriteUpTo: changing.rewriteUpTo, run: `athena-${randomUUID()}` }
  const strategy = await chooseDeletes(context, session, table, tasks, leaving)
  const touched = [...strategy.rewritten, ...strategy.deletions.map(({ task }) => task)]
  await checkFiles(storage, table, touched)
  const fresh = [...updatedSql(changing, leaving, touched), ...insertedSql(table, change, rows)]
  await refuseNulls(session, table, fresh)
  await storage.prepare(`${table.dataFolder}/x`)
  return {
    rows: [...keptSql(changing, leaving, strategy.rewritten), ...fresh].join(' UNION ALL '),
    removed: strategy.removed,
    lists: await writeDeletions(context, session, table, strategy.deletions),
  }
}

/** The rows of the table that leave it as they are, by where they lie. */
async function placed(
  { storage, session, table }: ChangingRows,
  rows: Relation,
  tasks: readonly ScanTask[],
): Promise<Relation> {
  const staging = stagingOf(storage)
  const names = tasks.flatMap(({ file }) => {
    const location = storage.locate(table.pathOf(file.path))
    const name = session.tables.fileName(location)
    // Whoever has found them may have had a copy of the file.
    const known = new Set([name, location, staging.localPath(location)])
    return [...known].map((one) => `(${quoteText(one)}, ${quoteText(name)})`)
  })
  if (names.length === 0) names.push("('', '')")
  const leaving = await session.materialize(
    `SELECT n.name AS _data_file, CAST(r."m row" AS BIGINT) AS _data_row, r.* EXCLUDE ("m file", "m row")
     FROM ${rows.sql} AS r JOIN (VALUES ${names.join(', ')}) AS n(known, name) ON r."m file" = n.known`,
  )
  const [counts] = await session.rows(
    `SELECT (SELECT count(*) FROM ${rows.sql} WHERE "m row" IS NOT NULL) AS found, (SELECT count(*) FROM ${leaving.sql}) AS placed`,
  )
  if (Number(counts?.found) !== Number(counts?.placed))
    throw new Error(`${counts?.placed} of ${counts?.found} rows were found in their files`)
  return leaving
}

async function refuseTwice(session: Session, leaving: Relation): Promise<void> {
  const twice = await session.rows(
    `SELECT 1 AS one FROM ${leaving.sql} GROUP BY _data_file, _data_row HAVING count(*) > 1 LIMIT 1`,
  )
  if (twice.length > 0)
    throw new MoraineError('query', 'One MERGE target table row matched more than one source row', {
      hint: 'Let USING give one row for each: group it, or choose one by row_number().',
    })
}

/** Columns of a table as what they are made of, by the names of the table's fields. */
function picked(table: Table, madeOf: (name: string) => string): string {
  return table.schema.fields.map(({ name }) => `${madeOf(name)} AS ${quoteName(name)}`).join(', ')
}

/** Numbers of the actions of a kind, which set a column where one is named. */
const numbersOf = ({ actions }: WrittenChange, does: string, column?: string) =>
  actions.flatMap((one, i) =>
    one.does === does && (column === undefined || one.sets.includes(column)) ? [i + 1] : [],
  )

/** Rows of files that are written again, without those that leave. */
function keptSql(
  { storage, session, table }: ChangingRows,
  leaving: Relation,
  rewritten: readonly ScanTask[],
): string[] {
  if (rewritten.length === 0) return []
  const all = session.tables.scanWithFiles(table.schema, tableFiles(storage, table, rewritten))
  return [
    `SELECT ${picked(table, (name) => `s.${quoteName(name)}`)} FROM (${all}) AS s
     WHERE NOT EXISTS (SELECT 1 FROM ${leaving.sql} AS l WHERE l._data_file = s._data_file AND l._data_row = s._data_row)`,
  ]
}

/** Rows with new values: what no action sets is taken as it lies in the files. */
function updatedSql(
  { storage, session, table, change }: ChangingRows,
  leaving: Relation,
  touched: readonly ScanTask[],
): string[] {
  const updates = numbersOf(change, 'update')
  if (updates.length === 0 || touched.length === 0) return []
  const all = session.tables.scanWithFiles(table.schema, tableFiles(storage, table, touched))
  const madeOf = (name: string) => {
    const own = numbersOf(change, 'update', name)
    if (own.length === 0) return `s.${quoteName(name)}`
    const value = `l.${quoteName(`c${change.columns.indexOf(name)}`)}`
    return `CASE WHEN l."m action" IN (${own.join(', ')}) THEN ${value} ELSE s.${quoteName(name)} END`
  }
  return [
    `SELECT ${picked(table, madeOf)} FROM (${all}) AS s
     JOIN ${leaving.sql} AS l ON l._data_file = s._data_file AND l._data_row = s._data_row
     WHERE l."m action" IN (${updates.join(', ')})`,
  ]
}

function insertedSql(table: Table, change: WrittenChange, { sql }: Relation): string[] {
  const inserts = numbersOf(change, 'insert')
  if (inserts.length === 0) return []
  const madeOf = (name: string) => {
    const own = numbersOf(change, 'insert', name)
    if (own.length === 0) return 'NULL'
    return `CASE WHEN r."m action" IN (${own.join(', ')}) THEN r.${quoteName(`c${change.columns.indexOf(name)}`)} END`
  }
  return [
    `SELECT ${picked(table, madeOf)} FROM ${sql} AS r WHERE r."m action" IN (${inserts.join(', ')})`,
  ]
}

/**
 * Other engines may have made columns that take no NULL.
 *
 * @param fresh SQL for rows that are new to the table.
 */
export async function refuseNulls(
  session: Session,
  table: Table,
  fresh: readonly string[],
): Promise<void> {
  const required = table.schema.fields.filter((field) => field.required)
  if (required.length === 0 || fresh.length === 0) return
  for (const { name } of required) {
    const found = await session.rows(
      `SELECT 1 AS one FROM (${fresh.join(' UNION ALL ')}) WHERE ${quoteName(name)} IS NULL LIMIT 1`,
    )
    if (found.length > 0)
      throw new MoraineError('query', `NULL value not allowed for NOT NULL column: ${name}`, {
        hint: 'Give it a value.',
      })
  }
}
