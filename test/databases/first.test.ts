import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Project, step } from '../support/project.js'
import { type Server, startPostgres } from '../support/servers.js'

let server: Server
let db: pg.Client
beforeAll(async () => {
  server = await startPostgres()
  db = new pg.Client(server.url)
  await db.connect()
}, 60000)
afterAll(async () => {
  await db.end()
  await server.stop()
})
it('works', async () => {
  await db.query(`create table orders (id int primary key, name text, amount numeric(12,2), updated_at timestamptz default now());
    insert into orders select i, case when i % 7 = 0 then null when i % 5 = 0 then '' else E'a"b,\\nc' || i end, i * 1.25 from generate_series(1, 20000) i`)
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { postgres } from 'moraine/sources'
const shop = postgres({ url: '${server.url}' })
const orders = silver('orders', { from: bronze('orders', { from: shop.table('public.orders', { key: 'id', cursor: 'updated_at' }) }),
  schema: z.object({ id: t.int(), name: t.string().nullable(), amount: t.decimal(12, 2), updated_at: t.timestamptz() }), key: 'id', cursor: 'updated_at' })
export default defineLake({ name: 'x', datasets: [orders] })
`,
  })
  const one = await project.run({ partBytes: 100_000 })
  console.log(JSON.stringify(one.steps, null, 1))
  expect(one.outcome).toBe('done')
  console.log(
    await project.query(
      'select count(*) n, count(name) c, sum(amount) s, min(updated_at) from silver.orders',
    ),
  )
  const two = await project.run({ partBytes: 100_000 })
  console.log(JSON.stringify(two.steps, null, 1))
  await db.query(
    "update orders set name = 'new' where id < 10; insert into orders values (30000, 'z', 1, now())",
  )
  const three = await project.run({ partBytes: 100_000 })
  console.log(JSON.stringify(three.steps, null, 1))
  console.log(
    await project.query("select count(*) n, count(*) filter (name='new') c from silver.orders"),
  )
}, 60000)
