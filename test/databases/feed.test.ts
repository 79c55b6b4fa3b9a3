import pg from 'pg'
import { expect, it } from 'vitest'
import { Project, step } from '../support/project.js'
import { postgresPrograms, startPostgres } from '../support/servers.js'
import { withService } from '../support/services.js'

withService('PostgreSQL', [postgresPrograms], () => {
  it('lays new rows into an inbox as files, only when it is asked to, and each once', async () => {
    const server = await startPostgres()
    const client = new pg.Client(server.url)
    await client.connect()
    try {
      await client.query(
        'CREATE TABLE orders (id int PRIMARY KEY, amount numeric, note text, changed timestamptz NOT NULL DEFAULT now())',
      )
      await client.query(
        "INSERT INTO orders VALUES (1, 1.5, 'a\"b\nc'), (2, 1e20, NULL), (3, -7, '')",
      )
      const project = await Project.create({
        'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { inbox, postgres } from 'moraine/sources'
const feed = postgres({ url: '${server.url}' }).table('orders', { key: 'id', cursor: 'changed' })
const raw = bronze('orders', { from: inbox({ settle: '20ms', feed }), archive: true })
const orders = silver('orders', { from: raw, schema: z.object({ id: t.int(), amount: t.decimal(30, 2), note: z.string().nullable() }) })
export default defineLake({ name: 'shop', datasets: [orders] })
`,
      })
      expect(step(await project.run({ feeds: false }), 'bronze.orders').outcome).toBe('unchanged')
      const first = await project.run()
      expect(step(first, 'bronze.orders').rows).toBe(3)
      expect(await project.query('SELECT id, amount, note FROM silver.orders ORDER BY id')).toEqual(
        [
          { id: 1, amount: '1.50', note: 'a"b\nc' },
          { id: 2, amount: '100000000000000000000.00', note: null },
          { id: 3, amount: '-7.00', note: '' },
        ],
      )
      const idle = await project.run()
      expect(step(idle, 'silver.orders').outcome).toBe('unchanged')
      expect(step(idle, 'bronze.orders').reason).toBe('its feed has no rows with a newer changed')
      await client.query('UPDATE orders SET amount = 9, changed = clock_timestamp() WHERE id = 1')
      await project.run({ feeds: false })
      expect((await project.query('SELECT count(*) AS n FROM silver.orders'))[0]?.n).toBe(3n)
      await project.run()
      await project.run()
      expect((await project.query('SELECT count(*) AS n FROM silver.orders'))[0]?.n).toBe(4n)
      const archived = await project.storage.list('archive/orders/files/')
      expect(archived.length).toBe(2)
      expect(await project.storage.list('bronze/landing/')).toEqual([])
      expect((await project.cli('verify', '--deep')).code).toBe(0)
    } finally {
      await client.end()
      await server.stop()
    }
  })

  it('lays rows down whose time programs set, and those that lie after now, each once', async () => {
    const server = await startPostgres()
    const client = new pg.Client(server.url)
    await client.connect()
    try {
      await client.query('CREATE TABLE orders (id int, changed timestamp)')
      const project = await Project.create({
        'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { inbox, postgres } from 'moraine/sources'
const feed = postgres({ url: '${server.url}' }).table('orders', { cursor: 'changed' })
const raw = bronze('orders', { from: inbox({ settle: '20ms', feed }) })
export default defineLake({ name: 'shop', datasets: [silver('orders', { from: raw, schema: z.object({ id: t.int() }) })] })
`,
      })
      const run = async (rows: string) => {
        await client.query(`INSERT INTO orders VALUES ${rows}`)
        await project.run()
        await project.run()
        const found = await project.query('SELECT id FROM silver.orders ORDER BY id')
        return found.map(({ id }) => id)
      }
      expect(await run("(1, '2024-07-31 08:00:00'), (2, 'infinity')")).toEqual([1, 2])
      expect(await run("(3, '2024-08-01 08:00:00'), (4, '2024-07-31 08:00:00')")).toEqual([
        1, 2, 3, 4,
      ])
      expect(await run("(5, '2024-08-01 08:00:00'), (6, NULL)")).toEqual([1, 2, 3, 4, 5, 6])
    } finally {
      await client.end()
      await server.stop()
    }
  })

  it('lays a large table down in groups of ranges, and loses no group', async () => {
    const server = await startPostgres()
    const client = new pg.Client(server.url)
    await client.connect()
    try {
      await client.query(
        "CREATE TABLE orders AS SELECT n AS id, now() - n * interval '1 minute' AS changed FROM generate_series(1, 30000) n",
      )
      const project = await Project.create({
        'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { inbox, postgres } from 'moraine/sources'
const feed = postgres({ url: '${server.url}' }).table('orders', { key: 'id', cursor: 'changed' })
const raw = bronze('orders', { from: inbox({ settle: '20ms', feed }) })
export default defineLake({ name: 'shop', datasets: [silver('orders', { from: raw, schema: z.object({ id: t.int() }) })] })
`,
      })
      await project.run({ partBytes: 32_768 })
      const { watermarks } = await project.state()
      // Several commits, or there were no groups that could be lost.
      expect(
        (watermarks['bronze.orders_feed'] as { feedCommits: number }).feedCommits,
      ).toBeGreaterThan(2)
      await project.run({ partBytes: 32_768 })
      await client.query('INSERT INTO orders VALUES (30001, clock_timestamp())')
      await project.run()
      await project.run()
      const [sum] = await project.query('SELECT count(*) AS n, sum(id) AS s FROM silver.orders')
      expect(sum).toEqual({ n: 30_001n, s: BigInt((30_001 * 30_002) / 2) })
      expect(await project.storage.list('bronze/landing/')).toEqual([])
    } finally {
      await client.end()
      await server.stop()
    }
  })

  it('reads on under the new name of its dataset, and after a rollback under the old one; after a drop it begins anew', async () => {
    const server = await startPostgres()
    const client = new pg.Client(server.url)
    await client.connect()
    try {
      await client.query('CREATE TABLE orders (id int, changed timestamptz DEFAULT now())')
      const definition = (name: string) => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { inbox, postgres } from 'moraine/sources'
const feed = postgres({ url: '${server.url}' }).table('orders', { cursor: 'changed' })
const raw = bronze('${name}', { from: inbox({ settle: '20ms', feed }) })
export default defineLake({ name: 'shop', datasets: [silver('orders', { from: raw, schema: z.object({ id: t.int() }) })] })
`
      const project = await Project.create({ 'lake.ts': definition('orders') })
      const run = async (id: number) => {
        await client.query(`INSERT INTO orders VALUES (${id})`)
        await project.run()
        const found = await project.query('SELECT id FROM silver.orders ORDER BY id')
        return found.map((row) => row.id)
      }
      const good = async (...args: string[]) => {
        const { code, stderr } = await project.cli(...args)
        expect([code, stderr]).toEqual([0, ''])
      }
      expect(await run(1)).toEqual([1])
      const { number } = await project.state()
      await project.write({ 'lake.ts': definition('sales') })
      await good('rename', 'bronze.orders', 'bronze.sales')
      expect(await run(2)).toEqual([1, 2])

      await project.write({ 'lake.ts': definition('orders') })
      await good('rollback', '--to', `${number}`)
      expect(await run(3)).toEqual([1, 2, 3])

      await project.write({ 'lake.ts': definition('others') })
      await good('drop', 'bronze.orders')
      await project.write({ 'lake.ts': definition('orders') })
      await project.run({ allowLoss: true })
      expect(await run(4)).toEqual([1, 2, 3, 4])
    } finally {
      await client.end()
      await server.stop()
    }
  })
})
