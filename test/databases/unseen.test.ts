import mysql from 'mysql2/promise'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { Project, step } from '../support/project.js'
import {
  mariadbProgram,
  postgresPrograms,
  startMariadb,
  startPostgres,
  startStandby,
} from '../support/servers.js'
import { withService } from '../support/services.js'
import { until } from '../support/until.js'

/** A project that reads a table by a cursor: the time at which its rows were changed. */
const reading = (source: 'postgres' | 'mysql', url: string, cursor = 'changed') =>
  Project.create({
    'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { ${source} } from 'moraine/sources'
const raw = bronze('orders', { from: ${source}('${url}').table('orders', { key: 'id', cursor: '${cursor}' }) })
const orders = silver('orders', { from: raw, schema: z.object({ id: t.int() }), key: 'id' })
export default defineLake({ name: 'shop', datasets: [orders] })
`,
  })

/** What a run says of its reading. */
async function told(project: Project): Promise<string> {
  const { reason, notes, error } = step(await project.run(), 'bronze.orders')
  expect(error).toBeUndefined()
  return [reason, ...(notes ?? [])].join('; ')
}

const idsOf = async (project: Project) =>
  (await project.query('SELECT id FROM silver.orders ORDER BY id')).map(({ id }) => id)

const HIDDEN = 'open transactions of other users are not visible'
const REPLICATED = 'rows come from another server by replication'

withService('PostgreSQL', [postgresPrograms], () => {
  const connect = async (url: string) => {
    const client = new pg.Client(url)
    client.on('error', () => {})
    await client.connect()
    return client
  }

  describe('a user of PostgreSQL who may read a table, and nothing else', () => {
    it('is told that rows may be missed as long as others are connected, and how to end that', async () => {
      const server = await startPostgres()
      const owner = await connect(server.url)
      try {
        await owner.query(
          'CREATE TABLE orders (id int PRIMARY KEY, changed timestamptz); CREATE ROLE lake LOGIN; GRANT SELECT ON orders TO lake',
        )
        await owner.query('INSERT INTO orders VALUES (1, clock_timestamp())')
        const project = await reading('postgres', server.url.replace('postgres@', 'lake@'))
        // What is open in the shop is nothing that its lake could see.
        await owner.query('BEGIN; INSERT INTO orders VALUES (2, now())')
        const blind = await told(project)
        expect(blind).toContain(`${HIDDEN}, so rows that they commit late may be missed`)
        expect(blind).toContain('GRANT pg_read_all_stats')
        const other = await connect(server.url)
        await other.query('GRANT pg_read_all_stats TO lake')
        await other.query('INSERT INTO orders VALUES (3, clock_timestamp())')
        const sighted = await told(project)
        expect(sighted).not.toContain(HIDDEN)
        expect(sighted).toContain('a transaction has been open since then')
        await owner.query('COMMIT')
        await other.end()
        await told(project)
        expect(await idsOf(project)).toEqual([1, 2, 3])
      } finally {
        await owner.end()
        await server.stop()
      }
    })
  })

  describe('a standby of PostgreSQL', () => {
    it('is read, and a run tells that it does not show what is open on its primary', async () => {
      const server = await startPostgres()
      const client = await connect(server.url)
      const standby = await startStandby(server)
      try {
        await client.query(
          'CREATE TABLE orders (id int PRIMARY KEY, changed timestamptz); INSERT INTO orders VALUES (1, now())',
        )
        expect(await told(await reading('postgres', server.url))).not.toContain(REPLICATED)
        const copy = await connect(standby.url)
        await until('the standby has the rows', async () => {
          const { rows } = await copy.query("SELECT to_regclass('orders')::text AS it")
          return rows[0]?.it === 'orders'
        })
        await copy.end()
        const project = await reading('postgres', standby.url)
        expect(await told(project)).toContain(REPLICATED)
        expect(await idsOf(project)).toEqual([1])
        // Rows by the transactions that wrote them are found there as well.
        const byNumber = await reading('postgres', standby.url, 'xmin')
        expect(await told(byNumber)).not.toContain(REPLICATED)
        expect(await idsOf(byNumber)).toEqual([1])
      } finally {
        await client.end()
        await standby.stop()
        await server.stop()
      }
    })
  })

  describe('a table of PostgreSQL that is read by the transactions which wrote its rows', () => {
    it('and was written as a whole while another one was open shows each later change', async () => {
      const server = await startPostgres()
      const [client, late] = [await connect(server.url), await connect(server.url)]
      try {
        await client.query('CREATE TABLE orders (id int PRIMARY KEY, v int)')
        const project = await reading('postgres', server.url, 'xmin')
        await late.query('BEGIN; CREATE TABLE more ()')
        await client.query('INSERT INTO orders SELECT n, 0 FROM generate_series(1, 100001) s(n)')
        await told(project)
        // Nobody inserts or deletes a row: there are as many as before.
        const changed = async (id: number) => {
          await client.query(`UPDATE orders SET v = 1 WHERE id = ${id}`)
          await told(project)
          const found = await project.query(
            'SELECT DISTINCT CAST(id AS INTEGER) AS id FROM bronze.orders WHERE v = 1 ORDER BY id',
          )
          expect(await told(project)).toContain('no rows with a newer xmin')
          return found.map((row) => row.id)
        }
        expect(await changed(7)).toEqual([7])
        await late.query('COMMIT')
        expect(await changed(8)).toEqual([7, 8])
      } finally {
        await Promise.all([client.end(), late.end()])
        await server.stop()
      }
    })
  })
})

withService('MariaDB', [mariadbProgram], () => {
  describe('a user of MariaDB who may read a table, and nothing else', () => {
    it('is told that rows may be missed, and how to end that; and that a replica does not show all', async () => {
      const server = await startMariadb()
      const owner = await mysql.createConnection({ uri: server.url, multipleStatements: true })
      try {
        await owner.query(
          "CREATE TABLE orders (id int PRIMARY KEY, changed timestamp(6)); CREATE USER lake@'127.0.0.1' IDENTIFIED BY 's3cret'; GRANT SELECT ON shop.orders TO lake@'127.0.0.1'",
        )
        const project = await reading('mysql', server.url.replace('shop:', 'lake:'))
        const blind = await told(project)
        expect(blind).toContain(HIDDEN)
        expect(blind).toContain('GRANT PROCESS')
        await owner.query("GRANT PROCESS ON *.* TO lake@'127.0.0.1'")
        const sighted = await told(project)
        expect(sighted).not.toContain(HIDDEN)
        expect(sighted).not.toContain(REPLICATED)
        await owner.query('SET GLOBAL read_only = 1')
        expect(await told(project)).toContain(REPLICATED)
      } finally {
        await owner.end()
        await server.stop()
      }
    })
  })
})
