import { describe, expect, it } from 'vitest'
import { intervalFor, momentFor, secondsFor, spanOf } from './duration.js'

describe('a duration on the command line', () => {
  it('is written as in every(…), or in seconds', () => {
    for (const [text, seconds] of [
      ['2s', 2],
      ['10', 10],
      ['5m', 300],
      ['1h', 3600],
      ['1d', 86_400],
    ] as const)
      expect(intervalFor('--every', text)).toBe(seconds)
    expect(secondsFor('--grace', '7d')).toBe(7 * 86_400)
  })

  it.each(['0', '0s', '-1', 'soon', '', '2d', '1e3', '2.5'])('is not %j', (text) => {
    expect(() => intervalFor('--every', text)).toThrow(/is not a duration of up to a day/)
  })
})

describe('a moment on the command line', () => {
  const now = new Date('2026-02-01T12:00:00Z')

  it('is a time, or how long ago it was', () => {
    for (const [text, time] of [
      ['2026-01-31', '2026-01-31T00:00:00.000Z'],
      ['2026-01-31T12:00:00+01:00', '2026-01-31T11:00:00.000Z'],
      ['12h', '2026-02-01T00:00:00.000Z'],
      ['90m', '2026-02-01T10:30:00.000Z'],
      ['7d', '2026-01-25T12:00:00.000Z'],
      ['2 weeks', '2026-01-18T12:00:00.000Z'],
    ] as const)
      expect(momentFor('--since', text, now).toISOString()).toBe(time)
  })

  it.each(['yesterday', '', '12', '-1d', '2026-02-31', '999999999w'])('is not %j', (text) => {
    expect(() => momentFor('--since', text, now)).toThrow(/is neither a time nor a duration/)
  })

  it('ends after it has begun', () => {
    expect(() => spanOf({ since: '1d', until: '2d' })).toThrow('--until 2d is not after --since 1d')
    expect(Object.keys(spanOf({ since: '2d', until: '1d' }))).toEqual(['from', 'to'])
  })
})
