import { quoteName } from '../../define/sql/sql.js'
import type { ColumnType } from '../../define/types/column-type.js'
import { typeName } from '../../define/types/column-type.js'
import type { Dialect } from '../../sql/dialect.js'
import type { Pair } from './columns.js'

/** SQL for the rows of each side that the other may not have. */
export interface SidesSql {
  before: string
  after: string
  /** Rows that both have: only columns of a key are read of them, where nothing proves it. */
  common?: string
}

const numeric = ['int', 'bigint', 'float', 'double', 'decimal']
const times = ['date', 'timestamp', 'timestamptz']

/** How the values of a column are compared, where it has another type on each side. */
type Comparison = 'as they are' | 'as texts' | { digits: number; places: number }

/**
 * A common type may be too narrow, or round: 9007199254740993 is no DOUBLE. Numbers of which one is
 * exact are compared as decimals with all places that the exact side has.
 */
function comparisonOf({ type, typeBefore }: Pair): Comparison {
  if (typeName(type) === typeName(typeBefore)) return 'as they are'
  const both = [type, typeBefore]
  if (both.every(({ kind }) => times.includes(kind))) return 'as they are'
  if (!both.every(({ kind }) => numeric.includes(kind))) return 'as texts'
  const exact = both.filter((one) => !isFloat(one))
  if (exact.length === 0) return 'as they are'
  const places = Math.max(...exact.map(placesOf))
  return { digits: Math.max(...exact.map(digitsOf)) + places, places }
}

const placesOf = (type: ColumnType) => (type.kind === 'decimal' ? type.scale : 0)
/** Digits before the point. */
const digitsOf = (type: ColumnType) =>
  type.kind === 'decimal' ? type.precision - type.scale : type.kind === 'int' ? 10 : 19

/** Whether values of a column are compared as texts, though they may be numbers. */
const isText = (pair: Pair) => {
  const how = comparisonOf(pair)
  if (typeof how !== 'object') return how === 'as texts'
  return how.digits > MOST_DIGITS || [pair.type, pair.typeBefore].some(isFloat)
}

const MOST_DIGITS = 38

/** A number as a text with so many places, which two have if they are equal, and only then. */
function decimalText(
  { values, texts }: Dialect,
  name: string,
  type: ColumnType,
  { digits, places }: { digits: number; places: number },
): string {
  const text = `CAST(${name} AS VARCHAR)`
  if (isFloat(type)) {
    const decimal = values.tryCast(text, `DECIMAL(${MOST_DIGITS}, ${places})`)
    return `CASE WHEN CAST(${decimal} AS ${values.type(type)}) = ${name} THEN CAST(${decimal} AS VARCHAR) ELSE ${text} END`
  }
  if (digits <= MOST_DIGITS)
    return `CAST(CAST(${name} AS DECIMAL(${MOST_DIGITS}, ${places})) AS VARCHAR)`
  const own = placesOf(type)
  // One that has no digits before the point has no zero there either.
  const isPart = type.kind === 'decimal' && type.precision === type.scale
  const whole = isPart
    ? `CASE WHEN ${name} < 0 THEN '-0' || ${texts.slice(text, 2)} ELSE '0' || ${text} END`
    : text
  return places === own ? whole : `${whole} || '${own === 0 ? '.' : ''}${'0'.repeat(places - own)}'`
}

/** The columns of one side as `c0`, `c1`, …, as they are compared. */
function compared(
  dialect: Dialect,
  pairs: readonly Pair[],
  side: 'before' | 'name',
  sql: string,
): string {
  const columns = pairs.map((pair, i) => {
    const name = quoteName(pair[side])
    const how = comparisonOf(pair)
    const type = side === 'before' ? pair.typeBefore : pair.type
    if (how === 'as they are') return `${name} AS c${i}`
    if (how === 'as texts') return `CAST(${name} AS VARCHAR) AS c${i}`
    if (isText(pair)) return `${decimalText(dialect, name, type, how)} AS c${i}`
    return `CAST(${name} AS DECIMAL(${MOST_DIGITS}, ${how.places})) AS c${i}`
  })
  return `SELECT ${['true AS _is', ...columns].join(', ')} FROM (${sql})`
}

/** A value in the order of numbers, where it is one. */
export const ordered = (pair: Pair, value: string): string =>
  isText(pair) && typeof comparisonOf(pair) === 'object' ? `CAST(${value} AS DOUBLE)` : value

/**
 * Rows that differ, paired by their keys: `a0`… and `b0`… are their values before and after, `_wa`
 * and `_wb` how often each is there, 0 or 1.
 */
export function byKeySql(
  dialect: Dialect,
  sides: SidesSql,
  pairs: readonly Pair[],
  key: readonly string[],
): string {
  const places = key.map((name) => pairs.findIndex((pair) => pair.name === name))
  const on = places.map((i) => `_x.c${i} IS NOT DISTINCT FROM _y.c${i}`).join(' AND ')
  const values = pairs.map((_, i) => `_x.c${i} AS a${i}, _y.c${i} AS b${i}`)
  const differs = pairs.flatMap((_, i) =>
    places.includes(i) ? [] : [`_x.c${i} IS DISTINCT FROM _y.c${i}`],
  )
  return `SELECT CASE WHEN _x._is THEN 1 ELSE 0 END AS _wa, CASE WHEN _y._is THEN 1 ELSE 0 END AS _wb, ${values.join(', ')}
    FROM (${compared(dialect, pairs, 'before', sides.before)}) AS _x
    FULL JOIN (${compared(dialect, pairs, 'name', sides.after)}) AS _y ON ${on}
    WHERE ${['_x._is IS NULL', '_y._is IS NULL', ...differs].join(' OR ')}`
}

