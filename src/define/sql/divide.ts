import type { Sql } from '../model.js'
import { described } from '../problems/described.js'
import { mistake } from '../problems/mistakes.js'
import { noSql, sql } from './sql.js'

/** Digits after the point that both sides may have. */
const DIGITS = 6

/**
 * SQL for an exact division of decimals or whole numbers, rounded half away from zero, as
 * `DECIMAL(38, scale)`. SQL's own `/` divides as doubles, so a mean of decimals is sometimes off by
 * a cent, and differs between engines. NULL if the divisor is zero.
 *
 * @param scale digits after the point of the result, at most 12. Both sides may have at most six;
 *   the dividend stays below 10^(30 - scale).
 * @example sql`select shop, ${divide(sql`sum(amount)`, sql`count(*)`, 2)} as mean from ${orders}
 *   group by shop`
 */
export function divide(dividend: Sql, divisor: Sql, scale: number): Sql {
  if (!Number.isInteger(scale) || scale < 0 || scale > 12) {
    mistake(
      `divide: scale is ${described(scale)}, but must be a whole number from 0 to 12`,
      undefined,
      'It is the number of digits after the point of the result.',
    )
    return noSql
  }
  const whole = (value: Sql) =>
    sql`CAST(CAST((${value}) AS DECIMAL(38, 6)) * ${10 ** DIGITS} AS HUGEINT)`
  const [a, b] = [whole(dividend), whole(divisor)]
  const scaled = sql`2 * abs(${a}) * ${10 ** scale} + abs(${b})`
  const quotient = sql`(${scaled}) // (2 * nullif(abs(${b}), 0)) * sign(${a}) * sign(${b})`
  const type = (digits: number) => ({
    kind: 'sql' as const,
    place: undefined,
    parts: [{ kind: 'text' as const, text: `DECIMAL(${digits}, ${scale})` }],
  })
  const unit = sql`CAST(${(10 ** -scale).toFixed(scale)} AS ${type(scale + 1)})`
  return sql`CAST(CAST(${quotient} AS DECIMAL(25, 0)) * ${unit} AS ${type(38)})`
}
