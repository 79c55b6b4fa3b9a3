import { stat } from 'node:fs/promises'
import { quoteName, quoteText } from '../../../define/sql/sql.js'
import type { ColumnType, Field } from '../../../define/types/column-type.js'
import { sqlType } from '../../../define/types/sql-type.js'
import type { ExportFile } from '../../export-io.js'

const nested = ({ kind }: ColumnType) => kind === 'list' || kind === 'struct' || kind === 'map'

/** What is written of a column: Parquet has every type, the others have texts for some. */
function writtenSql({ name, type }: Field, file: Pick<ExportFile, 'format' | 'plain'>): string {
  const { format, plain = false } = file
  const column = quoteName(name)
  const as = (sql: string) => `${sql} AS ${column}`
  if (format === 'parquet') return plain ? plainSql({ name, type }) : column
  const isJson = format === 'jsonl'
  switch (type.kind) {
    case 'list':
    case 'struct':
    case 'map':
      return isJson ? column : as(`CAST(to_json(${column}) AS VARCHAR)`)
    case 'binary':
      return as(`lower(hex(${column}))`)
    case 'timestamptz':
      return as(`strftime(${column} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')`)
    case 'timestamp':
      return isJson ? as(`strftime(${column}, '%Y-%m-%dT%H:%M:%S.%f')`) : column
    case 'bigint':
    case 'decimal':
      // Readers of JSON take numbers for doubles.
      return isJson ? as(`CAST(${column} AS VARCHAR)`) : column
    case 'float':
    case 'double':
      return isJson ? as(finite(column, name)) : column
    default:
      return column
  }
}

/** What is written of a column that every reader of Parquet is to know. */
function plainSql({ name, type }: Field): string {
  const column = quoteName(name)
  if (nested(type)) return `CAST(to_json(${column}) AS VARCHAR) AS ${column}`
  if (type.kind === 'binary') return `lower(hex(${column})) AS ${column}`
  if (type.kind === 'timestamptz') return `${column} AT TIME ZONE 'UTC' AS ${column}`
  return column
}

/** SQL for one row: bytes of the longest value of each column that is a text in a plain file. */
export function longestSql(sql: string, columns: readonly Field[]): string {
  const longest = columns.map(
    ({ name }, i) => `coalesce(max(strlen(${quoteName(name)})), 0) AS l${i}`,
  )
  return `SELECT ${longest.join(', ')} FROM (SELECT ${columns.map(plainSql).join(', ')} FROM (${sql}))`
}

/** Whether a column is a text in a plain file. */
export const isPlainText = ({ type }: Field) =>
  nested(type) || ['string', 'json', 'uuid', 'binary'].includes(type.kind)

const finite = (column: string, name: string) =>
  `CASE WHEN isfinite(${column}) THEN ${column} WHEN ${column} IS NOT NULL THEN CAST(error(${quoteText(`column ${name} has a number that JSON can't hold: NaN or infinity`)}) AS DOUBLE) END`

/** COPY's statement that writes a query as one file. */
export function copyFileSql(
  sql: string,
  columns: readonly Field[],
  path: string,
  file: ExportFile,
): string {
  const cells = columns.map((column) => writtenSql(column, file)).join(', ')
  const texts = columns
    .filter(({ type }) => ['string', 'json', 'uuid', 'binary'].includes(type.kind) || nested(type))
    .map(({ name }) => quoteName(name))
  const options = {
    parquet: 'FORMAT parquet, COMPRESSION snappy',
    csv: `FORMAT csv, HEADER, NULLSTR ''${texts.length > 0 ? `, FORCE_QUOTE (${texts.join(', ')})` : ''}`,
    jsonl: 'FORMAT json',
  }
  return `COPY (SELECT ${cells} FROM (${sql})) TO ${quoteText(path)} (${options[file.format]}, USE_TMP_FILE false)`
}

/**
 * SQL for the rows of such a file, with the types that they had; lists and structs stay texts where
 * the file has texts.
 */
export async function fileRowsSql(
  list: string,
  columns: readonly Field[],
  path: string,
  { format }: ExportFile,
): Promise<string> {
  if (format === 'parquet') return `SELECT * FROM read_parquet(${list}, hive_partitioning = false)`
  const types = columns.map(({ name }) => `${quoteText(name)}: 'VARCHAR'`).join(', ')
  const { size } = await stat(path)
  // A record may be as long as the file is.
  const longest = Math.max(2 ** 21, Math.min(size + 16, 2 ** 28))
  const from =
    format === 'csv'
      ? `read_csv(${list}, header = true, auto_detect = false, columns = {${types}}, delim = ',', quote = '"', escape = '"', new_line = '\\n',
        nullstr = '', allow_quoted_nulls = false, strict_mode = true, hive_partitioning = false, max_line_size = ${longest}, buffer_size = ${2 * longest})`
      : `read_json(${list}, format = 'newline_delimited', columns = {${types}}, hive_partitioning = false, maximum_object_size = ${2 * longest})`
  return `SELECT ${columns.map(readSql).join(', ')} FROM ${from}`
}

function readSql({ name, type }: Field): string {
  const column = quoteName(name)
  if (nested(type) || ['string', 'json', 'uuid'].includes(type.kind)) return column
  if (type.kind === 'binary') return `unhex(${column}) AS ${column}`
  return `CAST(${column} AS ${sqlType(type)}) AS ${column}`
}

/** Characters that make a spreadsheet run a text. */
const FORMULA = '^[=+@\\t\\r-]'

/** SQL for rows whose texts no spreadsheet runs. */
export function withoutFormulas(sql: string, columns: readonly Field[]): string {
  const safe = columns.flatMap(({ name, type }) => {
    const column = quoteName(name)
    return type.kind === 'string'
      ? [
          `CASE WHEN regexp_matches(${column}, '${FORMULA}') THEN '''' || ${column} ELSE ${column} END AS ${column}`,
        ]
      : []
  })
  return safe.length === 0 ? sql : `SELECT * REPLACE (${safe.join(', ')}) FROM (${sql})`
}
