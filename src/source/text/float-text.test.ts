import fc from 'fast-check'
import { expect, it } from 'vitest'
import { seed } from '../../../test/support/seed.js'
import { shortFloat } from './float-text.js'

it('writes a number of 32 bits in the fewest digits that give it back', () => {
  expect(
    [1.1, 0.1, 16_777_217, 3, -2.5e-7, 3.4028235e38, 1e-45].map(Math.fround).map(shortFloat),
  ).toEqual([1.1, 0.1, 16_777_216, 3, -2.5e-7, 3.4028235e38, 1e-45])
  fc.assert(
    fc.property(fc.float(), (value) => {
      const short = shortFloat(value)
      expect(Math.fround(short)).toBe(value)
      expect(String(short).length).toBeLessThanOrEqual(String(value).length)
    }),
    { seed, numRuns: 2000 },
  )
})
