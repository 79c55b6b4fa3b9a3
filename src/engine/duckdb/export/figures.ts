import { quoteName } from '../../../define/sql/sql.js'
import type { Field } from '../../../define/types/column-type.js'
import type { TextUnits } from '../../export-io.js'

/** Digits of a decimal up to which a sum of any number of rows has room in 38. */
const SUMMABLE = 26

/** Whether a column has an exact sum. */
function isSummed({ type }: Field): boolean {
  if (type.kind === 'decimal') return type.precision <= SUMMABLE
  return !['float', 'double', 'list', 'struct', 'map'].includes(type.kind)
}

/** SQL for one row: how many rows, then values and sum of each column. */
export function figuresSql(
  sql: string,
  columns: readonly Field[],
  units: TextUnits = 'utf8',
): string {
  const counted = columns.flatMap((column) => [
    `count(${quoteName(column.name)})`,
    isSummed(column)
      ? `CAST(sum(${weightSql(column, units)}) AS VARCHAR)`
      : 'CAST(NULL AS VARCHAR)',
  ])
  return `SELECT ${['count(*)', ...counted].map((one, i) => `${one} AS f${i}`).join(', ')} FROM (${sql})`
}

function weightSql({ name, type }: Field, units: TextUnits): string {
  const column = quoteName(name)
  switch (type.kind) {
    case 'boolean':
      return `CASE WHEN ${column} THEN 1 ELSE 0 END`
    case 'date':
      return `date_diff('day', DATE '1970-01-01', ${column})`
    case 'timestamp':
    case 'timestamptz':
      return `CAST(epoch_us(${column}) AS HUGEINT)`
    case 'binary':
      return `octet_length(${column})`
    case 'string':
    case 'json':
    case 'uuid':
      return units === 'utf8' ? `strlen(${column})` : utf16Sql(column)
    case 'decimal':
      return `CAST(${column} AS DECIMAL(38, ${type.scale}))`
    default:
      return column
  }
}

/** Bytes of a text in UTF-16, where characters beyond the first 65,536 are two units. */
const utf16Sql = (column: string) =>
  `2 * CASE WHEN strlen(${column}) = length(${column}) THEN length(${column}) ELSE length(${column}) + length(regexp_replace(${column}, '[^\\x{10000}-\\x{10FFFF}]', '', 'g')) END`
