import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RunOptions } from '../../src/run/options.js'
import { openReader } from '../../src/source/database/database-reader.js'
import { postgres as postgresDialect } from '../../src/source/database/postgres/dialect.js'
import { postgres } from '../../src/source/declare/database.js'
import { sample } from '../support/effort.js'
import { Project, step } from '../support/project.js'
import {
  mariadbProgram,
  postgresPrograms,
  type Server,
  startMariadb,
  startPostgres,
} from '../support/servers.js'
import { withService } from '../support/services.js'
import { sqlServerAt, startSqlServer } from '../support/sql-server.js'
import { until } from '../support/until.js'

interface Client {
  query(sql: string): Promise<unknown>
  end(): Promise<void>
}

type Running = Pick<Server, 'url' | 'stop' | 'kill' | 'start'>

interface Kind {
  name: string
  source: 'postgres' | 'mysql' | 'sqlserver'
  /** The folder with extensions by which the engine reads it itself. */
  extensions?: string
  start(): Promise<Running>
  /** SQL that writes a table anew, where that waits for its readers. */
  rewrite?: (table: string) => string
  /** SQL that takes a table for one session, says whether somebody waits, and leaves it again. */
  lock?: { take: (table: string) => string; waits: string; leave: string }
  connect(url: string): Promise<Client>
  /** The type of moments, and SQL for now. */
  moment: string
  now: string
  /** The same to the second. */
  seconds: [type: string, now: string]
  /** The type of times without a zone, and what stands for never. */
  local: string
  never: string
  /** A relation of the numbers from 1 on, in a column `n`. */
  numbers(count: number): string
  /** SQL that ends all other sessions. */
  endOthers(client: Client, url: string): Promise<void>
}

const byPostgres: Kind = {
  name: 'PostgreSQL',
  source: 'postgres',
  start: startPostgres,
  rewrite: (table) => `VACUUM FULL ${table}`,
  lock: {
    take: (table) => `BEGIN; LOCK TABLE ${table}`,
    waits:
      "SELECT 'waits' AS it FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'moraine reads'",
    leave: 'ROLLBACK',
  },
  connect: async (url) => {
    const client = new pg.Client(url)
    client.on('error', () => {})
    await client.connect()
    return client
  },
  moment: 'timestamptz',
  now: 'clock_timestamp()',
  seconds: ['timestamp(0)', 'clock_timestamp()'],
  local: 'timestamp',
  never: "'infinity'",
  numbers: (count) => `generate_series(1, ${count}) AS s(n)`,
  endOthers: async (client) => {
    await client.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'moraine reads'",
    )
  },
}

const extensions = process.env.DUCKDB_EXTENSIONS
const extension =
  extensions && join(extensions, 'v1.5.5/linux_amd64/postgres_scanner.duckdb_extension')

const kinds: [Kind, (string | undefined)[]][] = [
  [byPostgres, [postgresPrograms]],
  [
    { ...byPostgres, name: 'PostgreSQL, read by the engine', extensions: extensions ?? '' },
    [postgresPrograms, extension],
  ],
  [
    {
      name: 'MariaDB',
      source: 'mysql',
      start: startMariadb,
      rewrite: (table) => `ALTER TABLE ${table} FORCE`,
      lock: {
        take: (table) => `LOCK TABLES ${table} WRITE`,
        waits:
          "SELECT 'waits' AS it FROM information_schema.processlist WHERE state LIKE '%metadata lock%'",
        leave: 'UNLOCK TABLES',
      },
      connect: async (url) =>
        (await mysql.createConnection({ uri: url, multipleStatements: true })) as unknown as Client,
      moment: 'timestamp(6) NULL',
      now: 'current_timestamp(6)',
      seconds: ['datetime', 'current_timestamp'],
      local: 'datetime(6)',
      never: "'9999-12-31 23:59:59'",
      numbers: (count) => `(SELECT seq AS n FROM seq_1_to_${count}) AS s`,
      endOthers: async (client) => {
        const [rows] = (await client.query(
          "SELECT id FROM information_schema.processlist WHERE user = 'shop' AND id <> connection_id()",
        )) as unknown as [{ id: number }[]]
        for (const { id } of rows) await client.query(`KILL ${id}`).catch(() => {})
      },
    },
    [mariadbProgram],
  ],
  [
    {
      name: 'SQL Server, played by a double',
      source: 'sqlserver',
      start: startSqlServer,
      connect: (url) => sqlServerAt(url).connect(),
      moment: 'datetimeoffset(6)',
      now: 'SYSDATETIMEOFFSET()',
      seconds: ['datetimeoffset(0)', "date_trunc('second', SYSDATETIMEOFFSET())"],
      local: 'datetime2(6)',
      never: "'9999-12-31 23:59:59'",
      numbers: (count) => `(SELECT unnest(range(1, ${count} + 1)) AS n) AS s`,
      endOthers: async (_, url) => sqlServerAt(url).hangUp(),
    },
    [process.execPath],
  ],
]

