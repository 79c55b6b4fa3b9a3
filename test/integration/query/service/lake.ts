import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Lake } from '../../../../src/define/lake.js'
import { DuckDB } from '../../../../src/engine/duckdb/duckdb.js'
import { loadLake } from '../../../../src/load/load.js'
import { CommitLog } from '../../../../src/log/log.js'
import type { Caller } from '../../../../src/query/service/request.js'
import { QueryService } from '../../../../src/query/service/service.js'
import { runLake } from '../../../../src/run/execute.js'
import { Principals } from '../../../../src/serve/principals.js'
import { queryApp } from '../../../../src/serve/query/query-app.js'
import { LocalStorage } from '../../../../src/storage/local.js'

/** Customers with what others must not see, and their orders, in two regions. */
const definition = `
import { bronze, defineLake, gold, history, month, principal, silver, sql, t, workgroup, z } from 'moraine'
import { files } from 'moraine/sources'
export const customers = silver('customers', {
  from: bronze('people', { from: files('people.csv') }),
  schema: z.object({ id: t.int(), email: z.string(), salary: t.int(), region: z.string(), since: t.date() }),
  key: 'id',
  cursor: 'since',
  history: true,
})
export const orders = silver('orders', {
  from: bronze('orders', { from: files('orders*.csv') }),
  schema: z.object({ id: t.int(), customer: t.int(), amount: t.decimal(9, 2), day: t.date(), note: z.string() }),
  key: 'id',
  partitionBy: [month('day')],
})
export const days = gold('days', { query: sql\`select day, count(*) as n from \${orders} group by 1\` })
export const totals = gold('totals', { query: sql\`select customer, sum(amount) as total from \${orders} group by 1\` })
export const contacts = gold('contacts', { view: true, query: sql\`select id, email, salary from \${customers}\` })
export const moves = gold('moves', { view: true, query: sql\`select id, email, salary, region from \${history(customers)}\` })
export default defineLake({
  name: 'service',
  datasets: [totals, contacts, days, moves],
  workgroups: [
    workgroup('bi', { members: ['boss'], maxScanPerDay: '1GB' }),
    workgroup('tiny', { members: ['boss'], maxScan: '2kB' }),
    workgroup('partitions', { members: ['boss'], partitionFilters: ['silver.*'], tables: ['silver.orders', 'gold.*'] }),
    workgroup('one', { members: ['boss'], concurrency: 1, waiting: 2, timeout: '20s' }),
  ],
  access: [
    principal('boss', { token: 'boss-token-0001', secretAccessKey: 'boss-secret-0001', read: ['*', 'bronze.*', 'history.*'] }),
    principal('analyst', {
      token: 'analyst-token-01',
      password: 'analyst-password-01',
      read: ['silver.*', 'gold.*', 'history.*'],
      masks: { 'silver.customers': { email: sql\`left(email, 1) || '…'\`, salary: sql\`round(salary, -4)\` } },
      rows: { 'silver.customers': sql\`region = 'EU'\` },
    }),
    principal('auditor', { token: 'auditor-token-01', password: 'auditor-password-01', read: ['system.*'] }),
    principal('guest', {
      token: 'guest-token-0001',
      read: ['system.queries', 'system.runs'],
      masks: { 'system.queries': { sql: sql\`left(sql, 6)\` } },
      rows: { 'system.queries': sql\`principal = 'analyst'\` },
    }),
    principal('clerk', { token: 'clerk-token-0001', read: ['gold.totals', 'gold.contacts'] }),
  ],
})
`

export interface ServiceLake {
  /** Runs the lake once more, with these lines in a file of orders beside the first. */
  run: (orders?: string) => Promise<void>
  folder: string
  lake: Lake
  storage: LocalStorage
  log: CommitLog
  as: (token: string) => Promise<Caller>
  close: () => Promise<void>
}

/** A lake that has run once. */
export async function serviceLake(): Promise<ServiceLake> {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-service-'))
  const people = Array.from(
    { length: 60 },
    (_, i) =>
      `${i},secret${i}@example.com,${100_000 + i * 1111},${i % 3 === 0 ? 'EU' : 'US'},2025-01-01`,
  )
  const orders = Array.from(
    { length: 240 },
    (_, i) =>
      `${i},${i % 60},${i}.50,2025-${String(Math.floor(i / 20) + 1).padStart(2, '0')}-15,note ${i}`,
  )
  await mkdir(join(folder, 'lake'), { recursive: true })
  await writeFile(join(folder, 'lake.ts'), definition)
  await writeFile(
    join(folder, 'people.csv'),
    `id,email,salary,region,since\n${people.join('\n')}\n`,
  )
  await writeFile(join(folder, 'orders.csv'), `id,customer,amount,day,note\n${orders.join('\n')}\n`)
  const lake = await loadLake(join(folder, 'lake.ts'))
  const storage = new LocalStorage(join(folder, 'lake'))
  let times = 0
  const run = async (lines?: string) => {
    const header = 'id,customer,amount,day,note\n'
    if (lines) await writeFile(join(folder, `orders-${++times}.csv`), header + lines)
    const engine = await DuckDB.start({ threads: 2 })
    const { steps, error } = await runLake(lake, { storage, engine })
    const failed = [error, ...steps.map((step) => step.error)].filter(Boolean)
    if (failed.length > 0) throw failed[0]
    await engine.close()
  }
  await run()
  const principals = new Principals(undefined, lake.access)
  const as = async (token: string) => (await principals.ofBearer(token))?.principal as Caller
  const close = () => rm(folder, { recursive: true, force: true })
  return { run, folder, lake, storage, log: new CommitLog(storage), as, close }
}

/** The same lake, asked over HTTP. */
export async function overHttp() {
  const made = await serviceLake()
  const service = new QueryService(made)
  const app = queryApp(service, { principals: new Principals(undefined, made.lake.access) })
  const close = async () => {
    await service.close()
    await made.close()
  }
  return { ...made, service, app, close }
}
