import type { Pushed } from '../pushdown.js'

/** Bounds of a column, each of them met by all rows that a query wants. */
interface Bounds {
  low: number
  high: number
}

const DAY = 86_400_000

/**
 * The days that rows can be of, as conditions on a column of times say: with one more on both
 * sides, as zones of constants are not looked at.
 */
export function daysOf(conditions: readonly Pushed[], column: string) {
  const { low, high } = boundsOf(conditions, column, timeOf)
  return {
    /** Whether rows of a day (`2026-01-31`) may be wanted. */
    has: (one: string) => {
      const begins = Date.parse(`${one}T00:00Z`)
      return !(begins + DAY <= low - DAY || begins > high + DAY)
    },
  }
}

/** The same of a column of whole numbers. */
export const numbersOf = (conditions: readonly Pushed[], column: string): Bounds =>
  boundsOf(conditions, column, (text) => (/^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN))

function boundsOf(
  conditions: readonly Pushed[],
  column: string,
  read: (text: string) => number,
): Bounds {
  let [low, high] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (const { column: of, op, values } of conditions) {
    const numbers = values.map(read)
    if (of.toLowerCase() !== column || numbers.length === 0 || numbers.some(Number.isNaN)) continue
    if (['=', '>', '>=', 'in'].includes(op)) low = Math.max(low, Math.min(...numbers))
    if (['=', '<', '<=', 'in'].includes(op)) high = Math.min(high, Math.max(...numbers))
  }
  return { low, high }
}

/** Milliseconds of a time as DuckDB reads it, give or take its zone. */
function timeOf(text: string): number {
  // What was before our era is written with its end.
  if (/bc/i.test(text)) return Number.NaN
  const [, day, time = '00:00'] = /^\s*(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d))?/.exec(text) ?? []
  return day === undefined ? Number.NaN : Date.parse(`${day}T${time}Z`)
}
