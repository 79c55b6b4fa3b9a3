import { quoteName, quoteText } from '../../define/sql/sql.js'
import type { Relation, Session, TableFile } from '../../engine/engine.js'
import { toColumnType } from '../../iceberg/spec/types.js'
import type { TableVersion } from '../../iceberg/version.js'
import { IDS } from '../../plan/why/trace.js'
import { Uninvertible } from '../../plan/why/uninvertible.js'
import type { Relations } from '../../step/relations.js'
import { tableFiles } from '../../step/table-files.js'
import type { Storage } from '../../storage/storage.js'

/** The schemas of relations that have ids, and of those that have the rows which were found. */
export const WITH_IDS = 'why_rows'
export const FOUND = 'why_found'

/** A dataset whose rows are traced. */
export interface TracedTable {
  name: string
  table: TableVersion
  files: TableFile[]
  columns: string[]
}

export async function tracedTable(
  storage: Storage,
  relations: Relations,
  name: string,
): Promise<TracedTable> {
  if (name.startsWith('bronze.'))
    throw new Uninvertible(`rows of ${name} are not traced`, 'Read a silver dataset of it')
  const table = await relations.table(name)
  if (!table) throw new Uninvertible(`${name} is not built yet`, 'Build it first: moraine run')
  const files = tableFiles(storage, table, await table.plan())
  return { name, table, files, columns: table.schema.fields.map((field) => field.name) }
}

/** Defines a dataset's rows with their ids: its name, their file, and their place there. */
export async function defineWithIds(
  session: Session,
  { name, table, files, columns }: TracedTable,
): Promise<void> {
  const { lists, values } = session.dialect
  const id = values.struct([
    ['dataset', quoteText(name)],
    ['file', '_data_file'],
    ['place', '_data_row'],
  ])
  const shown = [...columns.map(quoteName), `${lists.of(id)} AS ${IDS}`].join(', ')
  const rows = session.tables.scanWithFiles(table.schema, files)
  await session.define(WITH_IDS, name, `SELECT ${shown} FROM (${rows})`)
}

/** Defines those of a dataset's rows that were found, and nothing else of it. */
export async function defineFound(
  session: Session,
  traced: TracedTable,
  ids: Relation,
): Promise<{ rows: Relation; count: number }> {
  const { name, table, columns } = traced
  const mine = `SELECT file, place FROM ${ids.sql} WHERE dataset = ${quoteText(name)}`
  const touched = await session.rows(`SELECT DISTINCT file FROM (${mine})`)
  const names = new Set(touched.map(({ file }) => String(file)))
  const files = traced.files.filter(({ location }) => names.has(session.tables.fileName(location)))
  const shown = columns.map((column) => `d.${quoteName(column)}`).join(', ')
  const from = session.dialect.rows.semiJoin(
    `(${session.tables.scanWithFiles(table.schema, files)}) AS d`,
    `(${mine}) AS i`,
    { on: 'd._data_file = i.file AND d._data_row = i.place' },
  )
  const rows = await session.materialize(`SELECT ${shown} FROM ${from}`)
  await session.define(FOUND, name, `SELECT * FROM ${rows.sql}`)
  const [counted] = await session.rows(`SELECT count(*) AS n FROM ${rows.sql}`)
  return { rows, count: Number(counted?.n) }
}

/** The type of each column of a table. */
export function typesOf({ table }: TracedTable) {
  return new Map(table.schema.fields.map(({ name, type }) => [name, toColumnType(type)]))
}
