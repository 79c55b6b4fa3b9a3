import { describe, expect, it } from 'vitest'
import { parsePoint, parseTime } from './point.js'

describe('a point in the history', () => {
  it.each([
    ['12', 12],
    ['0', 0],
    ['2026-01-31', '2026-01-31T00:00:00.000Z'],
    ['2026-01-31 12:30', '2026-01-31T12:30:00.000Z'],
    ['2026-01-31T12:30:15.5Z', '2026-01-31T12:30:15.500Z'],
    ['2026-01-31T12:30:15+01:00', '2026-01-31T11:30:15.000Z'],
    ['2026-11-21 08:29:08.397Z', '2026-11-21T08:29:08.397Z'],
  ])('is %s', (text, point) => {
    const parsed = parsePoint(text)
    expect(parsed instanceof Date ? parsed.toISOString() : parsed).toBe(point)
  })

  // JavaScript's dates read most of these as some day of 2001.
  it.each([
    '-1',
    '1.5',
    '1e3',
    '+4',
    '',
    ' 4',
    'yesterday',
    '2026-02-31',
    '2026-13-01',
    '31.1.2026',
    '1 2',
    '99999999999999999999',
  ])('is not %j', (text) => expect(parsePoint(text)).toBeUndefined())

  it('is no time when it is a number', () => expect(parseTime('2026')).toBeUndefined())
})