// Each takes minutes, so that all have their turn.
for (const [kind, programs] of sample(kinds, 2, 2))
  withService(kind.name, programs, () => {
    let server: Running
    let client: Client
    beforeAll(async () => {
      server = await kind.start()
      client = await kind.connect(server.url)
    })
    afterAll(async () => {
      await client.end()
      await server.stop()
    })

    let made = 0
    /** A table of its own, and a project that reads it. */
    async function shop(
      columns: string,
      options: string,
      schema: string,
      more = '',
    ): Promise<{ project: Project; table: string }> {
      const table = `t${++made}`
      await client.query(`CREATE TABLE ${table} (${columns})`)
      return { table, project: await projectOn(table, options, schema, more) }
    }

    const projectOn = (
      table: string,
      options: string,
      schema: string,
      more = '',
      url = server.url,
    ) =>
      Project.create(
        {
          'lake.ts': `
import { bronze, defineLake, silver, sql, t, z } from 'moraine'
import { ${kind.source} } from 'moraine/sources'
const raw = bronze('rows', { from: ${kind.source}({ url: '${url}' }).table('${table}', { ${options} }) })
const rows = silver('rows', { from: raw, schema: z.object({ ${schema} }), ${more} })
export default defineLake({ name: 'shop', datasets: [rows] })
`,
        },
        kind.extensions,
      )

    const good = async (project: Project, options: Partial<RunOptions> = {}) => {
      const record = await project.run(options)
      expect([record.error, ...record.steps.map((s) => s.error)].filter(Boolean)).toEqual([])
      return record
    }

    const orders = `id int PRIMARY KEY, amount int, changed ${kind.moment}`
    const schema = 'id: t.int(), amount: t.int().nullable(), changed: t.timestamptz().nullable()'
    const incremental = "key: 'id', cursor: 'changed'"
    const amounts = (project: Project) =>
      project.query('SELECT id, amount FROM silver.rows ORDER BY id')

    describe(`a table of ${kind.name}`, () => {
      it('is read once, and then what is new or changed', async () => {
        const { project, table } = await shop(orders, incremental, schema, incremental)
        await client.query(`INSERT INTO ${table} VALUES (1, 10, ${kind.now}), (2, 20, ${kind.now})`)
        await good(project)
        const second = await good(project)
        expect(step(second, 'bronze.rows').outcome).toBe('unchanged')
        await client.query(`UPDATE ${table} SET amount = 11, changed = ${kind.now} WHERE id = 1`)
        await client.query(`INSERT INTO ${table} VALUES (3, 30, ${kind.now})`)
        const third = await good(project)
        expect(step(third, 'bronze.rows').rows).toBe(2)
        expect(await amounts(project)).toEqual([
          { id: 1, amount: 11 },
          { id: 2, amount: 20 },
          { id: 3, amount: 30 },
        ])
      })

      it('loses no row that is committed late', async () => {
        const { project, table } = await shop(orders, incremental, schema, incremental)
        await client.query(`INSERT INTO ${table} VALUES (1, 10, ${kind.now})`)
        const late = await kind.connect(server.url)
        await late.query('BEGIN')
        await late.query(`INSERT INTO ${table} VALUES (2, 20, ${kind.now})`)
        await client.query(`INSERT INTO ${table} VALUES (3, 30, ${kind.now})`)
        const first = await good(project)
        expect(JSON.stringify(step(first, 'bronze.rows'))).toContain('a transaction has been open')
        await late.query('COMMIT')
        await late.end()
        await good(project)
        expect((await amounts(project)).map(({ id }) => id)).toEqual([1, 2, 3])
      })

      it('loses no number that is committed late', async () => {
        const { project, table } = await shop(
          'id int PRIMARY KEY',
          "key: 'id', cursor: 'id'",
          'id: t.int()',
          "key: 'id'",
        )
        await client.query(`INSERT INTO ${table} VALUES (1), (2)`)
        await good(project)
        const late = await kind.connect(server.url)
        await late.query('BEGIN')
        await late.query(`INSERT INTO ${table} VALUES (3)`)
        await client.query(`INSERT INTO ${table} VALUES (4)`)
        await good(project)
        await late.query('COMMIT')
        await late.end()
        await client.query(`INSERT INTO ${table} VALUES (5)`)
        await good(project)
        const ids = await project.query('SELECT id FROM silver.rows ORDER BY id')
        expect(ids.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5])
      })

      it('whose times are to the second loses no row of a second that goes on', async () => {
        const [type, now] = kind.seconds
        const { project, table } = await shop(
          `id int PRIMARY KEY, changed ${type}`,
          incremental,
          'id: t.int()',
          "key: 'id'",
        )
        const ids = Array.from({ length: 8 }, (_, i) => i + 1)
        for (const id of ids) {
          await client.query(`INSERT INTO ${table} VALUES (${id}, ${now})`)
          await good(project)
        }
        await good(project)
        const rows = await project.query('SELECT id FROM silver.rows ORDER BY id')
        expect(rows.map(({ id }) => id)).toEqual(ids)
        expect(step(await good(project), 'bronze.rows').outcome).toBe('unchanged')
      })

      it('is read again where that is asked for', async () => {
        const { project, table } = await shop(orders, incremental, schema, "key: 'id'")
        await client.query(
          `INSERT INTO ${table} VALUES (1, 10, '2026-01-05 00:00:00'), (2, 20, '2026-02-05 00:00:00'), (3, 30, '2026-03-05 00:00:00')`,
        )
        await good(project)
        await client.query(
          `UPDATE ${table} SET amount = amount + 1, changed = changed WHERE id < 3`,
        )
        expect(step(await good(project), 'bronze.rows').outcome).toBe('unchanged')
        const backfill = { from: '2026-01-01', until: '2026-02-01' }
        expect(step(await good(project, { backfill }), 'bronze.rows').rows).toBe(1)
        expect((await amounts(project)).map(({ amount }) => amount)).toEqual([11, 20, 30])
        expect(step(await good(project), 'bronze.rows').outcome).toBe('unchanged')
      })

      it('with clocks that are wrong is read again as far as that is said', async () => {
        const late = `${incremental}, lag: '1h'`
        const { project, table } = await shop(orders, late, schema, incremental)
        await client.query(`INSERT INTO ${table} VALUES (1, 10, ${kind.now})`)
        await good(project)
        await good(project)
        // What is read again but was there before is not taken in again.
        expect(step(await good(project), 'bronze.rows').outcome).toBe('unchanged')
        await client.query(
          `INSERT INTO ${table} VALUES (2, 20, ${kind.now} - interval '30' minute)`,
        )
        await good(project)
        expect((await amounts(project)).map(({ id }) => id)).toEqual([1, 2])
      })

      it('gives rows without a cursor, at the start and later', async () => {
        const { project, table } = await shop(orders, incremental, schema, incremental)
        await client.query(`INSERT INTO ${table} VALUES (1, 10, NULL), (2, 20, ${kind.now})`)
        await good(project)
        await client.query(`INSERT INTO ${table} VALUES (3, 30, NULL)`)
        await good(project)
        expect((await amounts(project)).map(({ id }) => id)).toEqual([1, 2, 3])
        expect(step(await good(project), 'bronze.rows').outcome).toBe('unchanged')
      })

      it('without a cursor is read as a whole: what is gone there is gone here', async () => {
        const { project, table } = await shop(orders, "key: 'id'", schema, "key: 'id'")
        await client.query(`INSERT INTO ${table} VALUES (1, 10, ${kind.now}), (2, 20, NULL)`)
        await good(project)
        expect(step(await good(project), 'silver.rows').outcome).toBe('unchanged')
        await client.query(`DELETE FROM ${table} WHERE id = 1`)
        await good(project)
        expect(await amounts(project)).toEqual([{ id: 2, amount: 20 }])
        await client.query(`DELETE FROM ${table}`)
        await good(project)
        expect(await amounts(project)).toEqual([])
      })

      it('whose keys are compared: rows that are deleted go, and may come back', async () => {
        const compare = `${incremental}, deletes: 'compare'`
        const { project, table } = await shop(orders, compare, schema, incremental)
        await client.query(`INSERT INTO ${table} VALUES (1, 10, ${kind.now}), (2, 20, ${kind.now})`)
        await good(project)
        await client.query(`DELETE FROM ${table} WHERE id = 1`)
        const gone = await good(project)
        expect(step(gone, 'bronze.rows').notes).toContain('1 key no longer exists in its source')
        expect(await amounts(project)).toEqual([{ id: 2, amount: 20 }])
        await client.query(`INSERT INTO ${table} VALUES (1, 12, ${kind.now})`)
        await good(project)
        expect(await amounts(project)).toEqual([
          { id: 1, amount: 12 },
          { id: 2, amount: 20 },
        ])
      })

      it('whose keys are compared: deleted rows go where the dataset has a deleteWhen of its own', async () => {
        const { project, table } = await shop(
          orders,
          `${incremental}, deletes: 'compare'`,
          schema,
          `${incremental}, deleteWhen: sql\`amount = '0' -- cancelled\``,
        )
        const add = (id: number) =>
          client.query(`INSERT INTO ${table} VALUES (${id}, ${id * 10}, ${kind.now})`)
        for (const id of [1, 2, 3]) await add(id)
        await good(project)
        await client.query(`DELETE FROM ${table} WHERE id = 1`)
        await client.query(`UPDATE ${table} SET amount = 0, changed = ${kind.now} WHERE id = 2`)
        await good(project)
        expect(await amounts(project)).toEqual([{ id: 3, amount: 30 }])
      })

      it('whose keys are compared: deleted rows go where the dataset has another key and cursor', async () => {
        const { project, table } = await shop(
          `id int PRIMARY KEY, code varchar(9), seen ${kind.local}, changed ${kind.moment}`,
          `${incremental}, deletes: 'compare'`,
          'code: z.string(), seen: t.timestamp()',
          "key: 'code', cursor: 'seen', history: true",
        )
        const add = (id: number, code: string) =>
          client.query(
            `INSERT INTO ${table} VALUES (${id}, '${code}', '2024-07-10 08:00:00', ${kind.now})`,
          )
        await add(1, 'a')
        await add(2, 'b')
        await good(project)
        await client.query(`DELETE FROM ${table} WHERE id = 1`)
        const gone = await good(project)
        expect(step(gone, 'silver.rows').counts).toMatchObject({ discarded: 0 })
        expect(await project.query('SELECT code FROM silver.rows')).toEqual([{ code: 'b' }])
        // Its history has it until then, however often it is built.
        const versions = () =>
          project.query(`SELECT code, valid_to IS NULL AS valid,
            coalesce(valid_to > TIMESTAMP '2026-01-01', true) AS until FROM history.rows ORDER BY code`)
        const until = [
          { code: 'a', valid: false, until: true },
          { code: 'b', valid: true, until: true },
        ]
        expect(await versions()).toEqual(until)
        await good(project, { full: true })
        expect(await versions()).toEqual(until)
        await add(1, 'a')
        await good(project)
        const codes = await project.query('SELECT code FROM silver.rows ORDER BY code')
        expect(codes).toEqual([{ code: 'a' }, { code: 'b' }])
        const both = until.map((version) => ({ ...version, valid: true }))
        expect(await versions()).toEqual(both)
        await good(project, { full: true })
        expect(await versions()).toEqual(both)
      })

      it('whose keys are compared from its second run on, and that leaves no files of rows which are not', async () => {
        const { project, table } = await shop(orders, incremental, schema, incremental)
        await client.query(`INSERT INTO ${table} VALUES (1, 10, ${kind.now}), (2, 20, ${kind.now})`)
        await good(project)
        const definition = await readFile(join(project.folder, 'lake.ts'), 'utf8')
        await project.write({
          'lake.ts': definition.replace(
            "cursor: 'changed' }",
            "cursor: 'changed', deletes: 'compare' }",
          ),
        })
        await good(project)
        expect(await amounts(project)).toHaveLength(2)
        await client.query(`DELETE FROM ${table} WHERE id = 1`)
        await good(project)
        await good(project)
        expect(await amounts(project)).toEqual([{ id: 2, amount: 20 }])
        const files = await readdir(join(project.folder, 'lake/bronze/rows'), { recursive: true })
        expect(files.filter((file) => file.endsWith('.parquet'))).toHaveLength(2)
      })

      it('whose keys are compared with what it was read as anew: rows that another where leaves out are not gone from it', async () => {
        const compare = `${incremental}, deletes: 'compare'`
        const { project, table } = await shop(orders, compare, schema, incremental)
        await client.query(`INSERT INTO ${table} SELECT n, n, ${kind.now} FROM ${kind.numbers(60)}`)
        await good(project)
        const definition = await readFile(join(project.folder, 'lake.ts'), 'utf8')
        const fewer = definition.replace(compare, `${compare}, where: 'id <= 12'`)
        await project.write({ 'lake.ts': fewer })
        const again = step(await good(project), 'bronze.rows')
        expect([again.outcome, again.rows]).toEqual(['done', 12])
        expect(await amounts(project)).toHaveLength(12)
        await client.query(`DELETE FROM ${table} WHERE id = 1`)
        const gone = step(await good(project), 'bronze.rows')
        expect(gone.notes).toContain('1 key no longer exists in its source')
        expect(await amounts(project)).toHaveLength(11)
      })

      it.each([
        ['without a cursor', "key: 'id'"],
        ['whose keys are compared', `${incremental}, deletes: 'compare'`],
      ])(
        '%s that is nearly empty at once is held back until somebody accepts that',
        async (_, options) => {
          const { project, table } = await shop(orders, options, schema, incremental)
          await client.query(
            `INSERT INTO ${table} SELECT n, n, ${kind.now} FROM ${kind.numbers(60)}`,
          )
          await good(project)
          await client.query(`DELETE FROM ${table} WHERE id > 12`)
          const record = await project.run()
          expect(step(record, 'bronze.rows')).toMatchObject({
            outcome: 'held',
            held: { rows: 12, before: 60 },
          })
          expect(await amounts(project)).toHaveLength(60)
          // What was held back is known whatever came since; only that was accepted.
          await client.query(`INSERT INTO ${table} VALUES (100, 1, ${kind.now})`)
          expect(step(await project.run(), 'bronze.rows').held?.before).toBe(
            options.includes('compare') ? 61 : 60,
          )
          const accepted = await project.run({ acceptShrink: ['rows'] })
          expect(accepted.outcome).toBe('done')
          expect(await amounts(project)).toHaveLength(13)
          expect((await project.run()).outcome).toBe('done')
        },
      )

      it('that is large is committed in ranges: a reading that was stopped goes on', async () => {
        const { project, table } = await shop(orders, incremental, schema, incremental)
        const values = Array.from({ length: 30_000 }, (_, i) => `(${i}, ${i}, ${kind.now})`)
        await client.query(`INSERT INTO ${table} VALUES ${values.join(', ')}`)
        if (kind.source === 'mysql') await client.query(`ANALYZE TABLE ${table}`)
        const stop = new AbortController()
        const storage = project.storage
        const create = storage.createIfAbsent.bind(storage)
        storage.createIfAbsent = async (path, bytes) => {
          const made = await create(path, bytes)
          if (path.includes('_moraine/log/')) stop.abort()
          return made
        }
        const options = { partBytes: 32_768 }
        const record = await project.runOn(storage, { ...options, signal: stop.signal })
        expect(record.outcome).toBe('cancelled')
        const { batches } = await project.state()
        const taken = (batches['bronze.rows'] ?? []).reduce((sum, { rows }) => sum + rows, 0)
        expect(taken).toBeGreaterThan(0)
        expect(taken).toBeLessThan(30_000)
        const rest = await good(project, options)
        expect(step(rest, 'bronze.rows').reason).toBe('its first load continues')
        expect(step(rest, 'bronze.rows').rows).toBe(30_000 - taken)
        const [sum] = await project.query('SELECT count(*) AS n, sum(amount) AS s FROM silver.rows')
        expect(sum).toEqual({ n: 30_000n, s: BigInt((30_000 * 29_999) / 2) })
      })

      it('that loses its connection in the middle fails clearly, and nothing is lost', async () => {
        const { project, table } = await shop(orders, incremental, schema, incremental)
        const rows = kind.numbers(300_000)
        await client.query(`INSERT INTO ${table} SELECT n, n, ${kind.now} FROM ${rows}`)
        const timer = setInterval(() => kind.endOthers(client, server.url).catch(() => {}), 20)
        const record = await project.run({ partBytes: 65_536 })
        clearInterval(timer)
        expect(record.outcome).toBe('failed')
        expect(step(record, 'bronze.rows').error?.message).toMatch(
          /shut down|connection was lost|terminat|kill/i,
        )
        await good(project, { partBytes: 65_536 })
        expect(await project.query('SELECT count(*) AS n FROM silver.rows')).toEqual([
          { n: 300_000n },
        ])
      })
    })

    describe(`rows of ${kind.name} that have been taken`, () => {
      it('are known by their hashes, also where some of the columns are read', async () => {
        const some = `${incremental}, columns: ['id', 'changed']`
        const { project, table } = await shop(orders, some, 'id: t.int()', "key: 'id'")
        await client.query(`INSERT INTO ${table} VALUES (1, 10, ${kind.now})`)
        await good(project)
        const discarded = await project.cli('discard-batch', 'bronze.rows', '1')
        expect(discarded.code).toBe(0)
        await client.query(`INSERT INTO ${table} VALUES (2, 20, ${kind.now})`)
        expect(step(await good(project), 'bronze.rows').rows).toBe(1)
        expect(await project.query('SELECT id FROM silver.rows')).toEqual([{ id: 2 }])
      })

      it.each([
        ['that have one time', incremental],
        ['whose keys are compared', `${incremental}, deletes: 'compare'`],
      ])('and that were discarded do not come again until they change: %s', async (_, options) => {
        const { project, table } = await shop(orders, options, schema, incremental)
        const time = "'2026-03-05 08:00:00'"
        const came = async (id: number) => {
          await client.query(`INSERT INTO ${table} VALUES (${id}, 1, ${time})`)
          return step(await good(project), 'bronze.rows').rows
        }
        // More than a watermark says of each: bronze tells which rows are known.
        await client.query(`INSERT INTO ${table} SELECT n, n, ${time} FROM ${kind.numbers(600)}`)
        await good(project)
        const discarded = await project.cli('discard-batch', 'bronze.rows', '1')
        expect(discarded.stderr).toBe('')
        expect(discarded.stdout).toContain('Its rows are not read again unless they change.')
        await good(project)
        expect(await amounts(project)).toEqual([])
        expect([await came(1001), await came(1002)]).toEqual([1, 1])
        await client.query(`UPDATE ${table} SET amount = -1 WHERE id = 7`)
        expect(step(await good(project), 'bronze.rows').rows).toBe(1)
        expect(await amounts(project)).toEqual([
          { id: 7, amount: -1 },
          { id: 1001, amount: 1 },
          { id: 1002, amount: 1 },
        ])
        expect(step(await good(project), 'silver.rows').outcome).toBe('unchanged')
      })

      it('and are very many without a time show which of them get one', async () => {
        const { project, table } = await shop(orders, incremental, schema, incremental)
        await client.query(`INSERT INTO ${table} SELECT n, n, NULL FROM ${kind.numbers(100_001)}`)
        await good(project)
        expect(step(await good(project), 'bronze.rows').outcome).toBe('unchanged')
        for (const [id, time] of [
          [7, '2026-03-05 00:00:00'],
          [8, '2026-03-05 00:00:00'],
          [9, '2026-03-06 00:00:00'],
        ]) {
          await client.query(
            `UPDATE ${table} SET amount = -1, changed = '${time}' WHERE id = ${id}`,
          )
          expect(step(await good(project), 'bronze.rows').rows).toBe(1)
        }
        const found = await project.query(
          'SELECT id FROM silver.rows WHERE amount = -1 ORDER BY id',
        )
        expect(found.map(({ id }) => id)).toEqual([7, 8, 9])
        expect(step(await good(project), 'bronze.rows').outcome).toBe('unchanged')
      })
    })

    describe(`a table of ${kind.name} whose cursor programs set`, () => {
      const rowsOf = async (project: Project) => {
        const [row] = await project.query('SELECT count(*) AS n FROM bronze.rows')
        return Number(row?.n)
      }
      const idsOf = async (project: Project) =>
        (await project.query('SELECT id FROM silver.rows ORDER BY id')).map(({ id }) => id)
      const told = (record: Awaited<ReturnType<typeof good>>) => {
        const { reason, notes } = step(record, 'bronze.rows')
        return [reason, ...(notes ?? [])].join('; ')
      }

      it.each([
        ['moments', kind.moment, (day: number) => `'2024-07-${day} 08:00:00'`],
        ['times without a zone', kind.local, (day: number) => `'2024-07-${day} 08:00:00.25'`],
        ['days', 'date', (day: number) => `'2024-07-${day}'`],
        ['numbers', 'bigint', (day: number) => `${day}`],
      ])('comes whole, and each row once: %s', async (_, type, at) => {
        const { project, table } = await shop(
          `id int PRIMARY KEY, changed ${type}`,
          incremental,
          'id: t.int()',
          "key: 'id'",
        )
        await client.query(`INSERT INTO ${table} VALUES (1, ${at(10)}), (2, ${at(12)})`)
        await good(project)
        expect(step(await good(project), 'bronze.rows').outcome).toBe('unchanged')
        // Newer than what was read, but long before now; and one as new as the newest.
        await client.query(`INSERT INTO ${table} VALUES (3, ${at(13)})`)
        await good(project)
        await client.query(`INSERT INTO ${table} VALUES (4, ${at(13)}), (5, NULL)`)
        await good(project)
        await client.query(`INSERT INTO ${table} VALUES (6, ${at(20)}), (7, NULL)`)
        await good(project)
        expect(await idsOf(project)).toEqual([1, 2, 3, 4, 5, 6, 7])
        expect(await rowsOf(project)).toBe(7)
        const last = await good(project)
        expect(step(last, 'bronze.rows').outcome).toBe('unchanged')
        expect(step(last, 'silver.rows').outcome).toBe('unchanged')
      })

      it.each([
        ['times', kind.local, kind.never, "'2024-07-31 08:00:00'"],
        ['days', 'date', "'9999-12-31'", "'2024-07-31'"],
      ])('gives rows that lie after now, each once, and goes on: %s', async (_, type, end, at) => {
        const { project, table } = await shop(
          `id int PRIMARY KEY, amount int, changed ${type}`,
          incremental,
          'id: t.int(), amount: t.int()',
          "key: 'id'",
        )
        const ahead = `'${new Date(Date.now() + 30 * 86400e3).toISOString().slice(0, 10)}'`
        await client.query(`INSERT INTO ${table} VALUES (1, 1, ${at}), (2, 1, ${end})`)
        expect(told(await good(project))).toContain('1 row whose changed lies in the future')
        await client.query(`INSERT INTO ${table} VALUES (3, 1, ${ahead}), (4, 1, ${end})`)
        expect(told(await good(project))).toContain('3 rows whose changed lie in the future')
        expect(await idsOf(project)).toEqual([1, 2, 3, 4])
        expect(await rowsOf(project)).toBe(4)
        const same = await good(project)
        expect(step(same, 'bronze.rows').outcome).toBe('unchanged')
        expect(step(same, 'silver.rows').outcome).toBe('unchanged')
        const plan = await project.cli('plan')
        expect(plan.stdout).toContain('3 rows whose changed lie in the future')
        const status = await project.cli('status')
        expect(status.stdout).toContain('3 rows whose changed lie in the future')
        // What lies after now has not ended the reading of what does not; and may change.
        await client.query(`INSERT INTO ${table} VALUES (5, 1, ${at})`)
        await client.query(`UPDATE ${table} SET amount = 2 WHERE id = 3`)
        await good(project)
        expect(await amounts(project)).toEqual(
          [1, 2, 3, 4, 5].map((id) => ({ id, amount: id === 3 ? 2 : 1 })),
        )
        expect(await rowsOf(project)).toBe(6)
      })

      it('gives rows that are the same as others, as often as they are there', async () => {
        const { project, table } = await shop(
          `amount int, changed ${kind.local}`,
          "cursor: 'changed'",
          'amount: t.int()',
        )
        const one = `INSERT INTO ${table} VALUES (7, '2024-07-31 08:00:00')`
        for (const n of [1, 2, 3]) {
          await client.query(one)
          await good(project)
          expect(await rowsOf(project)).toBe(n)
        }
        await client.query(`INSERT INTO ${table} VALUES (8, '2024-08-01 08:00:00')`)
        await client.query(one)
        await good(project)
        expect(await rowsOf(project)).toBe(5)
      })

      it('of which very many rows have the newest time takes each of them once', async () => {
        const { project, table } = await shop(
          `id int PRIMARY KEY, changed ${kind.local}`,
          incremental,
          'id: t.int()',
          "key: 'id'",
        )
        await client.query(
          `INSERT INTO ${table} SELECT n, '2024-07-31 08:00:00' FROM ${kind.numbers(3000)}`,
        )
        await good(project)
        expect(step(await good(project), 'bronze.rows').outcome).toBe('unchanged')
        await client.query(
          `INSERT INTO ${table} VALUES (4001, '2024-07-31 08:00:00'), (4002, '2024-08-01 08:00:00')`,
        )
        await good(project)
        await client.query(`INSERT INTO ${table} VALUES (4003, '2024-08-01 08:00:00')`)
        await good(project)
        expect((await idsOf(project)).length).toBe(3003)
        expect(await rowsOf(project)).toBe(3003)
      })

      it('that lets batches expire takes no row twice that it reads again', async () => {
        const { project, table } = await shop(
          `id int PRIMARY KEY, changed ${kind.local}`,
          incremental,
          'id: t.int()',
        )
        const file = join(project.folder, 'lake.ts')
        const text = await readFile(file, 'utf8')
        const kept = text.replace(') })\nconst rows', "), keep: '30d' })\nconst rows")
        await project.write({ 'lake.ts': kept })
        const on = (day: string) => good(project, { now: () => new Date(`${day}T10:00:00Z`) })
        const add = (id: number, changed: string) =>
          client.query(`INSERT INTO ${table} VALUES (${id}, ${changed})`)
        // More than a watermark says of each: bronze tells which rows are known.
        await client.query(
          `INSERT INTO ${table} SELECT n, '2024-07-31 08:00:00' FROM ${kind.numbers(600)}`,
        )
        await on('2026-01-01')
        await on('2026-03-01')
        expect((await project.state()).batches['bronze.rows']).toHaveLength(1)
        await add(1001, "'2024-07-31 08:00:00'")
        await on('2026-03-02')
        expect(await rowsOf(project)).toBe(601)
        // Once the newest rows are others, those before are not read again, and may go.
        await add(1002, "'2024-08-01 08:00:00'")
        await on('2026-05-01')
        expect((await project.state()).batches['bronze.rows']?.map(({ number }) => number)).toEqual(
          [3],
        )
        await add(1003, "'2024-08-01 08:00:00'")
        await on('2026-05-02')
        expect((await idsOf(project)).length).toBe(603)
      })

      it('whose keys are compared: a row that is put back with its old time comes back', async () => {
        const { project, table } = await shop(
          `id int PRIMARY KEY, code varchar(9), changed ${kind.local}`,
          "key: ['id', 'code'], cursor: 'changed', deletes: 'compare'",
          'id: t.int(), code: z.string(), changed: t.timestamp()',
          "key: ['id', 'code'], cursor: 'changed'",
        )
        const row = (id: number, code: string, day: number) =>
          client.query(
            `INSERT INTO ${table} VALUES (${id}, '${code.replace("'", "''")}', '2024-07-${day} 08:00:00')`,
          )
        await row(1, "it's", 10)
        await row(2, 'b', 20)
        await good(project)
        await client.query(`DELETE FROM ${table} WHERE id = 1`)
        await good(project)
        expect(await idsOf(project)).toEqual([2])
        await row(1, "it's", 10)
        // One that was never seen, written with a time that was passed long ago.
        await row(3, '', 15)
        const back = await good(project)
        expect(told(back)).toContain('2 rows were in its source but not in the lake')
        expect(await idsOf(project)).toEqual([1, 2, 3])
        const last = await good(project)
        expect(step(last, 'silver.rows').outcome).toBe('unchanged')
      })

      it('whose keys are compared says of a row that is put back as it was earlier that it stays deleted', async () => {
        const { project, table } = await shop(
          `id int PRIMARY KEY, amount int, changed ${kind.local}`,
          "key: 'id', cursor: 'changed', deletes: 'compare'",
          'id: t.int(), amount: t.int().nullable(), changed: t.timestamp()',
          "key: 'id', cursor: 'changed'",
        )
        const version = (amount: number, day: number) =>
          client.query(`INSERT INTO ${table} VALUES (1, ${amount}, '2024-07-${day} 08:00:00')`)
        const gone = () => client.query(`DELETE FROM ${table} WHERE id = 1`)
        await client.query(`INSERT INTO ${table} VALUES (2, 20, '2024-07-10 08:00:00')`)
        await version(10, 10)
        await good(project)
        await gone()
        await version(11, 11)
        await good(project)
        await gone()
        await good(project)
        await version(10, 10)
        expect(told(await good(project))).toContain(
          '1 row is back with an older changed than before the deletion: silver.rows keeps the deletion until it has a newer one',
        )
        expect(await amounts(project)).toEqual([{ id: 2, amount: 20 }])
        expect(told(await good(project))).not.toContain('is back')
        await client.query(
          `UPDATE ${table} SET amount = 12, changed = '2024-07-12 08:00:00' WHERE id = 1`,
        )
        expect(told(await good(project))).not.toContain('is back')
        expect(await amounts(project)).toEqual([
          { id: 1, amount: 12 },
          { id: 2, amount: 20 },
        ])
      })

      it('whose reading was noted by an earlier version loses no row since the newest it has', async () => {
        const { project, table } = await shop(orders, incremental, schema, "key: 'id'")
        const row = (id: number, at: string) =>
          client.query(`INSERT INTO ${table} VALUES (${id}, 1, '${at}')`)
        await row(1, '2024-07-31 08:00:00')
        await good(project)
        const state = await project.state()
        const { reads, columns, marks } = state.watermarks['bronze.rows'] as Record<string, unknown>
        const clock = new Date().toISOString().replace('T', ' ').replace('Z', '000')
        const from = kind.source === 'postgres' ? `${clock}+00` : clock
        const old = { reads, columns, from, marks }
        await project.commit({ watermarks: { 'bronze.rows': old } })
        // It never came: the server's clock was past it when it was written.
        await row(2, '2024-08-01 08:00:00')
        await good(project)
        expect(await idsOf(project)).toEqual([1, 2])
        expect(await rowsOf(project)).toBe(2)
        expect(step(await good(project), 'bronze.rows').outcome).toBe('unchanged')
      })
    })

    /** A table of many rows, and a storage that does something after the first of its commits. */
    async function large(after: () => void, cursor = 'changed') {
      const reads = `key: 'id', cursor: '${cursor}'`
      const { project, table } = await shop(orders, reads, schema, reads)
      await client.query(
        `INSERT INTO ${table} SELECT n, n, ${kind.now} FROM ${kind.numbers(30_000)}`,
      )
      if (kind.source === 'mysql') await client.query(`ANALYZE TABLE ${table}`)
      const { storage } = project
      const create = storage.createIfAbsent.bind(storage)
      let first = true
      storage.createIfAbsent = async (path, bytes) => {
        const made = await create(path, bytes)
        if (first && path.includes('_moraine/log/')) {
          first = false
          after()
        }
        return made
      }
      const all = async () => {
        const [sum] = await project.query('SELECT count(*) AS n, sum(id) AS s FROM silver.rows')
        expect(sum).toEqual({ n: 30_000n, s: BigInt((30_000 * 30_001) / 2) })
      }
      return { project, table, storage, all }
    }
    const parts = { partBytes: 32_768 }

    describe(`a table of ${kind.name} that somebody works on`, () => {
      const { rewrite, lock } = kind
      if (rewrite && lock) {
        it('is locked, and whoever waits for it has enough: the run ends', async () => {
          const { project, table } = await shop(orders, incremental, schema, incremental)
          const other = await kind.connect(server.url)
          await other.query(lock.take(table))
          const stop = new AbortController()
          const running = project.run({ signal: stop.signal })
          await until('it waits', async () =>
            JSON.stringify(await client.query(lock.waits)).includes('waits'),
          )
          stop.abort()
          expect((await running).outcome).toBe('cancelled')
          await other.query(lock.leave)
          await other.end()
          await good(project)
        })

        it('is written anew while it is read: that waits', async () => {
          const other = await kind.connect(server.url)
          let rewritten: Promise<unknown> | undefined
          const { project, table, storage, all } = await large(() => {
            rewritten = other.query(rewrite(table))
          })
          expect((await project.runOn(storage, parts)).outcome).toBe('done')
          await rewritten
          await other.end()
          await all()
        })

        it('is written anew between two parts of its first reading: it begins anew', async () => {
          const stop = new AbortController()
          const { project, table, storage, all } = await large(() => stop.abort())
          const stopped = await project.runOn(storage, { ...parts, signal: stop.signal })
          expect(stopped.outcome).toBe('cancelled')
          await client.query(`UPDATE ${table} SET amount = amount + 1`)
          await client.query(rewrite(table))
          await good(project, parts)
          await all()
        })
      }

      it('has the rows that changes move, between two parts of its first reading, to where was read', async () => {
        const stop = new AbortController()
        const { project, table, storage, all } = await large(() => stop.abort(), 'id')
        const free = '(id < 2000 OR id % 100 = 0)'
        // What is freed at its beginning takes the next rows that are written.
        await client.query(`UPDATE ${table} SET amount = amount + 1 WHERE ${free}`)
        await client.query(kind.source === 'postgres' ? `VACUUM ${table}` : `SELECT 1`)
        const stopped = await project.runOn(storage, { ...parts, signal: stop.signal })
        expect(stopped.outcome).toBe('cancelled')
        await client.query(`UPDATE ${table} SET amount = -id WHERE id > 28000`)
        const rest = await good(project, parts)
        expect(step(rest, 'bronze.rows').reason).toBe('its first load continues')
        await all()
        const changed = 'SELECT count(*) AS n FROM silver.rows WHERE id > 28000 AND amount <> -id'
        expect(await project.query(changed)).toEqual([{ n: 0n }])
        expect((await good(project)).steps.map((s) => s.outcome)).toEqual([
          'unchanged',
          'unchanged',
        ])
      })

      it('on a server that is started again in the middle is read further', async () => {
        const { project, storage, all } = await large(() => void server.kill())
        const record = await project.runOn(storage, parts)
        expect(record.outcome).toBe('failed')
        await server.start()
        await client.end().catch(() => {})
        client = await kind.connect(server.url)
        const rest = await good(project, parts)
        expect(step(rest, 'bronze.rows').reason).toBe('its first load continues')
        await all()
      })
    })

    describe(`columns of ${kind.name} that change`, () => {
      const drifting = async (drift: string) => {
        const made = await shop(orders, `${incremental}, drift: '${drift}'`, schema, incremental)
        await client.query(`INSERT INTO ${made.table} VALUES (1, 10, ${kind.now})`)
        await good(made.project)
        await client.query(`ALTER TABLE ${made.table} ADD COLUMN note varchar(20)`)
        await client.query(
          `INSERT INTO ${made.table} (id, amount, changed, note) VALUES (2, 20, ${kind.now}, 'new')`,
        )
        return made
      }

      it('are taken as they are, and told', async () => {
        const { project, table } = await drifting('evolve')
        const told = step(await good(project), 'bronze.rows').notes?.join()
        expect(told).toMatch(/column 'note' \(.+\) is new/)
        expect(await project.query('SELECT id, note FROM bronze.rows ORDER BY id')).toEqual([
          { id: '1', note: null },
          { id: '2', note: 'new' },
        ])
        await client.query(`ALTER TABLE ${table} DROP COLUMN amount`)
        await client.query(`INSERT INTO ${table} (id, changed) VALUES (3, ${kind.now})`)
        // What reads the column says so; the rows are there.
        const record = await project.run()
        expect(step(record, 'bronze.rows').notes).toContain("column 'amount' was removed")
        expect(step(record, 'silver.rows').error?.message).toBe(
          "silver.rows: its input has no column 'amount'",
        )
        expect((await amounts(project)).length).toBe(2)
        expect(await project.query('SELECT count(*) AS n FROM bronze.rows')).toEqual([{ n: 3n }])
      })

      it('are there for rows of before, too: they are replayed, and traced to their source', async () => {
        const known = (ids: string, more = '') => `
import { bronze, defineLake, gold, rule, silver, sql, t, z } from 'moraine'
import { ${kind.source} } from 'moraine/sources'
const raw = bronze('rows', { from: ${kind.source}({ url: '${server.url}' }).table('${table}', { ${incremental} }) })
const rows = silver('rows', {
  from: raw, ${incremental}, rules: [rule('known', sql\`id in (${ids})\`)],
  schema: z.object({ ${schema}${more} }),
})
const sums = gold('sums', { query: sql\`select sum(amount) as amount from \${rows}\` })
export default defineLake({ name: 'shop', datasets: [sums] })
`
        const { project, table } = await shop(orders, incremental, schema, incremental)
        await project.write({ 'lake.ts': known('1, 3') })
        const add = (id: number, more = '') =>
          client.query(`INSERT INTO ${table} VALUES (${id}, ${id * 10}, ${kind.now}${more})`)
        await add(1)
        await add(2)
        await good(project)
        await client.query(`ALTER TABLE ${table} ADD COLUMN note varchar(20)`)
        await add(3, ", 'new'")
        const note = ', note: z.string().nullable()'
        await project.write({ 'lake.ts': known('1, 3', note) })
        await good(project)
        await project.write({ 'lake.ts': known('1, 2, 3', note) })
        await good(project, { replay: { dataset: 'silver.rows' }, select: ['silver.rows+'] })
        expect(await project.query('SELECT id, note FROM silver.rows ORDER BY id')).toEqual([
          { id: 1, note: null },
          { id: 2, note: null },
          { id: 3, note: 'new' },
        ])
        const why = await project.cli('why', 'gold.sums', '--where', 'true', '--column', 'amount')
        expect([why.code, why.stderr]).toEqual([0, ''])
      })

      it('that get another name: the error says how to read both names', async () => {
        const { project, table } = await shop(orders, incremental, schema, incremental)
        await client.query(`INSERT INTO ${table} VALUES (1, 10, ${kind.now})`)
        await good(project)
        await client.query(`ALTER TABLE ${table} RENAME COLUMN amount TO total`)
        await client.query(`INSERT INTO ${table} VALUES (2, 20, ${kind.now})`)
        const { error } = step(await project.run(), 'silver.rows')
        const select = 'select: { amount: sql`coalesce(total, amount)` }'
        expect(error?.hint).toContain(select)
        const path = join(project.folder, 'lake.ts')
        const before = await readFile(path, 'utf8')
        await project.write({ 'lake.ts': before.replace('schema:', `${select}, schema:`) })
        await good(project)
        expect(await amounts(project)).toEqual([
          { id: 1, amount: 10 },
          { id: 2, amount: 20 },
        ])
      })

      it('keep a frozen source from being read', async () => {
        const { project } = await drifting('freeze')
        const { error } = step(await project.run(), 'bronze.rows')
        expect(error?.message).toContain("The columns of its source have changed: column 'note'")
        expect(await amounts(project)).toEqual([{ id: 1, amount: 10 }])
      })

      it('are left out where that is asked for', async () => {
        const { project, table } = await drifting('discard')
        const told = step(await good(project), 'bronze.rows').notes?.join()
        expect(told).toMatch(/column 'note' \(.+\) is new/)
        await client.query(
          `INSERT INTO ${table} (id, amount, changed, note) VALUES (3, 30, ${kind.now}, 'newer')`,
        )
        await good(project)
        const rows = await project.query('SELECT * FROM bronze.rows ORDER BY id')
        expect(rows.map(({ id }) => id)).toEqual(['1', '2', '3'])
        expect(Object.keys(rows[0] ?? {})).not.toContain('note')
      })
    })

    describe(`what is wrong with ${kind.name}`, () => {
      it.each([
        [
          'a table that is not there',
          'no_such_table',
          /no_such_table.*(does not exist|doesn't exist)/,
        ],
      ])('%s', async (_, table, message) => {
        const project = await projectOn(table, incremental, schema, incremental)
        const record = await project.run()
        expect(step(record, 'bronze.rows').error?.message).toMatch(message)
        expect(step(record, 'bronze.rows').error?.hint).toContain('Check the name')
      })

      it('a column that is called as one of the lake itself', async () => {
        const { project, table } = await shop(orders, incremental, schema, incremental)
        await client.query(`ALTER TABLE ${table} ADD COLUMN _batch varchar(20)`)
        const { error } = step(await project.run(), 'bronze.rows')
        expect(error?.message).toContain("'_batch' is a reserved column of bronze datasets")
        expect(error?.hint).toContain('"_batch" as other_name')
      })

      it('a cursor that is no column', async () => {
        const { project } = await shop(orders, "key: 'id', cursor: 'chnaged'", schema, incremental)
        const { error } = step(await project.run(), 'bronze.rows')
        expect(error).toMatchObject({
          message: "The source has no column 'chnaged'",
          hint: "Did you mean 'changed'?",
        })
      })

      it('nobody who answers; and no secret is told anywhere', async () => {
        const url = `${kind.source}://shop:s3cr%21t-word@127.0.0.1:1/shop`
        const project = await projectOn('orders', incremental, schema, incremental, url)
        const outputs = await Promise.all([
          project.cli('plan'),
          project.cli('run'),
          project.cli('run', '--json'),
        ])
        for (const { code, stdout, stderr } of outputs) {
          expect(code).toBe(1)
          expect(stdout + stderr).toMatch(/connection refused/)
          expect(stdout + stderr).not.toMatch(/s3cr%21t-word|s3cr!t-word/)
        }
        for (const file of await readdir(join(project.folder, 'lake'), {
          recursive: true,
          withFileTypes: true,
        }))
          if (file.isFile())
            expect(await readFile(join(file.parentPath, file.name), 'latin1')).not.toMatch(
              /s3cr.{1,3}t-word/,
            )
      })

      it('encryption that the server does not have: nothing is sent in the clear', async () => {
        const project = await Project.create({
          'lake.ts': `
import { bronze, defineLake } from 'moraine'
import { ${kind.source} } from 'moraine/sources'
const db = ${kind.source}({ url: '${server.url}', tls: true })
export default defineLake({ name: 'shop', datasets: [bronze('rows', { from: db.table('rows') })] })
`,
        })
        const { error } = step(await project.run(), 'bronze.rows')
        expect(error?.message).toMatch(/does not support (SSL|secure) connection/)
      })

      it('a URL that the environment does not have', async () => {
        const project = await Project.create({
          'lake.ts': `
import { bronze, defineLake } from 'moraine'
import { ${kind.source} } from 'moraine/sources'
const db = ${kind.source}({ url: process.env.NO_SUCH_URL })
export default defineLake({ name: 'shop', datasets: [bronze('rows', { from: db.table('rows') })] })
`,
        })
        const { error } = step(await project.run(), 'bronze.rows')
        expect(error?.message).toMatch(/The address of the .* database is missing/)
      })
    })
  })

