import { describe, expect, it } from 'vitest'
import { intervalFor, secondsFor } from './duration.js'

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
