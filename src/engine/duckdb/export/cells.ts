import { quoteName, quoteText } from '../../../define/sql/sql.js'
import type { ColumnType, Field } from '../../../define/types/column-type.js'
import type { CellFormat } from '../../export-io.js'

/** A column as a value that CSV writes as the reader wants it. */
function cellSql({ name, type }: Field, { booleans, bytes }: CellFormat): string {
  const column = quoteName(name)
  const value = valueSql(column, type)
  if (type.kind === 'boolean')
    return `CASE WHEN ${column} THEN ${quoteText(booleans[1])} WHEN NOT ${column} THEN ${quoteText(booleans[0])} END AS ${column}`
  if (type.kind === 'binary') return `${quoteText(bytes)} || lower(hex(${column})) AS ${column}`
  return `${value} AS ${column}`
}

function valueSql(column: string, type: ColumnType): string {
  switch (type.kind) {
    case 'list':
    case 'struct':
    case 'map':
      return `CAST(to_json(${column}) AS VARCHAR)`
    case 'timestamptz':
      return `${column} AT TIME ZONE 'UTC'`
    default:
      return column
  }
}

const texts: readonly ColumnType['kind'][] = ['string', 'json', 'uuid', 'list', 'struct', 'map']

/** COPY's statement that writes a query as CSV. */
export function copyCsvSql(
  sql: string,
  columns: readonly Field[],
  path: string,
  format: CellFormat,
): string {
  const quoted = columns.filter(({ type }) => texts.includes(type.kind))
  const forced =
    quoted.length > 0
      ? `, FORCE_QUOTE (${quoted.map(({ name }) => quoteName(name)).join(', ')})`
      : ''
  const cells = columns.map((column) => cellSql(column, format)).join(', ')
  return `COPY (SELECT ${cells} FROM (${sql})) TO ${quoteText(path)} (FORMAT csv, HEADER false, USE_TMP_FILE false, NULLSTR ${quoteText(format.nulls)}${forced})`
}
