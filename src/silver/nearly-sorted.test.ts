import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amount } from '../../test/support/effort.js'
import { seed } from '../../test/support/seed.js'
import { NearlySorted } from './nearly-sorted.js'

function candidatesOf(numbers: readonly number[], width: number): Set<number> {
  const sorted = new NearlySorted(width)
  for (const number of numbers) sorted.take(number)
  sorted.close()
  return new Set(sorted.candidates)
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
        const found = candidatesOf(all, width)
        expect(repeated(all).filter((n) => !found.has(n))).toEqual([])
      }),
      { seed, numRuns: amount(400, 2000) },
    )
  })

  it('are suspected where one does not fit in, and no others', () => {
    const sorted = Array.from({ length: 1000 }, (_, i) => i * 10)
    expect(candidatesOf(sorted, 1).size).toBe(0)
    // Again; far too high, in the middle; and what comes late, at the end.
    const dirty = sorted.toSpliced(700, 0, 900_000).toSpliced(500, 0, 4990)
    expect(candidatesOf([...dirty, 35, 1230], 1)).toEqual(new Set([4990, 900_000, 9990, 35, 1230]))
  })

  it('may come in any order within a group, many or few', () => {
    for (const size of [5, 24, 25, 60]) {
      const group = Array.from({ length: size }, (_, i) => (i * 7) % size)
      const lines = [0, 100, 200].flatMap((start) => group.map((n) => start + n))
      expect(candidatesOf(lines, 100).size).toBe(0)
      expect(candidatesOf(lines.toSpliced(size * 2, 0, 100 + (size - 1)), 100)).toEqual(
        new Set([100 + (size - 1)]),
      )
    }
  })

  it('are all suspected beyond what is remembered of a group', () => {
    const group = Array.from({ length: 30_000 }, (_, i) => (i * 7) % 30_000)
    const found = candidatesOf([...group, 0, 29_999], 30_000)
    expect(found.size).toBeGreaterThanOrEqual(20_000)
    expect(found.has(0) && found.has(29_999)).toBe(true)
  })
})
