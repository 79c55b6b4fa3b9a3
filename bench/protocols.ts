import { join } from 'node:path'
import {
  AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  StartQueryExecutionCommand,
} from '@aws-sdk/client-athena'
import { DuckDBInstance } from '@duckdb/node-api'
import pg from 'pg'
import { Table } from '../src/iceberg/table.js'
import { CommitLog } from '../src/log/log.js'
import { LocalStorage } from '../src/storage/local.js'
import { salesLake, serveSales, TOKEN } from './served-sales.js'

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
 * Small queries through HTTP, PostgreSQL's protocol and Athena's on a served lake, and by DuckDB
 * directly on the same files: how long one takes, and how many there are a second.
 *
 * @param scale times 100,000 rows.
 * @param pairs times 50 queries of each kind.
 */
export async function protocols(scale: number, pairs: number): Promise<string> {
  const project = await salesLake(scale * 100_000)
  const { url, stop } = await serveSales(project)
  try {
    const { way, end } = await overPostgres(url)
    const ways = [await directly(project.folder), overHttp(url), way, overAthena(url)]
    const lines: string[] = []
    for (const [name, queryOf] of Object.entries(QUERIES))
      lines.push(...(await measured(name, queryOf, ways, pairs * 50)))
    await end()
    return lines.join('\n')
  } finally {
    await stop()
  }
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

function overHttp(url: string): Way {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
  const ask = async (sql: string) => {
    const body = JSON.stringify({ sql })
    const answer = await fetch(`${url}/v1/query`, { method: 'POST', headers, body })
    const found = (await answer.json()) as { rows?: unknown[] }
    if (!found.rows) throw new Error(JSON.stringify(found))
  }
  return { name: 'HTTP', clients: Array.from({ length: TOGETHER }, () => ask) }
}

/** Started, asked for until it is done, and read, as Athena's clients do, without their pauses. */
function overAthena(url: string): Way {
  const client = new AthenaClient({
    ...{ endpoint: url, region: 'us-east-1' },
    credentials: { accessKeyId: 'token', secretAccessKey: TOKEN },
  })
  const input = { ResultConfiguration: { OutputLocation: 's3://results/bench/' } }
  const ask = async (sql: string) => {
    const started = await client.send(
      new StartQueryExecutionCommand({ QueryString: sql, ...input }),
    )
    const id = { QueryExecutionId: started.QueryExecutionId }
    for (;;) {
      const { QueryExecution } = await client.send(new GetQueryExecutionCommand(id))
      const { State, StateChangeReason } = QueryExecution?.Status ?? {}
      if (State === 'SUCCEEDED') break
      if (State === 'FAILED') throw new Error(StateChangeReason)
    }
    await client.send(new GetQueryResultsCommand(id))
  }
  return { name: 'Athena', clients: Array.from({ length: TOGETHER }, () => ask) }
}

async function overPostgres(url: string) {
  const { hostname: host, port } = new URL(url)
  const clients = await Promise.all(
    Array.from({ length: TOGETHER }, async () => {
      const client = new pg.Client({
        host,
        port: Number(port),
        user: 'token',
        password: TOKEN,
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
