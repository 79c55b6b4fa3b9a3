import type { Target } from './target.js'
import type { BoundType, Expression } from './tree.js'

/** What an error says of a day or a time that engines count otherwise, behind its value. */
export const OUTSIDE = 'is not of the years 1 to 9999'

/** The first and the last day that all engines count, and write, alike. */
const FIRST = '0001-01-01'
const LAST = '9999-12-31'

/** Days and microseconds since 1970 of these days, from the first until the end of the last. */
const DAY = 86_400_000_000n
const [first, last] = [-719_162n, 2_932_896n]

/** Whether days or microseconds since 1970, the least and the greatest, are of these years. */
export function areOfYears(type: 'date' | 'timestamp', least: bigint, greatest: bigint): boolean {
  return type === 'date'
    ? least >= first && greatest <= last
    : least >= first * DAY && greatest < (last + 1n) * DAY
}

export const isTime = ({ id }: BoundType) => id === 'date' || id === 'timestamp'

/**
 * A day or a time to count with. `infinity` is one that DuckDB knows and others take for a day of
 * the year 5,881,580: such values end the query.
 */
export function ofYears(value: string, type: BoundType, target: Target): string {
  const [from, until] = type.id === 'date' ? ['', ''] : [' 00:00:00', ' 23:59:59.999999']
  const bounds = [FIRST + from, LAST + until].map((one) => target.constant(one, type))
  const told = `CAST(${value} AS ${target.type({ id: 'varchar' })}) || ${target.text(` ${OUTSIDE}`)}`
  return `CASE WHEN ${value} NOT BETWEEN ${bounds.join(' AND ')} THEN ${target.fail(told, type)} ELSE ${value} END`
}

/** Whether an expression can only give what was held to these years already. */
export function isOfYears(one: Expression, counting: ReadonlySet<string>): boolean {
  if (one.is === 'constant') return true
  return one.is === 'cast' ? isTime(one.of.type) : one.is === 'call' && counting.has(one.name)
}
