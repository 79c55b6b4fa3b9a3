import fc from 'fast-check'
import { expect, it } from 'vitest'
import { seed } from '../../test/support/seed.js'
import { takeMistakes } from './problems/mistakes.js'
import {
  after,
  byHand,
  cron,
  every,
  lastTime,
  manual,
  nextTime,
  scheduleProblem,
} from './schedule.js'

const at = (text: string) => new Date(text)

it('counts intervals from midnight, so that all processes mean the same times', () => {
  expect(nextTime(every('15m'), at('2026-03-01T10:07:00Z'))).toEqual(at('2026-03-01T10:15:00Z'))
  expect(nextTime(every('15m'), at('2026-03-01T10:15:00Z'))).toEqual(at('2026-03-01T10:30:00Z'))
  expect(nextTime(every('1d'), at('2026-03-01T10:15:00Z'))).toEqual(at('2026-03-02T00:00:00Z'))
})

it('runs a time that a change of the clocks leaves out once, and one that comes twice once', () => {
  const berlin = cron('30 2 * * *', { timezone: 'Europe/Berlin' })
  const times = (from: string, n: number) => {
    const found: string[] = []
    for (let time: Date | undefined = at(from); found.length < n && time; ) {
      time = nextTime(berlin, time)
      if (time) found.push(time.toISOString())
    }
    return found
  }
  // 02:30 does not exist on 29 March 2026, and comes twice on 25 October.
  const spring = times('2026-03-28T00:00:00Z', 3)
  expect(spring[0]).toBe('2026-03-28T01:30:00.000Z')
  expect(spring[1]?.slice(0, 10)).toBe('2026-03-29')
  expect(spring[2]).toBe('2026-03-30T00:30:00.000Z')
  const autumn = times('2026-10-24T00:00:00Z', 3)
  expect(autumn.map((time) => time.slice(0, 10))).toEqual([
    '2026-10-24',
    '2026-10-25',
    '2026-10-26',
  ])
})

it('finds the last time that has passed, whatever lies between', () => {
  const patterns = ['* * * * *', '*/7 * * * *', '0 */3 * * *', '15 4 * * 1', '0 0 1 * *']
  const schedule = fc.oneof(
    fc.constantFrom(...patterns).map((pattern) => cron(pattern)),
    fc.constantFrom('30s', '7m', '3h', '2d').map((interval) => every(interval)),
  )
  const start = Date.parse('2026-01-01T00:00:00Z')
  const moment = fc.integer({ min: start, max: start + 90 * 86_400_000 })
  fc.assert(
    fc.property(schedule, moment, moment, (when, a, b) => {
      const [from, until] = [new Date(Math.min(a, b)), new Date(Math.max(a, b))]
      const last = lastTime(when, from, until)
      const next = nextTime(when, last ?? from)
      // There is none between it and the end.
      expect(next === undefined || next > until).toBe(true)
      if (last) expect(last > from && last <= until).toBe(true)
      // It is a time of the schedule.
      if (last) expect(nextTime(when, new Date(last.getTime() - 1))).toEqual(last)
    }),
    { seed, numRuns: 200 },
  )
})

it('tells what is wrong with it', () => {
  expect(scheduleProblem(cron('61 * * * *'))).toMatch(
    /^cron\('61 \* \* \* \*'\) is not a cron expression/,
  )
  expect(scheduleProblem(cron('* * * * *', { timezone: 'Mars/Olympus' }))).toMatch(
    /^timezone: 'Mars\/Olympus' is not a time zone name, such as 'Europe\/Berlin' or 'UTC'$/,
  )
  expect(scheduleProblem(cron('0 6 * * *', { timezone: 'Europe/Berln' }))).toMatch(
    /^timezone: 'Europe\/Berln' is not .*; did you mean 'Europe\/Berlin'\?$/,
  )
  expect(scheduleProblem(cron('2100-01-01T06:00:00'))).toBe(
    "cron('2100-01-01T06:00:00') is not a cron expression: it is one moment",
  )
  expect(scheduleProblem(cron('0 6 31 2 *'))).toMatch(/^cron\('0 6 31 2 \*'\) never fires/)
  expect(scheduleProblem(cron('0 6 29 2 *', { timezone: 'Europe/Berlin' }))).toBeUndefined()
  expect(scheduleProblem(every('5m', { jitter: '1h' }))).toBe(
    "jitter '1h' is longer than the interval '5m'",
  )
  expect(scheduleProblem(every('5m', { jitter: '5m' }))).toBeUndefined()
  takeMistakes()
  expect(scheduleProblem(after('orders' as never))).toBeUndefined()
  expect(takeMistakes()).toHaveLength(1)
  expect(scheduleProblem(every('soon'))).toMatch(/is not a duration/)
  expect(scheduleProblem(every('5m', { timeout: 'long' }))).toMatch(
    /^timeout 'long' is not a duration/,
  )
  expect(scheduleProblem(every('5m', { retries: -1 }))).toMatch(/^retries/)
})

it('manual() was called byHand(), which still gives the same', () => {
  expect(byHand()).toEqual(manual())
})
