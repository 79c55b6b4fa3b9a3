import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import pg from 'pg'
import { Table } from '../src/iceberg/table.js'
import { CommitLog } from '../src/log/log.js'
import { LocalStorage } from '../src/storage/local.js'
import { Project } from '../test/support/project.js'
import { Served } from '../test/support/served.js'
import { benchFolder } from './tickit.js'

const DEFINITION = `import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('sales', { from: files('in/*.csv') })
const sales = silver('sales', { from: raw, key: 'id', schema: z.object({
  id: z.int(), shop: z.string(), day: t.date(), amount: t.decimal(10, 2) }) })
export default defineLake({ name: 'bench', datasets: [raw, sales] })
`

/**
 * What is asked: a row by its key, and a sum over all but one, each time another; and the same
 * again, which need not run.
 */
const QUERIES: Readonly<Record<string, (n: number) => string>> = {
  'one row': (n) => `SELECT id, shop, day, amount FROM silver.sales WHERE id = ${n}`,
  sums: (n) =>
    `SELECT shop, sum(amount) AS amount FROM silver.sales WHERE id <> ${n} GROUP BY shop`,
  again: () => 'SELECT shop, sum(amount) AS amount FROM silver.sales GROUP BY shop',
}

type Ask = (sql: string) => Promise<unknown>

/** How queries are asked, by clients that do so at the same time. */
interface Way {
  name: string
  clients: Ask[]
}

/** Clients that ask at the same time, where it is counted how many queries a second there are. */
const TOGETHER = 8

/**
 * Small queries through HTTP and PostgreSQL's protocol on a served lake, and by DuckDB directly on
 * the same files: how long one takes, and how many there are a second.
 *
 * @param scale times 100,000 rows.
 * @param pairs times 50 queries of each kind.
 */
export async function protocols(scale: number, pairs: number): Promise<string> {
  const folder = await benchFolder()
  await mkdir(join(folder, 'in'), { recursive: true })
  await writeFile(join(folder, 'lake.ts'), DEFINITION)
  await writeFile(join(folder, 'in/sales.csv'), salesCsv(scale * 100_000))
  const project = Project.at(folder)
  await project.run()
  const secret = { MORAINE_TOKEN: 'token-of-a-benchmark' }
  const served = Served.start(project, ['--query'], secret, () => {})
  const { url } = await served.line(({ event }) => event === 'query')
  try {
    const ways = [await directly(folder), overHttp(String(url), secret.MORAINE_TOKEN)]
    const { way, end } = await overPostgres(String(url), secret.MORAINE_TOKEN)
    const lines: string[] = []
    for (const [name, queryOf] of Object.entries(QUERIES))
      lines.push(...(await measured(name, queryOf, [...ways, way], pairs * 50)))
    await end()
    return lines.join('\n')
  } finally {
    served.child.kill('SIGTERM')
    await once(served.child, 'exit')
  }
}

function salesCsv(rows: number): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const day = new Date(Date.UTC(2024, 0, 1 + (i % 365))).toISOString().slice(0, 10)
    return `${i},shop ${i % 50},${day},${(i % 10_000) / 100}`
  })
  return `id,shop,day,amount\n${lines.join('\n')}\n`
}

async function directly(folder: string): Promise<Way> {
  const storage = new LocalStorage(join(folder, 'lake'))
  const { tables } = await new CommitLog(storage).head()
  const table = await Table.load(storage, tables['silver.sales']?.metadata ?? '')
  const files = (await table.scan()).map(({ path }) => join(folder, 'lake', table.pathOf(path)))
  const instance = await DuckDBInstance.create(':memory:')
  const first = await instance.connect()
  const list = files.map((file) => `'${file}'`).join(', ')
  await first.run(`CREATE SCHEMA silver; CREATE VIEW silver.sales AS FROM read_parquet([${list}])`)
  const clients = await Promise.all(
    Array.from({ length: TOGETHER }, async () => {
      const connection = await instance.connect()
      return async (sql: string) => (await connection.runAndReadAll(sql)).getRows()
    }),
  )
  return { name: 'DuckDB itself', clients }
}

function overHttp(url: string, token: string): Way {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const ask = async (sql: string) => {
    const body = JSON.stringify({ sql })
    const answer = await fetch(`${url}/v1/query`, { method: 'POST', headers, body })
    const found = (await answer.json()) as { rows?: unknown[] }
    if (!found.rows) throw new Error(JSON.stringify(found))
  }
  return { name: 'HTTP', clients: Array.from({ length: TOGETHER }, () => ask) }
}

async function overPostgres(url: string, password: string) {
  const { hostname: host, port } = new URL(url)
  const clients = await Promise.all(
    Array.from({ length: TOGETHER }, async () => {
      const client = new pg.Client({
        host,
        port: Number(port),
        user: 'token',
        password,
        database: 'bench',
      })
      await client.connect()
      return client
    }),
  )
  const way = {
    name: 'PostgreSQL',
    clients: clients.map((client) => (sql: string) => client.query(sql)),
  }
  return { way, end: () => Promise.all(clients.map((client) => client.end())) }
}

async function measured(
  name: string,
  queryOf: (n: number) => string,
  ways: readonly Way[],
  count: number,
): Promise<string[]> {
  const lines: string[] = []
  let asked = 0
  const next = () => queryOf(asked++)
  let direct: { ms: number; perSecond: number } | undefined
  for (const { name: way, clients } of ways) {
    const [first] = clients as [Ask]
    for (let i = 0; i < 10; i++) await first(next())
    const times: number[] = []
    for (let i = 0; i < count; i++) {
      const began = performance.now()
      await first(next())
      times.push(performance.now() - began)
    }
    const ms = times.sort((a, b) => a - b)[Math.floor(count / 2)] as number
    await Promise.all(clients.map((ask) => ask(next())))
    const began = performance.now()
    await Promise.all(
      clients.map(async (ask) => {
        for (let i = 0; i < count / TOGETHER; i++) await ask(next())
      }),
    )
    const perSecond = count / ((performance.now() - began) / 1000)
    direct ??= { ms, perSecond }
    const over = `${(ms - direct.ms).toFixed(1)} ms more, ${(ms / direct.ms).toFixed(1)} ×`
    lines.push(
      `${name.padEnd(8)} ${way.padEnd(14)} ${ms.toFixed(1).padStart(7)} ms  ${over.padEnd(22)} ${perSecond.toFixed(0).padStart(6)} a second by ${TOGETHER} clients, ${(perSecond / direct.perSecond).toFixed(2)} ×`,
    )
  }
  return lines
}
