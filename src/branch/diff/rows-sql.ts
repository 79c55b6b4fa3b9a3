import { quoteName } from '../../define/sql/sql.js'
import type { ColumnType } from '../../define/types/column-type.js'
import { typeName } from '../../define/types/column-type.js'
import type { Pair } from './columns.js'

/** SQL for the rows of each side that the other may not have. */
export interface SidesSql {
  before: string
  after: string
}

const numeric = ['int', 'bigint', 'float', 'double', 'decimal']
const times = ['date', 'timestamp', 'timestamptz']

/** Whether two values are compared as texts, as their types have none in common. */
function comparedAsTexts({ type, typeBefore }: Pair): boolean {
  if (typeName(type) === typeName(typeBefore)) return false
  return ![numeric, times].some((kinds) => [type, typeBefore].every((t) => kinds.includes(t.kind)))
}

/** The columns of one side as `c0`, `c1`, …, as they are compared. */
function compared(pairs: readonly Pair[], side: 'before' | 'name', sql: string): string {
  const columns = pairs.map((pair, i) => {
    const name = quoteName(pair[side])
    return `${comparedAsTexts(pair) ? `CAST(${name} AS VARCHAR)` : name} AS c${i}`
  })
  return `SELECT ${['true AS _is', ...columns].join(', ')} FROM (${sql})`
}

/**
 * Rows that differ, paired by their keys: `a0`… and `b0`… are their values before and after, `_wa`
 * and `_wb` how often each is there, 0 or 1.
 */
export function byKeySql(sides: SidesSql, pairs: readonly Pair[], key: readonly string[]): string {
  const places = key.map((name) => pairs.findIndex((pair) => pair.name === name))
  const on = places.map((i) => `_x.c${i} IS NOT DISTINCT FROM _y.c${i}`).join(' AND ')
  const values = pairs.map((_, i) => `_x.c${i} AS a${i}, _y.c${i} AS b${i}`)
  const differs = pairs.flatMap((_, i) =>
    places.includes(i) ? [] : [`_x.c${i} IS DISTINCT FROM _y.c${i}`],
  )
  return `SELECT CASE WHEN _x._is THEN 1 ELSE 0 END AS _wa, CASE WHEN _y._is THEN 1 ELSE 0 END AS _wb, ${values.join(', ')}
    FROM (${compared(pairs, 'before', sides.before)}) AS _x
    FULL JOIN (${compared(pairs, 'name', sides.after)}) AS _y ON ${on}
    WHERE ${['_x._is IS NULL', '_y._is IS NULL', ...differs].join(' OR ')}`
}

/** The same without a key: rows that one side has more often; both values are that row's. */
export function byRowsSql(sides: SidesSql, pairs: readonly Pair[]): string {
  const columns = pairs.map((_, i) => `c${i}`)
  const all = columns.length > 0 ? `, ${columns.join(', ')}` : ''
  const values = columns.map((c, i) => `, ${c} AS a${i}, ${c} AS b${i}`).join('')
  return `SELECT greatest(_na - _nb, 0) AS _wa, greatest(_nb - _na, 0) AS _wb${values} FROM (
      SELECT sum(_a) AS _na, sum(_b) AS _nb${all} FROM (
        SELECT 1 AS _a, 0 AS _b${all} FROM (${compared(pairs, 'before', sides.before)})
        UNION ALL SELECT 0, 1${all} FROM (${compared(pairs, 'name', sides.after)}))
      ${columns.length > 0 ? `GROUP BY ${columns.join(', ')}` : ''})
    WHERE _na <> _nb`
}

/** SQL for how many rows of a side have a key that another row of it has. */
export function duplicatesSql(
  sql: string,
  pairs: readonly Pair[],
  side: 'before' | 'name',
  key: readonly string[],
): string {
  const places = key.map((name) => `c${pairs.findIndex((pair) => pair.name === name)}`)
  return `SELECT count(*) AS n FROM (SELECT 1 FROM (${compared(pairs, side, sql)})
    GROUP BY ${places.join(', ')} HAVING count(*) > 1)`
}

/** SQL for the sum of a side's values in rows that differ; `undefined` where there is none. */
export function sumSql(type: ColumnType, value: string, weight: string): string | undefined {
  if (type.kind === 'int' || type.kind === 'bigint')
    return `sum(CAST(${value} AS DECIMAL(19,0)) * CAST(${weight} AS DECIMAL(18,0)))`
  if (type.kind === 'decimal' && type.precision <= 18)
    return `sum(CAST(${value} AS DECIMAL(18,${type.scale})) * CAST(${weight} AS DECIMAL(18,0)))`
  if (numeric.includes(type.kind)) return `sum(CAST(${value} AS DOUBLE) * ${weight})`
  return undefined
}
