import type { Check } from './checks.js'

/**
 * The moment at which the clocks of a zone show a local time. Clocks that are put forward skip times, and
 * those that are put back show times twice: such a time is no moment, unless it is said which is meant.
 *
 * The offset changes at most once in two days, so that the offsets a day before and a day after are the only candidates.
 */
export function locate(
  local: string,
  zone: string,
  ambiguous: 'earlier' | 'later' | undefined,
  bind: (sql: string) => string,
): { moment: string; doubts: Check[] } {
  const candidate = (shift: string) => {
    const near = `(${local} ${shift} INTERVAL 1 DAY)`
    const offset = bind(`timezone(${zone}, timezone('UTC', ${near})) - ${near}`)
    const moment = bind(`timezone('UTC', ${local} - ${offset})`)
    return { moment, isShown: `timezone(${zone}, ${moment}) = ${local}` }
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
    reason: 'a time that its clocks skipped, when they were put forward',
  }
  const twice = {
    fails: isTwice,
    reason:
      "a time that its clocks showed twice, when they were put back (ambiguous: 'earlier' or 'later' decides)",
  }
  return {
    moment: `CASE WHEN ${isTwice} THEN ${chosen} WHEN ${first} THEN ${one.moment} WHEN ${second} THEN ${other.moment} END`,
    doubts: ambiguous === undefined ? [never, twice] : [never],
  }
}
