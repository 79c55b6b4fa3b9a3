import fc from 'fast-check'
import { expect, it } from 'vitest'
import { seed } from '../../test/support/seed.js'
import { bytesOf, sizeText } from './size.js'

it.each([
  ['512MiB', 2 ** 29],
  ['2GB', 2e9],
  ['1.5 GiB', 1.5 * 2 ** 30],
  ['0B', 0],
  ['10kb', 10_000],
  ['1TiB', 2 ** 40],
  ['2', undefined],
  ['GB', undefined],
  ['-1GB', undefined],
  ['1e3MB', undefined],
  ['1 PB', undefined],
  ['', undefined],
])('%s is %s bytes', (text, bytes) => {
  expect(bytesOf(text)).toBe(bytes)
})

it('reads what it writes, to the last digit that is shown', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (bytes) => {
      const read = bytesOf(sizeText(bytes)) as number
      expect(Math.abs(read - bytes)).toBeLessThanOrEqual(Math.max(bytes * 0.05, 0))
    }),
    { numRuns: 200, seed },
  )
})
