import { expect, it } from 'vitest'
import { drawn, effortNamed, today } from './effort.js'

const cases = Array.from({ length: 40 }, (_, i) => i)

it('a sample is spread over all cases, and over some days each of them is drawn', () => {
  const found = new Set<number>()
  for (let day = today(); day < today() + 30; day++) {
    const sample = drawn(cases, 4, day)
    expect(sample.map((one) => Math.floor(one / 10))).toEqual([0, 1, 2, 3])
    for (const one of sample) found.add(one)
  }
  expect([...found].sort((a, b) => a - b)).toEqual(cases)
})

it('all are drawn where there are no more, or all are asked for, each once', () => {
  for (const count of [40, 41, Infinity]) expect(drawn(cases, count, 7)).toEqual(cases)
  expect(drawn([], 3)).toEqual([])
})

it('an effort that nobody knows is no effort', () => {
  expect(effortNamed()).toBe('sample')
  expect(() => effortNamed('al')).toThrow('one of sample, thorough, all')
})
