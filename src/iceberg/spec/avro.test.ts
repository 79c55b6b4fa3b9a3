import { expect, it } from 'vitest'
import { decodeContainer, encodeContainer } from './avro.js'

const sync = new Uint8Array(16).fill(7)

const schemaOf = (fields: readonly { name: string; type: string }[]) => ({
  type: 'record',
  name: 'manifest_entry',
  fields,
})

it('reads and writes each file by its own schema, however many of one name there were before', () => {
  // More than are remembered, and then the first ones again.
  const names = [...Array.from({ length: 250 }, (_, i) => `column_${i % 130}`), 'column_0']
  for (const [i, name] of names.entries()) {
    const type = ['long', 'string', 'boolean'][i % 3] as 'long' | 'string' | 'boolean'
    const value = { long: i, string: `text ${i}`, boolean: i % 2 === 0 }[type]
    const bytes = encodeContainer(schemaOf([{ name, type }]), {}, [{ [name]: value }], sync)
    expect({ ...(decodeContainer(bytes).records[0] as object) }).toEqual({ [name]: value })
  }
})

it('reads whole numbers beyond what a number holds, before and after others of the same schema', () => {
  const schema = schemaOf([{ name: 'id', type: 'long' }])
  const read = (id: number | bigint) => {
    const [record] = decodeContainer(encodeContainer(schema, {}, [{ id }], sync)).records
    return (record as { id: unknown }).id
  }
  for (const id of [1, 2n ** 62n, 3, -(2n ** 60n)]) expect(read(id)).toBe(id)
})

it('has fields of any names, as other writers leave letters of all languages in them', () => {
  const fields = [
    { name: 'größe', type: ['null', 'string'], 'field-id': 1000 },
    { name: '😀 x', type: 'long' },
    { name: 'plain', type: 'long' },
  ]
  const schema = { type: 'record', name: 'manifest_entry', fields }
  const record = { _field_1000: 'groß', _xD83D_xDE00_x20x: 2, plain: 3 }
  const bytes = encodeContainer(schema, {}, [record], sync)
  const { metadata, records } = decodeContainer(bytes)
  expect({ ...(records[0] as object) }).toEqual(record)
  expect(JSON.parse(metadata['avro.schema'] as string)).toEqual(schema)
})
