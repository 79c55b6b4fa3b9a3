import { describe, expect, it } from 'vitest'
import { MemoryStorage } from '../../storage/memory.js'
import { catalog } from './catalog.js'

const field = (id: number, name: string, type = 'long') => ({ id, name, required: false, type })
const schemaOf = (...fields: object[]) => ({ type: 'struct', fields })

async function lake(...namespaces: string[][]) {
  const app = catalog(new MemoryStorage(), { token: 'x' })
  const ask = async (method: string, path: string, body?: object) => {
    const headers = { authorization: 'Bearer x' }
    const init = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) }
    const answer = await app.request(`/v1/${path}`, init)
    const text = await answer.text()
    return { status: answer.status, json: (text ? JSON.parse(text) : undefined) as any }
  }
  for (const namespace of namespaces) await ask('POST', 'namespaces', { namespace })
  return ask
}

describe('a table of which Iceberg’s Java library would open nothing', () => {
  const days = { fields: [{ 'source-id': 2, name: 'at_day', transform: 'day' }] }
  const order = {
    'source-id': 1,
    transform: 'identity',
    direction: 'asc',
    'null-order': 'nulls-first',
  }

  it('is not created, nor made by a change of its columns', async () => {
    const ask = await lake(['ml'])
    const [id, at] = [field(1, 'id'), field(2, 'at', 'timestamp')]
    const table = {
      schema: schemaOf(id, at),
      'partition-spec': days,
      'write-order': { fields: [order] },
    }
    const named = { ...table, schema: schemaOf(id, at, field(3, 'at_day')) }
    const refused = await ask('POST', 'namespaces/ml/tables', { name: 'a', ...named })
    expect([refused.status, refused.json.error.message]).toEqual([
      400,
      'Partition at_day would have the name of another column of the table',
    ])
    expect((await ask('POST', 'namespaces/ml/tables', { name: 'a', ...table })).status).toBe(200)
    const reshape = (...fields: object[]) =>
      ask('POST', 'namespaces/ml/tables/a', {
        updates: [
          { action: 'add-schema', schema: schemaOf(...fields) },
          { action: 'set-current-schema', 'schema-id': -1 },
        ],
      })
    for (const [fields, why] of [
      [[id], /^The table is partitioned by column 2 \(at_day\), which it would have no more/],
      [[at], /^The table is sorted by column 1, which it would have no more/],
      [[id, at, field(3, 'at_day')], /^Partition at_day would have the name of another column/],
    ] as const) {
      const { status, json } = await reshape(...fields)
      expect([status, json.error.message]).toEqual([400, expect.stringMatching(why)])
    }
    expect((await reshape(id, { ...at, name: 'seen_at' }, field(3, 'day'))).status).toBe(200)
  })
})

it('changes tables in one commit whose names are the same but for where the dots stand', async () => {
  const ask = await lake(['a'], ['a.b'])
  const both = [
    { namespace: ['a'], name: 'b.c' },
    { namespace: ['a.b'], name: 'c' },
  ]
  for (const { namespace, name } of both)
    await ask('POST', `namespaces/${namespace}/tables`, { name, schema: schemaOf(field(1, 'id')) })
  const updates = [{ action: 'set-properties', updates: { seen: 'yes' } }]
  const change = (identifier: object) => ({ identifier, requirements: [], updates })
  const commit = { 'table-changes': both.map(change) }
  expect((await ask('POST', 'transactions/commit', commit)).status).toBe(204)
  for (const { namespace, name } of both) {
    const { json } = await ask('GET', `namespaces/${namespace}/tables/${name}`)
    expect(json.metadata.properties).toEqual({ seen: 'yes' })
  }
  const [one] = commit['table-changes']
  const twice = { 'table-changes': [one, one] }
  expect((await ask('POST', 'transactions/commit', twice)).status).toBe(400)
})

it('lists all names for a client that sends no token, which would ask for no other page', async () => {
  const ask = await lake(['ml'])
  for (const name of ['a', 'b', 'c'])
    await ask('POST', 'namespaces/ml/tables', { name, schema: schemaOf(field(1, 'id')) })
  const { json } = await ask('GET', 'namespaces/ml/tables?pageSize=2')
  expect(json.identifiers).toHaveLength(3)
  expect(json['next-page-token']).toBeNull()
})
