import mysql from 'mysql2/promise'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { Project, step } from '../support/project.js'
import {
  mariadbProgram,
  postgresPrograms,
  startMariadb,
  startPostgres,
} from '../support/servers.js'
import { withService } from '../support/services.js'

/** A project that reads a table by the time at which its rows were changed. */
const reading = (source: 'postgres' | 'mysql', url: string) =>
  Project.create({
    'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { ${source} } from 'moraine/sources'
const raw = bronze('orders', { from: ${source}('${url}').table('orders', { key: 'id', cursor: 'changed' }) })
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
})

withService('MariaDB', [mariadbProgram], () => {
  describe('a user of MariaDB who may read a table, and nothing else', () => {
    it('is told that rows may be missed, and how to end that', async () => {
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
        expect(await told(project)).not.toContain(HIDDEN)
      } finally {
        await owner.end()
        await server.stop()
      }
    })
  })
})