/** A program that is there where small disks can be mounted: only root may. */
const mayMount = process.getuid?.() === 0 ? '/usr/bin/mount' : undefined

/** A zone an hour ahead of UTC, whose clocks are put back in twelve hours. */
function zoneThatGoesBack(): string {
  const day = (hours: number) => {
    const time = new Date(Date.now() + hours * 3600e3)
    const days = Math.floor((time.getTime() - Date.UTC(time.getUTCFullYear(), 0, 1)) / 86400e3)
    return `${days}/${time.getUTCHours()}`
  }
  return `AAA0BBB-1,${day(-100 * 24)},${day(13)}`
}

/**
 * Reads a table by a time without a zone, and says how many minutes before now by the server's
 * clock the next window begins.
 */
async function overlap(source: string, url: string, client: Client): Promise<number> {
  const type = source === 'mysql' ? 'datetime(6)' : 'timestamp'
  await client.query(`CREATE TABLE times (id int, changed ${type})`)
  // A row of just now, as the server's clock shows it: an hour ahead of UTC.
  await client.query(
    `INSERT INTO times VALUES (1, '${new Date(Date.now() + 3600e3).toISOString().slice(0, 19)}')`,
  )
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake } from 'moraine'
import { ${source} } from 'moraine/sources'
export default defineLake({ name: 'times', datasets: [bronze('times', { from: ${source}('${url}').table('times', { cursor: 'changed' }) })] })
`,
  })
  expect((await project.run()).outcome).toBe('done')
  const { from } = (await project.state()).watermarks['bronze.times'] as { from: string }
  return Math.round((Date.now() + 3600e3 - Date.parse(`${from.replace(' ', 'T')}Z`)) / 60e3)
}

withService('PostgreSQL', [postgresPrograms], () => {
  it('a table that somebody waits to change is read all the same', async () => {
    const server = await startPostgres()
    const [client, other] = [new pg.Client(server.url), new pg.Client(server.url)]
    try {
      for (const one of [client, other]) {
        one.on('error', () => {})
        await one.connect()
      }
      await client.query('CREATE TABLE rows AS SELECT n AS id FROM generate_series(1, 1000) n')
      const source = postgres(server.url).table('rows')
      const reader = await openReader(postgresDialect, { url: server.url }, { sources: [source] })
      await reader.columns(source)
      const changed = other.query('ALTER TABLE rows ADD COLUMN more int')
      await new Promise((resolve) => setTimeout(resolve, 200))
      const folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
      const what = { source, columns: ['id'], conditions: [] }
      const never = new AbortController().signal
      const read = () => reader.extract(what, join(folder, 'rows'), never)
      expect((await read()).bytes).toBe(3893)
      expect((await read()).bytes).toBe(3893)
      await reader.close()
      await changed
      await rm(folder, { recursive: true })
    } finally {
      await client.end()
      await other.end()
      await server.stop()
    }
  })

  it('a wrong password, and a secret that is not there, are told and not printed', async () => {
    const server = await startPostgres()
    const client = new pg.Client(server.url)
    client.on('error', () => {})
    await client.connect()
    try {
      await client.query("CREATE ROLE shop LOGIN PASSWORD 'r1ght-word'")
      const rules = join(server.data, 'pg_hba.conf')
      await writeFile(
        rules,
        `host all shop 127.0.0.1/32 scram-sha-256\n${await readFile(rules, 'utf8')}`,
      )
      await client.query('SELECT pg_reload_conf()')
      const reading = (password: string) =>
        Project.create({
          'lake.ts': `
