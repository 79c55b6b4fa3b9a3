import { expect, it } from 'vitest'
import { KeptEntries } from './kept-entries.js'

it('forgets what nobody asked for longest, once there is too much', () => {
  const kept = new KeptEntries(10)
  const dropped: string[] = []
  const entries = new Map(['a', 'b', 'c', 'd'].map((name) => [name, { name }]))
  const use = (name: string, count: number) =>
    kept.use(entries.get(name) as object, { count, drop: () => dropped.push(name) })
  use('a', 4)
  use('b', 4)
  use('a', 4)
  expect(dropped).toEqual([])
  use('c', 4)
  expect(dropped).toEqual(['b'])
  // One that is too large alone is kept all the same while it is the newest.
  use('d', 50)
  expect(dropped).toEqual(['b', 'a', 'c'])
  use('b', 1)
  expect(dropped).toEqual(['b', 'a', 'c', 'd'])
})
