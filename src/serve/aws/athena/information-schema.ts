import type { VisibleTable } from '../../../query/service/request.js'
import { BIGINT, VARCHAR } from '../../../sql/trino/types.js'
import { quote, type TableFields, text } from '../../../sql/trino/write/scope.js'
import type { Relation } from './relations/relation.js'
import { hiveType } from './types.js'

type Cell = string | number | null

/** A table of information_schema: its columns, and what it says of the lake. */
interface Information {
  names: readonly string[]
  rows: (catalog: string, tables: readonly Relation[], schemas: readonly string[]) => Cell[][]
}

const CATALOG = 'awsdatacatalog'
const NAMES = ['table_catalog', 'table_schema', 'table_name']

const lower = (table: VisibleTable) => [table.schema.toLowerCase(), table.name.toLowerCase()]

const information: Readonly<Record<string, Information>> = {
  schemata: {
    names: ['catalog_name', 'schema_name'],
    rows: (catalog, _, schemas) => [...schemas, 'information_schema'].map((one) => [catalog, one]),
  },
  tables: {
    names: [...NAMES, 'table_type'],
    rows: (catalog, tables) =>
      tables.map((one) => [catalog, ...lower(one), one.kind === 'view' ? 'VIEW' : 'BASE TABLE']),
  },
  views: {
    names: [...NAMES, 'view_definition'],
    rows: (catalog, tables) =>
      tables
        .filter(({ kind }) => kind === 'view')
        .map((one) => [catalog, ...lower(one), one.view?.sql ?? '']),
  },
  columns: {
    names: [
      ...NAMES,
      ...['column_name', 'ordinal_position', 'column_default', 'is_nullable', 'data_type'],
      ...['comment', 'extra_info'],
    ],
    rows: (catalog, tables) => tables.flatMap((table) => columnsOf(catalog, table)),
  },
}

const columnsOf = (catalog: string, table: VisibleTable): Cell[][] =>
  table.columns.map((one, i) => [
    ...[catalog, ...lower(table), one.name.toLowerCase(), i + 1, null],
    ...[one.nullable ? 'YES' : 'NO', sqlType(one.type), one.comment ?? null, null],
  ])

const sqlType = (type: string) =>
  hiveType(type)
    .replace(/^string$/, 'varchar')
    .replace(/^int$/, 'integer')

/** What a table of information_schema tells, as rows of the statement itself. */
export function informationSchema(
  name: string,
  lake: { all: readonly Relation[]; schemas: () => readonly string[] },
  fail: (why: string, hint?: string) => Error,
): TableFields {
  const key = name.toLowerCase()
  const found = Object.hasOwn(information, key) ? information[key] : undefined
  if (!found)
    throw fail(
      `information_schema.${name} is not served`,
      `There are: ${Object.keys(information).join(', ')}`,
    )
  const { names } = found
  const types = names.map((one) => (one === 'ordinal_position' ? BIGINT : VARCHAR))
  const columns = names.map((one, i) => ({ name: one, type: types[i] }))
  const rows = found.rows(CATALOG, lake.all, lake.schemas())
  const cells = rows.map((row) => `(${row.map(cell).join(', ')})`)
  const none = names.map((one) => `CAST(NULL AS VARCHAR) AS ${quote(one)}`).join(', ')
  const sql =
    cells.length > 0
      ? `(SELECT * FROM (VALUES ${cells.join(', ')}) AS "i"(${names.map(quote).join(', ')}))`
      : `(SELECT ${none} WHERE false)`
  return { sql, columns }
}

function cell(value: Cell): string {
  if (value === null) return 'CAST(NULL AS VARCHAR)'
  return typeof value === 'number' ? `CAST(${value} AS BIGINT)` : text(value)
}
