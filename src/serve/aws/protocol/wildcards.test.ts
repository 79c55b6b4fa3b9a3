import { expect, it } from 'vitest'
import { hasInOrder } from './wildcards.js'

const matches = (pattern: string, name: string) => hasInOrder(name, pattern.split('*'))

it('finds names by what stands between any characters, in whatever case', () => {
  const names = ['daily', 'daily_revenue', 'Revenue', 'a', '']
  const found = (pattern: string) => names.filter((name) => matches(pattern, name))
  expect(found('daily')).toEqual(['daily'])
  expect(found('DAILY*')).toEqual(['daily', 'daily_revenue'])
  expect(found('*revenue')).toEqual(['daily_revenue', 'Revenue'])
  expect(found('d*y*e')).toEqual(['daily_revenue'])
  expect(found('*')).toEqual(names)
  expect(found('**')).toEqual(names)
  // What is looked for does not overlap.
  expect([matches('ab*ba', 'aba'), matches('ab*ba', 'abba'), matches('a*a*a', 'aa')]).toEqual([
    ...[false, true, false],
  ])
})

it('takes no longer for a pattern of many', () => {
  const began = performance.now()
  for (const pattern of [`${'*'.repeat(1000)}x`, `${'*a'.repeat(1000)}x`])
    expect(matches(pattern, 'a'.repeat(200))).toBe(false)
  expect(performance.now() - began).toBeLessThan(500)
})
