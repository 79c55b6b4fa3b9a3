import { expect, it } from 'vitest'
import { remembered } from './remembered.js'

const file = (name: string) => ({ name, size: 1, modified: 1, sha256: name })
const names = (there: readonly string[], most: number, all: readonly string[]) =>
  remembered(all.map(file), new Set(there), most).map(({ name }) => name)

it('knows the files that came last', () => {
  expect(names([], 2, ['a.csv', 'b.csv', 'c.csv'])).toEqual(['b.csv', 'c.csv'])
})

it('knows all files that a bucket still has, however many came since', () => {
  const all = ['in/a.csv', 'in/a.csv@0123abcd', 'in/b.zip/x/1.csv', 'in/c.csv', 'in/d.csv']
  const there = ['in/a.csv', 'in/b.zip']
  expect(names(there, 0, all)).toEqual(['in/a.csv', 'in/a.csv@0123abcd', 'in/b.zip/x/1.csv'])
  expect(names(there, 1, all)).toEqual([...all.slice(0, 3), 'in/d.csv'])
  expect(names(there, 2, all)).toEqual(all)
})
