import type { Check } from './checks.js'
import type { Compiling } from './functions.js'

/**
 * The moment at which the clocks of a zone show a local time. Clocks that are put forward skip
 * times, and those that are put back show times twice: such a time is no moment, unless it is said
 * which is meant.
 *
 * The offset changes at most once in two days, so that the offsets a day before and a day after are
 * the only candidates.
 */
export function locate(
  local: string,
  zone: string,
  ambiguous: 'earlier' | 'later' | undefined,
  on: Compiling,
): { moment: string; doubts: Check[] } {
  const { days, inZone } = on.dialect.times
  const bind = (sql: string) => on.bind(sql)
  const candidate = (shift: string) => {
    const near = `(${local} ${shift} ${days(1)})`
    const offset = bind(`${inZone(zone, inZone("'UTC'", near))} - ${near}`)
    const moment = bind(inZone("'UTC'", `${local} - ${offset}`))
    return { moment, isShown: `${inZone(zone, moment)} = ${local}` }
  }
  const [one, other] = [candidate('-'), candidate('+')]
  const first = bind(one.isShown)
  const second = bind(other.isShown)
  const isTwice = `${first} AND ${second} AND ${one.moment} <> ${other.moment}`
  const chosen =
    ambiguous === undefined
      ? 'NULL'
      : `${ambiguous === 'earlier' ? 'least' : 'greatest'}(${one.moment}, ${other.moment})`
  const never = {
    fails: `${local} IS NOT NULL AND ${zone} IS NOT NULL AND NOT (${first} OR ${second})`,
    reason: 'a local time skipped by a clock change',
  }
  const twice = {
    fails: isTwice,
    reason:
      "a local time that occurs twice at a clock change (set ambiguous: 'earlier' or 'later')",
  }
  return {
    moment: `CASE WHEN ${isTwice} THEN ${chosen} WHEN ${first} THEN ${one.moment} WHEN ${second} THEN ${other.moment} END`,
    doubts: ambiguous === undefined ? [never, twice] : [never],
  }
}
