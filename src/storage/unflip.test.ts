import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { sha256 } from './checksum.js'
import { LONGEST, unflip } from './unflip.js'

it('undoes one flipped bit, wherever it is, and nothing else', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.nat(),
      fc.nat(),
      (bytes, first, second) => {
        const sum = sha256(bytes)
        const flip = (of: Uint8Array, bit: number) => {
          const at = bit % (bytes.length * 8)
          const flipped = Uint8Array.from(of)
          flipped[at >> 3] = (flipped[at >> 3] as number) ^ (1 << (at & 7))
          return flipped
        }
        const once = flip(bytes, first)
        expect(unflip(once, sum)).toEqual(bytes)
        const twice = flip(once, second)
        if (first % (bytes.length * 8) !== second % (bytes.length * 8))
          expect(unflip(twice, sum)).toBeUndefined()
      },
    ),
    { numRuns: 40 },
  )
  expect(unflip(randomBytes(LONGEST + 1), sha256(''))).toBeUndefined()
})
