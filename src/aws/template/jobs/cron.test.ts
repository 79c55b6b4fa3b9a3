import { next, parse } from 'aws-cron-parser'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seed } from '../../../../test/support/seed.js'
import { nextTime } from '../../../define/schedule.js'
import { expressionOf } from './cron.js'

const START = new Date('2026-02-26T23:59:30Z')

/** The next times of an expression of AWS, by a parser that is none of ours. */
function timesOf(expression: string, count: number): string[] {
  const parsed = parse(/^cron\((.*)\)$/.exec(expression)?.[1] ?? '')
  const found: string[] = []
  let at: Date | null | undefined = START
  while (found.length < count) {
    at = next(parsed, at)
    if (!at) break
    found.push(at.toISOString())
  }
  return found
}

function ownTimes(when: Parameters<typeof nextTime>[0], count: number): string[] {
  const found: string[] = []
  let at: Date | undefined = START
  while (found.length < count) {
    at = nextTime(when, at)
    if (!at) break
    found.push(at.toISOString())
  }
  return found
}

/** A field of a pattern: all, a number, a range, a list, steps. */
function field(first: number, last: number): fc.Arbitrary<string> {
  const number = fc.integer({ min: first, max: last })
  const range = fc.tuple(number, number).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`)
  const steps = fc.integer({ min: 1, max: last }).map((step) => `${first}-${last}/${step}`)
  const list = fc.array(fc.oneof(number.map(String), range), { minLength: 1, maxLength: 3 })
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant('*') },
    number.map(String),
    range,
    steps,
    list.map((items) => items.join(',')),
  )
}

// The other parser takes the 31st of February for a day of March.
const days = fc.oneof(
  fc.tuple(field(1, 28), fc.constant('*')),
  fc.tuple(fc.constant('*'), field(0, 6)),
  fc.constantFrom(
    ['L', '*'],
    ['15W', '*'],
    ['*', '5#2'],
    ['*', '1L'],
    ['*', 'MON-FRI'],
    ['*', '7'],
  ),
)

describe('a schedule on AWS', () => {
  it('has the times that it has everywhere else', () => {
    const pattern = fc
      .tuple(field(0, 59), field(0, 23), days, field(1, 12))
      .map(([minute, hour, [day, weekday], month]) => [minute, hour, day, month, weekday].join(' '))
    fc.assert(
      fc.property(pattern, (text) => {
        const when = { kind: 'cron', pattern: text } as const
        const said = expressionOf(when)
        // Long lists are refused, never cut.
        if ('problem' in said) expect(said.problem).toContain('characters')
        else expect(timesOf(said.expression, 12)).toEqual(ownTimes(when, 12))
      }),
      { seed, numRuns: 300 },
    )
  })

  it.each(['1m', '5m', '20m', '1h', '2h', '8h', '1d', '7d'])('runs every %s', (interval) => {
    const when = { kind: 'every', interval } as const
    const said = expressionOf(when)
    if ('problem' in said) throw new Error(said.problem)
    expect(timesOf(said.expression, 30)).toEqual(ownTimes(when, 30))
  })

  it.each([
    ['30s', /no seconds/],
    ['7m', /counts other intervals/],
    ['90m', /counts other intervals/],
    ['2d', /counts other intervals/],
  ])('refuses every %s, and says why', (interval, why) => {
    const said = expressionOf({ kind: 'every', interval })
    expect('problem' in said && said.problem).toMatch(why)
  })

  it.each([
    ['*/10 * * * * *', 'UTC', /has seconds/],
    ['0 6 1 * MON', 'UTC', /on either/],
    ['0 6 * * MON#1,WED#2', 'UTC', /takes one/],
    // Clocks go from 2 to 3 there.
    ['30 2 * * *', 'Europe/Berlin', /does not exist in Europe\/Berlin on 2026-03-29/],
    ['30 2 * * *', 'America/New_York', /does not exist in America\/New_York on 2026-03-08/],
  ])('refuses %s in %s, and says why', (pattern, timezone, why) => {
    const said = expressionOf({ kind: 'cron', pattern, timezone })
    expect('problem' in said && said.problem).toMatch(why)
  })

  it.each([
    ['30 3 * * *', 'Europe/Berlin'],
    ['0 * * * *', 'Europe/Berlin'],
    ['30 2 * * *', 'Asia/Tokyo'],
    ['30 2 * * MON', 'Europe/Berlin'],
  ])('takes %s in %s', (pattern, timezone) => {
    expect(expressionOf({ kind: 'cron', pattern, timezone })).toMatchObject({ timezone })
  })
})