/** The same without a key: rows that one side has more often; both values are that row's. */
export function byRowsSql(dialect: Dialect, sides: SidesSql, pairs: readonly Pair[]): string {
  const columns = pairs.map((_, i) => `c${i}`)
  const all = columns.length > 0 ? `, ${columns.join(', ')}` : ''
  const values = columns.map((c, i) => `, ${c} AS a${i}, ${c} AS b${i}`).join('')
  return `SELECT greatest(_na - _nb, 0) AS _wa, greatest(_nb - _na, 0) AS _wb${values} FROM (
      SELECT sum(_a) AS _na, sum(_b) AS _nb${all} FROM (
        SELECT 1 AS _a, 0 AS _b${all} FROM (${compared(dialect, pairs, 'before', sides.before)})
        UNION ALL SELECT 0, 1${all} FROM (${compared(dialect, pairs, 'name', sides.after)}))
      ${columns.length > 0 ? `GROUP BY ${columns.join(', ')}` : ''})
    WHERE _na <> _nb`
}

/**
 * SQL for how many keys of rows that only a side has are those of several of its rows, be it of
 * rows that the other side has as well.
 */
export function duplicatesSql(
  dialect: Dialect,
  sides: SidesSql,
  when: 'before' | 'after',
  { pairs, key }: { pairs: readonly Pair[]; key: readonly string[] },
): string {
  const [sql, side] =
    when === 'before' ? ([sides.before, when] as const) : ([sides.after, 'name'] as const)
  const keys = pairs.filter(({ name }) => key.includes(name))
  const columns = keys.map((_, i) => `c${i}`)
  const own = compared(dialect, keys, side, sql)
  const several = `SELECT ${columns.join(', ')} FROM (${own})
    GROUP BY ${columns.join(', ')} HAVING count(*) > 1`
  if (sides.common === undefined) return `SELECT count(*) AS n FROM (${several})`
  const same = columns.map((c) => `_x.${c} IS NOT DISTINCT FROM _y.${c}`).join(' AND ')
  return `SELECT count(*) AS n FROM (${several}
    UNION SELECT ${columns.map((c) => `_x.${c}`).join(', ')}
    FROM (SELECT DISTINCT ${columns.join(', ')} FROM (${own})) AS _x
    JOIN (${compared(dialect, keys, 'name', sides.common)}) AS _y ON ${same})`
}

/**
 * SQL for the sum of a side's values in rows that differ, as a text that `sumsOf` reads;
 * `undefined` where there is none.
 */
export function sumSql(
  { values, texts }: Dialect,
  pair: Pair,
  value: string,
  weight: string,
): string | undefined {
  const types = [pair.type, pair.typeBefore]
  if (!types.every(({ kind }) => numeric.includes(kind))) return undefined
  if (types.some(isFloat) || isText(pair)) {
    // What a side does not have must not be multiplied by 0, which an infinity makes NaN.
    const weighted = `CAST(${value} AS DOUBLE) * ${weight}`
    const none = `WHEN ${value} IS NOT NULL THEN 0`
    return `CAST(sum(CASE WHEN ${weight} > 0 THEN ${weighted} ${none} END) AS VARCHAR)`
  }
  // Without its point a decimal is a whole number of up to 38 digits: sums of its halves fit.
  const text = `CAST(${value} AS VARCHAR)`
  const digits = `CAST(${texts.replace(text, "'.'", "''")} AS ${values.wholeType})`
  const half = (sql: string) => `CAST(sum((${sql}) * ${weight}) AS VARCHAR)`
  const point = texts.position(text, "'.'")
  const scale = `CAST(max(CASE WHEN ${point} = 0 THEN 0 ELSE ${texts.length(text)} - ${point} END) AS VARCHAR)`
  return `${half(`${digits} // ${HALF}`)} || ':' || ${half(`${digits} % ${HALF}`)} || ':' || ${scale}`
}

const HALF = 10n ** 19n
/** Digits of a sum of floating point that do not depend on the order of rows. */
const STABLE = 12

/** Sums of both sides, with as many places behind the point on one as on the other. */
export function sumsOf(...texts: readonly [string | null, string | null]) {
  const sums = texts.map((text) => text?.split(':') ?? [])
  const most = Math.max(...sums.map(([, , scale]) => Number(scale ?? 0)))
  const [before = null, after = null] = sums.map(([high, low, scale]) => {
    if (high === undefined) return null
    if (low === undefined) return stable(high)
    const sum = (BigInt(high) * HALF + BigInt(low)) * 10n ** BigInt(most - Number(scale))
    const digits = String(sum < 0n ? -sum : sum).padStart(most + 1, '0')
    const [whole, part] = [
      digits.slice(0, digits.length - most),
      digits.slice(digits.length - most),
    ]
    return `${sum < 0n ? '-' : ''}${whole}${most > 0 ? `.${part}` : ''}`
  })
  return { before, after }
}

function stable(text: string): string {
  const value = Number(text)
  return Number.isFinite(value) ? String(Number(value.toPrecision(STABLE))) : text
}

const isFloat = ({ kind }: ColumnType) => kind === 'float' || kind === 'double'
