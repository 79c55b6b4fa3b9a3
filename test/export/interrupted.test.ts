import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DuckDBInstance } from '@duckdb/node-api'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { sample } from '../support/effort.js'
import { Project, repository, temporaryFolder } from '../support/project.js'
import { postgresPrograms, startPostgres } from '../support/servers.js'
import { withService } from '../support/services.js'

const ROWS = 40_000

/** Milliseconds after the first table is done. */
const DELAYS = [0, 20, 50, 80, 120, 160, 220, 300]

const lake = (target: string) => `
import { bronze, defineLake, duckdbFile, gold, silver, sql, t, warehouse, z } from 'moraine'
import { files, postgres } from 'moraine/sources'

const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.bigint(), amount: t.bigint(), at: t.timestamp() }),
  key: 'id',
  cursor: 'at',
})
const total = gold('total', { query: sql\`select count(*) as orders, sum(amount) as amount from \${orders}\` })
export default defineLake({
  name: 'shop',
  datasets: [total],
  exports: [warehouse(${target}, { tables: [total, orders], schema: 'reports', afterRuns: false })],
})
`

/** All rows with another amount: each time all of them are loaded. */
const rows = (time: number) =>
  `id,amount,at\n${Array.from({ length: ROWS }, (_, i) => `${i},${i + time},2026-01-01 00:00:${String(time).padStart(2, '0')}\n`).join('')}`

/** What a table adds up to after so many times. */
const sumOf = (time: number) => String((ROWS * (ROWS - 1)) / 2 + ROWS * time)

/** `moraine export`, as somebody starts it in a terminal. */
function startExport({ folder }: Project): { child: ChildProcess; first: Promise<unknown> } {
  const child = spawn(
    process.execPath,
    [join(repository, 'bin/moraine.js'), '-C', folder, 'export'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, NO_COLOR: '1' },
    },
  )
  const first = new Promise((resolve) => child.stdout.once('data', resolve))
  return { child, first }
}

/** Ctrl-C while the second of two tables is loaded, and what the target has then. */
async function interrupted(target: string, sumIn: (table: string) => Promise<string | undefined>) {
  const project = await Project.create({ 'lake.ts': lake(target), 'in/0.csv': rows(0) })
  expect((await project.cli('run')).code).toBe(0)
  expect((await project.cli('export')).code).toBe(0)
  for (const [i, delay] of sample(DELAYS, 1, 2).entries()) {
    const time = i + 1
    await project.write({ [`in/${time}.csv`]: rows(time) })
    expect((await project.cli('run')).code).toBe(0)
    const { child, first } = startExport(project)
    const ended = once(child, 'close')
    // The first table is done; the second one is somewhere.
    await Promise.race([first, ended])
    await sleep(delay)
    child.kill('SIGINT')
    const [code, signal] = await ended
    expect([0, 130, null]).toContain(code)
    const found = await sumIn('orders')
    expect([sumOf(time - 1), sumOf(time)], `${code} ${signal}`).toContain(found)
    expect(await sumIn('total')).toBe(sumOf(time))
    const again = await project.cli('export')
    expect([again.code, again.stdout]).toEqual([0, expect.not.stringContaining('failed')])
    expect(await sumIn('orders')).toBe(sumOf(time))
  }
}

describe('Ctrl-C while moraine export works', () => {
  it('leaves a file of DuckDB as before or after, and the next export goes on', async () => {
    const file = join(await temporaryFolder(), 'warehouse.duckdb')
    await interrupted(`duckdbFile('${file}')`, async (table) => {
      const instance = await DuckDBInstance.create(file, { access_mode: 'READ_ONLY' })
      try {
        const connection = await instance.connect()
        const sql = `select cast(sum(amount) as varchar) from reports.${table}`
        const [row] = (await connection.runAndReadAll(sql)).getRows()
        connection.closeSync()
        return row?.[0] as string
      } finally {
        instance.closeSync()
      }
    })
  })
})

withService('PostgreSQL', [postgresPrograms], () => {
  it('leaves PostgreSQL as before or after, and the next export goes on', async () => {
    const server = await startPostgres()
    const client = new pg.Client(server.url)
    await client.connect()
    try {
      await interrupted(`postgres('${server.url}')`, async (table) => {
        const sql = `select sum(amount)::text as amount from reports.${table}`
        return (await client.query<{ amount: string }>(sql)).rows[0]?.amount
      })
    } finally {
      await client.end()
      await server.stop()
    }
  })
})