import { bronze, defineLake } from 'moraine'
import { postgres, secret } from 'moraine/sources'
const db = postgres({ host: '127.0.0.1', port: ${server.port}, user: 'shop', database: 'postgres', password: ${password} })
export default defineLake({ name: 'shop', datasets: [bronze('roles', { from: db.query('SELECT current_user AS me') })] })
`,
          password: 'r1ght-word\n',
        })
      const wrong = await (await reading("'wr0ng-word'")).run()
      expect(step(wrong, 'bronze.roles').error?.message).toMatch(
        /it refused the user or the password/,
      )
      expect(JSON.stringify(wrong)).not.toContain('wr0ng-word')
      const none = step(await (await reading('undefined')).run(), 'bronze.roles').error
      expect(none?.message).toMatch(/it requires a password, but none is given/)
      expect(none?.hint).toContain('secret(')
      const missing = await (await reading("secret('env:NO_SUCH_SECRET')")).run()
      expect(step(missing, 'bronze.roles').error).toMatchObject({
        message: 'The secret env:NO_SUCH_SECRET is missing or empty',
      })
      const project = await reading("secret('file:' + import.meta.dirname + '/password')")
      expect((await project.run()).outcome).toBe('done')
      expect(await project.query('SELECT me FROM bronze.roles')).toEqual([{ me: 'shop' }])
    } finally {
      await client.end()
      await server.stop()
    }
  })

  it('a table with times without a zone is read once more from before the clocks are put back', async () => {
    const server = await startPostgres()
    const client = new pg.Client(server.url)
    client.on('error', () => {})
    await client.connect()
    try {
      await client.query(`ALTER DATABASE postgres SET timezone = '${zoneThatGoesBack()}'`)
      expect(await overlap('postgres', server.url, client)).toBe(60)
    } finally {
      await client.end()
      await server.stop()
    }
  })

  it('every type comes through as the text that the database writes', async () => {
    const server = await startPostgres()
    try {
      const client = new pg.Client(server.url)
      client.on('error', () => {})
      await client.connect()
      await client.query(`
        CREATE TYPE mood AS ENUM ('happy', 'sad, or "so"');
        CREATE TABLE things (id int, n numeric, d numeric(30,5), f float8, b boolean, t text, j jsonb, u uuid, y bytea,
          z timestamptz, s timestamp, dt date, m mood, a text[], i interval, "Mixed ""Name" text);
        INSERT INTO things VALUES
          (1, 123456789012345678901234567890.123456789, 1.5, 0.1, true, '', '{"a": "x,y"}', '6f9619ff-8b86-d011-b42d-00c04fc964ff', '\\x00ff',
            '2026-01-31 23:59:59.123456+02', '2026-01-31 10:00:00', '2026-01-31', 'sad, or "so"', '{a,"b,c",NULL}', '1 day 02:00', E'a\\r\\nb'),
          (2, 'NaN', NULL, 'Infinity', false, NULL, NULL, NULL, NULL, 'infinity', '-infinity', 'infinity', NULL, NULL, NULL, E'\\t"\\\\.'),
          (3, 0, -0.00001, 1e300, NULL, '\\N', 'null', NULL, '', '0044-03-15 12:00:00+00 BC', NULL, NULL, 'happy', '{}', NULL, ''),
          (4, -1, 7, 'NaN', NULL, repeat('long ', 700000), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, E'line\\n'||repeat(E'ends\\n', 600000));`)
      const expected = await client
        .query({
          text: `SET TimeZone = 'UTC'`,
        })
        .then(() =>
          client.query(`SELECT id::text, n::text, d::text, f::text, CASE WHEN b THEN 't' WHEN NOT b THEN 'f' END AS b, t, j::text, u::text, y::text,
          z::text, s::text, dt::text, m::text, a::text, i::text, "Mixed ""Name" FROM things ORDER BY id`),
        )
      for (const valuesFrom of [0, Number.POSITIVE_INFINITY]) {
        const project = await Project.create({
          'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { postgres } from 'moraine/sources'
const raw = bronze('things', { from: postgres('${server.url}').table('things') })
const things = silver('things', { from: raw, schema: z.object({ id: t.int(), d: t.decimal(30, 5).nullable(), s: t.timestamp().nullable(), dt: t.date().nullable(), f: t.double() }) })
export default defineLake({ name: 'things', datasets: [things] })
`,
        })
        const record = await project.run({ valuesFrom })
        expect(record.steps.map(({ error }) => error).filter(Boolean)).toEqual([])
        const rows = await project.query('SELECT * FROM bronze.things ORDER BY id')
        const own = rows.map(({ _batch, _source_file, _source_line, _error, _raw, ...row }) => row)
        expect(own).toEqual(expected.rows)
        // What is no value of its type is discarded with its reason.
        expect(step(record, 'silver.things').counts).toMatchObject({ in: 4, kept: 2, discarded: 2 })
      }
      await client.end()
    } finally {
      await server.stop()
    }
  })

  it('rows are found by the transaction that wrote them; tables are read at one moment', async () => {
    const server = await startPostgres()
    try {
      const client = new pg.Client(server.url)
      client.on('error', () => {})
      await client.connect()
      await client.query(
        'CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY, v int)',
      )
      await client.query(
        'INSERT INTO a SELECT i, 0 FROM generate_series(1, 1000) i; INSERT INTO b SELECT * FROM a',
      )
      const project = await Project.create({
        'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { postgres } from 'moraine/sources'
const db = postgres({ url: '${server.url}' })
const schema = z.object({ id: t.int(), v: t.int() })
const [a, b] = ['a', 'b'].map((name) => silver(name, { from: bronze(name, { from: db.table(name, { key: 'id', cursor: 'xmin' }) }), schema, key: 'id' }))
export default defineLake({ name: 'two', datasets: [a, b] })
`,
      })
      let done = false
      const writer = (async () => {
        for (let i = 1; !done; i++) {
          const id = (i * 37) % 1000
          await client.query(
            `BEGIN; UPDATE a SET v = v + 1 WHERE id = ${id}; UPDATE b SET v = v + 1 WHERE id = ${id}; COMMIT`,
          )
        }
      })()
      for (let i = 0; i < 5; i++) {
        expect((await project.run({ partBytes: 16_384 })).outcome).toBe('done')
        const [same] = await project.query(
          'SELECT (SELECT sum(v) FROM silver.a) = (SELECT sum(v) FROM silver.b) AS s',
        )
        expect(same).toEqual({ s: true })
      }
      done = true
      await writer
      expect((await project.run()).outcome).toBe('done')
      await client.query('UPDATE a SET v = v + 1 WHERE id = 7')
      expect(step(await project.run(), 'bronze.a').rows).toBe(1)
      expect(step(await project.run(), 'bronze.a').outcome).toBe('unchanged')
      const { rows } = await client.query('SELECT sum(v)::text AS s FROM a')
      expect(await project.query('SELECT CAST(sum(v) AS VARCHAR) AS s FROM silver.a')).toEqual(rows)
      await client.end()
    } finally {
      await server.stop()
    }
  })
})

withService(
  'PostgreSQL, and a disk that can be made small (mount)',
  [postgresPrograms, mayMount],
  () => {
    it('a full disk on the way is told, and nothing is lost', async () => {
      const server = await startPostgres()
      const client = new pg.Client(server.url)
      client.on('error', () => {})
      await client.connect()
      const disk = await mkdtemp(join(tmpdir(), 'moraine-disk-'))
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk])
      const { TMPDIR } = process.env
      try {
        await client.query(
          "CREATE TABLE rows AS SELECT n AS id, repeat('x', 50) AS note FROM generate_series(1, 100000) n",
        )
        const project = await Project.create({
          'lake.ts': `
import { bronze, defineLake } from 'moraine'
import { postgres } from 'moraine/sources'
export default defineLake({ name: 'shop', datasets: [bronze('rows', { from: postgres('${server.url}').table('rows') })] })
`,
        })
        process.env.TMPDIR = disk
        const { error } = step(await project.run(), 'bronze.rows')
        expect(error?.message).toContain('The disk for temporary files is full')
        expect(error?.hint).toContain('TMPDIR')
        expect(await readdir(disk)).toEqual([])
        delete process.env.TMPDIR
        expect(step(await project.run(), 'bronze.rows').rows).toBe(100_000)
      } finally {
        if (TMPDIR !== undefined) process.env.TMPDIR = TMPDIR
        execFileSync('umount', ['-l', disk])
        await client.end()
        await server.stop()
      }
    })
  },
)

withService('MariaDB', [mariadbProgram], () => {
  it('a table with times without a zone is read once more from before the clocks are put back', async () => {
    const server = await startMariadb(zoneThatGoesBack())
    const client = await mysql.createConnection({ uri: server.url })
    try {
      expect(await overlap('mysql', server.url, client as unknown as Client)).toBe(60)
    } finally {
      await client.end()
      await server.stop()
    }
  })

  it('every type comes through as the text that the database writes', async () => {
    const server = await startMariadb()
    try {
      const client = await mysql.createConnection({ uri: server.url, multipleStatements: true })
      await client.query(`
        SET sql_mode = '';
        CREATE TABLE things (id int, big bigint unsigned, d decimal(65,30), f float, b bit(8), e enum('x', 'y,"z'), st set('p', 'q'), j json,
          y blob, z timestamp(6) NULL, s datetime, dt date, t text, latin varchar(20) CHARACTER SET latin1, yr year, ti time);
        SET time_zone = '+02:00';
        INSERT INTO things VALUES
          (1, 18446744073709551615, 12345678901234567890.123456789012345678901234567890, 0.1, b'101', 'y,"z', 'p,q', '{"a": "x,y"}',
            x'00ff', '2026-01-31 12:00:00.5', '2026-01-31 10:00:00', '0000-00-00', '', 'äé', 2026, '-12:30:00'),
          (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '0000-00-00 00:00:00', '2026-02-30', NULL, 'a\\nb', NULL, NULL)`)
      await client.end()
      const project = await Project.create({
        'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { mysql } from 'moraine/sources'
const raw = bronze('things', { from: mysql('${server.url}').table('things') })
const things = silver('things', { from: raw, schema: z.object({ id: t.int(), dt: t.date() }) })
export default defineLake({ name: 'things', datasets: [things] })
`,
      })
      const record = await project.run()
      expect(record.outcome).toBe('done')
      const rows = await project.query('SELECT * FROM bronze.things ORDER BY id')
      const own = rows.map(({ _batch, _source_file, _source_line, _error, _raw, ...row }) => row)
      const nothing = Object.fromEntries(Object.keys(own[0] ?? {}).map((name) => [name, null]))
      expect(own).toEqual([
        {
          id: '1',
          big: '18446744073709551615',
          d: '12345678901234567890.123456789012345678901234567890',
          f: '0.1',
          b: '5',
          e: 'y,"z',
          st: 'p,q',
          j: '{"a": "x,y"}',
          y: '\\x00ff',
          z: '2026-01-31 10:00:00.500000+00',
          s: '2026-01-31 10:00:00',
          dt: '0000-00-00',
          t: '',
          latin: 'äé',
          yr: '2026',
          ti: '-12:30:00',
        },
        { ...nothing, id: '2', s: '0000-00-00 00:00:00', dt: '0000-00-00', latin: 'a\nb' },
      ])
      expect(step(record, 'silver.things').counts).toMatchObject({ in: 2, kept: 0, discarded: 2 })
    } finally {
      await server.stop()
    }
  })
})
