import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import mysql from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RunOptions } from '../../src/run/options.js'
import { openReader } from '../../src/source/database/database-reader.js'
import type { Ask } from '../../src/source/database/dialect.js'
import { beginTogether } from '../../src/source/database/mysql/alongside.js'
import { mysql as dialect } from '../../src/source/database/mysql/dialect.js'
import { mysql as declared } from '../../src/source/declare/database.js'
import { Project, step } from '../support/project.js'
import { mariadbProgram, type Server, startMariadb } from '../support/servers.js'
import { withService } from '../support/services.js'
import { until } from '../support/until.js'

/*
 * Large tables of MariaDB are read on several connections at once where its binary log tells that
 * all of them see the same rows, and on one where it does not.
 */

const binaryLog = ['--log-bin=log', '--server-id=1', '--log-slave-updates']
const ACCOUNTS = 120_000
const TOTAL = BigInt(ACCOUNTS) * 1000n
/** Ranges of about a megabyte. */
const options: Partial<RunOptions> = { partBytes: 1 << 20 }

const lake = (url: string, tables: readonly string[]) => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { mysql } from 'moraine/sources'
const bank = mysql({ url: '${url}' })
const of = (table) =>
  silver(table, {
    from: bronze(table, { from: bank.table(table, {}) }),
    schema: z.object({ id: t.int(), amount: t.int(), text: t.string() }),
  })
export default defineLake({ name: 'bank', datasets: [${tables.map((table) => `of('${table}')`)}] })
`

withService('MariaDB', [mariadbProgram], () => {
  it('connections whose snapshots differ begin anew, or are not used', async () => {
    const server = await startMariadb(undefined, binaryLog)
    const [writer, ...both] = await Promise.all(
      [1, 2, 3].map(() => mysql.createConnection({ uri: server.url, rowsAsArray: true })),
    )
    const [leader, late] = both.map(
      (own): Ask =>
        async (sql) =>
          (await own.query(sql))[0] as never,
    )
    const write = () => writer?.query('INSERT INTO visits VALUES (1)')
    await writer?.query('CREATE TABLE visits (n int) ENGINE = InnoDB')
    try {
      const seen = async () =>
        Promise.all(
          [leader, late].map(async (ask) => (await ask?.('SELECT count(*) FROM visits'))?.[0]),
        )
      // Somebody commits between the two, at first.
      const behind = (times: number): Ask => {
        let due = began
        return async (sql) => {
          if (sql.startsWith('START') && times-- > 0) {
            due++
            await until('the first one has begun', () => began >= due)
            await write()
          }
          return late?.(sql) as never
        }
      }
      let began = 0
      const first: Ask = async (sql) => {
        const answer = await leader?.(sql)
        if (sql.startsWith('START')) began++
        return answer as never
      }
      expect(await beginTogether(first, [behind(2)])).toBe(true)
      const [one, two] = await seen()
      expect(one).toEqual(two)
      expect(await beginTogether(first, [behind(99)])).toBe(false)
    } finally {
      await Promise.all([writer, ...both].map((own) => own?.end()))
      await server.stop()
    }
  })

  for (const [kind, log] of [
    ['with a binary log', binaryLog],
    ['without one', []],
  ] as const)
    describe(`large tables of a server ${kind}`, () => {
      let server: Server
      let client: mysql.Connection
      beforeAll(async () => {
        server = await startMariadb(undefined, log)
        client = await mysql.createConnection(server.url)
        for (const table of ['checking', 'savings']) {
          await client.query(
            `CREATE TABLE ${table} (id int PRIMARY KEY, amount int NOT NULL, text varchar(200))`,
          )
          await client.query(
            `INSERT INTO ${table} SELECT seq, 500, repeat('x', 150) FROM seq_1_to_${ACCOUNTS}`,
          )
          await client.query(`ANALYZE TABLE ${table}`)
        }
      })
      afterAll(async () => {
        await client.end()
        await server.stop()
      })

      const project = (...tables: string[]) =>
        Project.create({ 'lake.ts': lake(server.url, tables) })

      /** Connections that were opened meanwhile. */
      async function connections(work: () => Promise<unknown>): Promise<number> {
        const asked = async () => {
          const [rows] = await client.query("SHOW GLOBAL STATUS LIKE 'Connections'")
          return Number((rows as { Value: string }[])[0]?.Value)
        }
        const before = await asked()
        await work()
        return (await asked()) - before
      }

      it('have the rows of one moment while money goes from one account to another', async () => {
        const bank = await project('checking', 'savings')
        let going = true
        let transfers = 0
        const transfer = async () => {
          const own = await mysql.createConnection(server.url)
          while (going) {
            const [from, to] = [1, 2].map(() => 1 + Math.floor(Math.random() * ACCOUNTS))
            await own.beginTransaction()
            await own.query(`UPDATE checking SET amount = amount - 1 WHERE id = ${from}`)
            await own.query(`UPDATE savings SET amount = amount + 1 WHERE id = ${to}`)
            await own.commit()
            transfers++
            // A server that never rests has no moment at which several could begin.
            await sleep(5)
          }
          await own.end()
        }
        const clerks = [transfer(), transfer()]
        await until('both are at work', async () => transfers > 10)
        const opened = await connections(async () => {
          const record = await bank.run(options)
          expect(record.steps.map(({ error }) => error).filter(Boolean)).toEqual([])
          for (const name of ['bronze.checking', 'bronze.savings'])
            expect(step(record, name).rows).toBe(ACCOUNTS)
        })
        going = false
        await Promise.all(clerks)
        const [sum] = await bank.query(
          'SELECT (SELECT sum(amount) FROM silver.checking) + (SELECT sum(amount) FROM silver.savings) AS sum',
        )
        expect(BigInt(String(sum?.sum))).toBe(TOTAL)
        if (log.length > 0) expect(opened).toBeGreaterThan(1)
        else expect(opened).toBe(1)
      })

      it('are read to the end while somebody waits to change one of them', async () => {
        const other = await mysql.createConnection(server.url)
        const source = declared({ url: server.url }).table('checking')
        const folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
        const reader = await openReader(dialect, { url: server.url }, { sources: [source] })
        const what = { source, columns: ['id'], conditions: [] }
        const read = (name: string) =>
          reader.extract(what, join(folder, name), new AbortController().signal)
        try {
          await reader.columns(source)
          const changed = other.query('ALTER TABLE checking FORCE')
          await until('it waits', async () => {
            const [rows] = await client.query('SHOW FULL PROCESSLIST')
            return JSON.stringify(rows).includes('Waiting for table metadata lock')
          })
          const [one, two] = await Promise.all([read('one'), read('two')])
          expect(one.bytes).toBeGreaterThan(ACCOUNTS)
          expect(two).toEqual(one)
          expect(await read('three')).toEqual(one)
          await reader.close()
          await changed
        } finally {
          await reader.close()
          await other.end()
          await rm(folder, { recursive: true })
        }
      })

      it('that are small need no other connection', async () => {
        await client.query('CREATE TABLE few (id int PRIMARY KEY, amount int, text varchar(9))')
        await client.query("INSERT INTO few VALUES (1, 1, 'a')")
        const bank = await project('few')
        expect(await connections(() => bank.run(options))).toBe(1)
      })
    })
})
