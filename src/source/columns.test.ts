import { expect, it } from 'vitest'
import { namesOfHeader } from './columns.js'

const file = { name: 'export.csv' }
const named = (header: string[], columns?: string[]) => namesOfHeader(header, { columns }, file)

it('names that begin with _ have an x before them, as in JSON and Parquet', () => {
  expect(named(['_id', 'name', '_airbyte_raw_id'])).toEqual(['x_id', 'name', 'x_airbyte_raw_id'])
})

it('declared names are found for them by either name, or in order where all are declared', () => {
  expect(named(['_id', 'name'], ['x_id', 'name'])).toEqual(['x_id', 'name'])
  expect(named(['_id', 'name'], ['mongo_id', 'name'])).toEqual(['mongo_id', 'name'])
  expect(named(['_id', '', 'name'], ['row'])).toEqual(['x_id', 'row', 'name'])
})

it('a name is never given to two columns', () => {
  expect(() => named(['_id', 'x_id'])).toThrow("the column name '_id' appears twice")
  expect(() => named(['_id', '_ID'])).toThrow("the column name '_ID' appears twice")
})
