import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amount } from '../../test/support/effort.js'
import { seed } from '../../test/support/seed.js'
import { Rising } from './nearly-sorted.js'

function suspectsOf(numbers: readonly number[], width: number): Set<number> {
  const rising = new Rising(width)
  for (const number of numbers) rising.take(number)
  rising.close()
  return new Set(rising.suspects)
}

function repeated(numbers: readonly number[]): number[] {
  const seen = new Set<number>()
  return numbers.filter((n) => seen.has(n) || !seen.add(n))
}

describe('numbers that rise by and large', () => {
  it('never hide one that comes more than once', () => {
    const numbers = fc.array(fc.oneof(fc.nat(20), fc.nat(1000)), { maxLength: 200 })
    fc.assert(
      fc.property(numbers, fc.constantFrom(1, 2, 7, 100, 10_000), (all, width) => {
        const found = suspectsOf(all, width)
        expect(repeated(all).filter((n) => !found.has(n))).toEqual([])
      }),
      { seed, numRuns: amount(400, 2000) },
    )
  })

  it('are suspected where one does not fit in, and no others', () => {
    const rising = Array.from({ length: 1000 }, (_, i) => i * 10)
    expect(suspectsOf(rising, 1).size).toBe(0)
    // Again; far too high, in the middle; and what comes late, at the end.
    const dirty = rising.toSpliced(700, 0, 900_000).toSpliced(500, 0, 4990)
    expect(suspectsOf([...dirty, 35, 1230], 1)).toEqual(new Set([4990, 900_000, 9990, 35, 1230]))
  })

  it('may come in any order within a group, many or few', () => {
    for (const size of [5, 24, 25, 60]) {
      const group = Array.from({ length: size }, (_, i) => (i * 7) % size)
      const lines = [0, 100, 200].flatMap((start) => group.map((n) => start + n))
      expect(suspectsOf(lines, 100).size).toBe(0)
      expect(suspectsOf(lines.toSpliced(size * 2, 0, 100 + (size - 1)), 100)).toEqual(
        new Set([100 + (size - 1)]),
      )
    }
  })

  it('are all suspected beyond what is remembered of a group', () => {
    const group = Array.from({ length: 30_000 }, (_, i) => (i * 7) % 30_000)
    const found = suspectsOf([...group, 0, 29_999], 30_000)
    expect(found.size).toBeGreaterThanOrEqual(20_000)
    expect(found.has(0) && found.has(29_999)).toBe(true)
  })
})
