import fc from 'fast-check'
import { expect, it } from 'vitest'
import { seed } from '../../../test/support/seed.js'
import { type Key, namesOf } from './names.js'

const name = fc.oneof(
  fc.constantFrom('id', 'Id', 'ID', 'iD', '_id', 'x_id', 'X_id', 'id_1', 'ID_1', 'id_2', '', 'x'),
  fc.string({ maxLength: 3 }),
)
const key = fc.tuple(name, fc.nat(2)).map((pair): Key => pair)
const keys = fc.uniqueArray(key, { maxLength: 12, selector: (pair) => pair.join('\n') })

it('no two keys have a name that is one to the engine, and none begins with _', () => {
  fc.assert(
    fc.property(keys, (all) => {
      const names = namesOf(all).map(([column]) => column.toLowerCase())
      expect(names).toHaveLength(all.length)
      expect(new Set(names).size).toBe(all.length)
      expect(names.filter((column) => column === '' || column.startsWith('_'))).toEqual([])
    }),
    { seed },
  )
})

it('a key that stands alone keeps its name', () => {
  const names = namesOf([
    ['userId', 0],
    ['ID', 0],
    ['_id', 0],
    ['', 0],
  ])
  expect(names.map(([column]) => column)).toEqual(['userId', 'ID', 'x_id', 'x'])
})
