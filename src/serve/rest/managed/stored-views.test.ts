import { expect, it } from 'vitest'
import { CommitLog } from '../../../log/log.js'
import { MemoryStorage } from '../../../storage/memory.js'
import { catalog } from '../catalog.js'

const info = { author: 'ada', run: null, message: 'build gold.totals' }

it('a gold dataset that is stored as a query is a view, which can be read alone', async () => {
  const storage = new MemoryStorage()
  const log = new CommitLog(storage)
  const columns = [
    { name: 'day', type: 'date' },
    { name: 'tags', type: 'list<string>' },
    { name: 'total', type: 'decimal(38,2)' },
  ]
  const view = { sql: 'select * from silver.orders', columns, definition: {} }
  await log.commit(await log.head(), { views: { 'gold.totals': view } }, info)
  const app = catalog(storage, { token: 'x' })
  const ask = (method: string, path: string, body?: object, headers = {}) =>
    app.request(`/v1/namespaces${path}`, {
      method,
      headers: { authorization: 'Bearer x', ...headers },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
  const json = async (path: string) => (await (await ask('GET', path)).json()) as any
  expect((await json('/gold/views')).identifiers).toEqual([{ namespace: ['gold'], name: 'totals' }])
  expect((await json('/gold/tables')).identifiers).toEqual([])
  const found = await json('/gold/views/totals')
  expect(found.metadata.versions[0].representations).toEqual([
    { type: 'sql', sql: 'select * from silver.orders', dialect: 'duckdb' },
  ])
  expect(found.metadata.schemas[0].fields).toMatchObject([
    { name: 'day', type: 'date' },
    { name: 'tags', type: { type: 'list', element: 'string' } },
    { name: 'total', type: 'decimal(38, 2)' },
  ])
  // It is the same view after other commits.
  const etag = (await ask('GET', '/gold/views/totals')).headers.get('etag') as string
  await log.commit(await log.head(), { offsets: { a: { b: 1 } } }, info)
  const again = await ask('GET', '/gold/views/totals', undefined, { 'if-none-match': etag })
  expect(again.status).toBe(304)
  expect((await ask('HEAD', '/gold/views/totals')).status).toBe(204)
  expect((await ask('HEAD', '/gold/views/others')).status).toBe(404)
  for (const [method, body] of [
    ['DELETE', undefined],
    ['POST', { updates: [] }],
  ] as const) {
    const { error } = (await (await ask(method, '/gold/views/totals', body)).json()) as any
    expect(error.message).toContain('defined in lake.ts')
  }
})
