import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { container, hostileAvro, long, text } from '../../../test/support/hostile-avro.js'
import { decodeContainer } from '../../iceberg/spec/avro.js'
import { avroRecords } from './avro.js'

const folder = await mkdtemp(join(tmpdir(), 'moraine-avro-'))
afterAll(() => rm(folder, { recursive: true }))

async function read(bytes: Uint8Array) {
  const path = join(folder, 'a.avro')
  await writeFile(path, bytes)
  const file = { path, name: 'a.avro', size: bytes.length, modified: 0 }
  const rows = []
  for await (const some of avroRecords(file, undefined)) rows.push(...some)
  return rows
}

it.each(Object.entries(hostileAvro))('refuses %s', async (_, { bytes, said }) => {
  await expect(read(bytes)).rejects.toMatchObject({
    kind: 'source',
    message: expect.stringContaining(said),
  })
})

it.each(Object.entries(hostileAvro))('a manifest with %s is an error too', (name, { bytes }) => {
  if (name.includes('snappy') || name.includes('UTF-8')) return
  expect(() => decodeContainer(bytes).records).toThrow()
})

it('reads records of lists, maps, choices and records in themselves', async () => {
  const schema = {
    type: 'record',
    name: 'a.node',
    fields: [
      { name: 'id', type: 'long' },
      { name: 'tags', type: { type: 'array', items: 'string' } },
      { name: 'of', type: { type: 'map', values: ['null', 'double'] } },
      { name: 'kind', type: { type: 'enum', name: 'kind', symbols: ['x', 'y'] } },
      { name: 'next', type: ['null', 'node'] },
    ],
  }
  // A list's block with a negative count says how many bytes it has.
  const tags = Buffer.concat([long(-1), long(3), text('öd').subarray(0, 4), long(0)])
  const of = Buffer.concat([long(1), text('k'), long(0), long(0)])
  const one = Buffer.concat([long(2n ** 62n), long(0), of, long(1)])
  const body = Buffer.concat([long(1), tags.fill(4, 1, 2), of, long(0), long(1), one, long(0)])
  const rows = await read(container(schema, { records: 1, body }))
  expect(rows.map(({ json }) => JSON.parse(json ?? ''))).toEqual([
    {
      id: '1',
      tags: ['öd'],
      of: { k: null },
      kind: 'x',
      next: { id: String(2n ** 62n), tags: [], of: { k: null }, kind: 'y', next: null },
    },
  ])
})

it('reads fields whose names have letters of all languages, as Java writes them', async () => {
  const inner = { type: 'record', name: 'inner', fields: [{ name: 'día', type: 'long' }] }
  const schema = {
    type: 'record',
    name: 'outer',
    fields: [
      { name: 'größe', type: 'string' },
      { name: '地域', type: ['null', inner], default: null },
      { name: 'of', type: { type: 'map', values: 'inner' } },
    ],
  }
  const of = Buffer.concat([long(1), text('_name0'), long(5), long(0)])
  const body = Buffer.concat([text('groß'), long(1), long(4), of])
  const [row] = await read(container(schema, { records: 1, body }))
  expect(JSON.parse(row?.json ?? '')).toEqual({
    größe: 'groß',
    地域: { día: '4' },
    of: { _name0: { día: '5' } },
  })
})
