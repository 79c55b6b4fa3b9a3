import { quoteName } from '../../../define/sql/sql.js'
import type { Field } from '../../../define/types/column-type.js'
import type { ValueLimits } from '../../export-io.js'

/** Whether a target may not hold all values of a column. */
export function isLimited({ type }: Field, { floats }: ValueLimits): boolean {
  if (type.kind === 'float' || type.kind === 'double') return floats !== 'any'
  return ['date', 'timestamp', 'timestamptz'].includes(type.kind)
}

/** The smallest numbers that have all their digits (IEEE 754). */
const SMALLEST = { float: '1.17549435e-38', double: '2.2250738585072014e-308' }

/** SQL for one row: of each column a value, as text, that is beyond its limits. */
export function beyondSql(sql: string, columns: readonly Field[], limits: ValueLimits): string {
  const found = columns.map(
    (column, i) =>
      `min(CASE WHEN ${isBeyond(column, limits)} THEN CAST(${quoteName(column.name)} AS VARCHAR) END) AS b${i}`,
  )
  return `SELECT ${found.join(', ')} FROM (${sql})`
}

function isBeyond({ name, type: { kind } }: Field, { years, floats }: ValueLimits): string {
  const column = quoteName(name)
  const infinite = `NOT isfinite(${column})`
  if (kind === 'float' || kind === 'double')
    return floats === 'finite'
      ? infinite
      : `${infinite} OR (${column} <> 0 AND abs(${column}) < CAST('${SMALLEST[kind]}' AS DOUBLE))`
  const moment = kind === 'timestamptz' ? `(${column} AT TIME ZONE 'UTC')` : column
  return `${infinite} OR year(${moment}) NOT BETWEEN ${years[0]} AND ${years[1]}`
}
