import { expect, it } from 'vitest'
import { namesOfHeader } from './columns.js'

const file = { name: 'export.csv' }
const named = (header: string[], columns?: string[]) =>
  namesOfHeader(header, { columns }, file).columns

it('names that begin with _ have an x before them, as in JSON and Parquet', () => {
  expect(named(['_id', 'name', '_airbyte_raw_id'])).toEqual(['x_id', 'name', 'x_airbyte_raw_id'])
})

it('declared names are found for them by either name, or in order where all are declared', () => {
  expect(named(['_id', 'name'], ['x_id', 'name'])).toEqual(['x_id', 'name'])
  expect(named(['_id', 'name'], ['mongo_id', 'name'])).toEqual(['mongo_id', 'name'])
  expect(named(['_id', '', 'name'], ['row'])).toEqual(['x_id', 'row', 'name'])
})

it('a name is never given to two columns, and no column is left out', () => {
  for (const header of [
    ['_id', 'x_id'],
    ['_id', '_ID'],
    ['a', 'a', 'A'],
    ['a', 'a_1', 'A'],
  ]) {
    const names = named(header)
    expect(names).toHaveLength(header.length)
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(header.length)
  }
})
