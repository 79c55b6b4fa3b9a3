import { quoteName } from '../../../define/sql/sql.js'
import type { Field } from '../../../define/types/column-type.js'

/** Digits of a decimal up to which a sum of any number of rows has room in 38. */
const SUMMABLE = 26

/** Whether a column has an exact sum. */
function isSummed({ type }: Field): boolean {
  if (type.kind === 'decimal') return type.precision <= SUMMABLE
  return !['float', 'double', 'list', 'struct', 'map'].includes(type.kind)
}

/** SQL for one row: how many rows, then values and sum of each column. */
export function figuresSql(sql: string, columns: readonly Field[]): string {
  const counted = columns.flatMap((column) => [
    `count(${quoteName(column.name)})`,
    isSummed(column) ? `CAST(sum(${weightSql(column)}) AS VARCHAR)` : 'CAST(NULL AS VARCHAR)',
  ])
  return `SELECT ${['count(*)', ...counted].map((one, i) => `${one} AS f${i}`).join(', ')} FROM (${sql})`
}

function weightSql({ name, type }: Field): string {
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
      return `strlen(${column})`
    case 'decimal':
      return `CAST(${column} AS DECIMAL(38, ${type.scale}))`
    default:
      return column
  }
}
