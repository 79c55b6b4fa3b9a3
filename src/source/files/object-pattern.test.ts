import { describe, expect, it } from 'vitest'
import { objectPattern } from './object-pattern.js'

const meant = (pattern: string, keys: readonly string[]) => {
  const fits = objectPattern(pattern)?.among(keys)
  return fits ? keys.filter(fits) : undefined
}

describe('a pattern of keys', () => {
  const keys = ['in/a1.csv', 'in/a12.csv', 'in/b1.csv', 'in/ax.csv', 'in/sub/a1.csv', 'in/a1.txt']

  it.each<[string, string[]]>([
    ['in/a[0-9].csv', ['in/a1.csv']],
    ['in/a[0-9]*.csv', ['in/a1.csv', 'in/a12.csv']],
    ['in/[ab]1.csv', ['in/a1.csv', 'in/b1.csv']],
    ['in/a[!0-9].csv', ['in/ax.csv']],
    ['in/a[^0-9].csv', ['in/ax.csv']],
    ['in/**/a[0-9].{csv,txt}', ['in/a1.csv', 'in/sub/a1.csv', 'in/a1.txt']],
    ['in/{a?,b{1,2}}.csv', ['in/a1.csv', 'in/b1.csv', 'in/ax.csv']],
    ['in[/]a1.csv', []],
    ['in/a[9-0].csv', []],
  ])('%s', (pattern, expected) => {
    expect(meant(pattern, keys)).toEqual(expected)
  })

  it('has no classes in names that are there with brackets, as in folders', () => {
    expect(meant('in/orders[1].csv', ['in/orders[1].csv', 'in/orders1.csv'])).toEqual([
      'in/orders[1].csv',
    ])
    expect(meant('in/orders[1].csv', ['in/orders1.csv'])).toEqual(['in/orders1.csv'])
    expect(meant('in[1]', ['in[1]/a.csv', 'in1'])).toEqual(['in[1]/a.csv'])
    expect(meant('in[1]/*.csv', ['in[1]/a.csv', 'in1/a.csv'])).toEqual(['in[1]/a.csv'])
    expect(meant('in/(a+b)*[1].csv', ['in/(a+b)x1.csv'])).toEqual(['in/(a+b)x1.csv'])
  })

  it('is none without one of its characters', () => {
    expect(objectPattern('in/orders (1).csv')).toBeUndefined()
  })
})
