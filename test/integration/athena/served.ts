import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Lake } from '../../../src/define/lake.js'
import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import { loadLake } from '../../../src/load/load.js'
import { CommitLog } from '../../../src/log/log.js'
import { ServerState } from '../../../src/query/service/kept/server-state.js'
import { QueryService } from '../../../src/query/service/service.js'
import { runLake } from '../../../src/run/execute.js'
import { AwsProtocols } from '../../../src/serve/aws/aws-app.js'
import { Principals } from '../../../src/serve/principals.js'
import { queryApp } from '../../../src/serve/query/query-app.js'
import { catalog } from '../../../src/serve/rest/catalog.js'
import { listen } from '../../../src/serve/server.js'
import { LocalStorage } from '../../../src/storage/local.js'

/** Events and their sales, as a ticket shop has them; a column of people that some must not see. */
const definition = `
import { bronze, defineLake, gold, principal, silver, sql, t, workgroup, z } from 'moraine'
import { files } from 'moraine/sources'
export const events = silver('events', {
  from: bronze('events_raw', { from: files('events.csv') }),
  schema: z.object({ eventid: t.int(), name: z.string(), category: z.string().nullable(), starts: t.timestamp() }),
  key: 'eventid',
})
export const sales = silver('sales', {
  from: bronze('sales_raw', { from: files('sales.csv') }),
  schema: z.object({
    salesid: t.bigint(), eventid: t.int(), buyer: z.string(), qty: t.int(), price: t.decimal(8, 2), day: t.date(),
  }),
  key: 'salesid',
})
export const daily = gold('daily', { query: sql\`select day, sum(price) as revenue from \${sales} group by 1\` })
export default defineLake({
  name: 'tickets',
  datasets: [events, daily],
  workgroups: [
    workgroup('usual'),
    workgroup('tiny', { maxScan: '1KB' }),
    workgroup('team', { members: ['boss'], output: 's3://team-results/out/' }),
  ],
  access: [
    principal('boss', { token: 'boss-token-0001', accessKeyId: 'AKIABOSS', secretAccessKey: 'boss-secret-0001', read: ['*', 'bronze.*'], write: ['scratch.*', 'other.*'] }),
    principal('analyst', {
      accessKeyId: 'AKIAANALYST',
      secretAccessKey: 'analyst-secret-01',
      read: ['silver.*', 'gold.*'],
      masks: { 'silver.sales': { buyer: sql\`'hidden'\` }, 'silver.events': { starts: sql\`strftime(starts, '%Y')\` } },
      rows: { 'silver.sales': sql\`eventid < 5\` },
    }),
    principal('auditor', { accessKeyId: 'AKIAAUDITOR', secretAccessKey: 'auditor-secret-01', read: ['system.*'] }),
    principal('partner', {
      accessKeyId: 'AKIAPARTNER',
      secretAccessKey: 'partner-secret-01',
      read: ['scratch.*', 'silver.sales'],
      write: ['other.shared'],
      rows: { 'silver.sales': sql\`eventid < 5\` },
    }),
    principal('clerk', { accessKeyId: 'AKIACLERK', secretAccessKey: 'clerk-secret-0001', read: ['gold.daily'] }),
  ],
})
`

export interface ServedLake {
  folder: string
  url: string
  storage: LocalStorage
  log: CommitLog
  /** What a client's environment is to be, for a principal. */
  env: (name: 'boss' | 'analyst' | 'auditor' | 'partner' | 'clerk') => Record<string, string>
  errors: unknown[]
  /** Stops the server, and starts another in its place. */
  restart: () => Promise<void>
  close: () => Promise<void>
}

/**
 * A lake that has run once, behind the protocols of AWS on a port of this machine.
 *
 * @param names host names of the server, in addition to this machine's.
 */
export async function servedLake(names: readonly string[] = []): Promise<ServedLake> {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-athena-'))
  await mkdir(join(folder, 'lake'), { recursive: true })
  await writeFile(join(folder, 'lake.ts'), definition)
  await writeFile(join(folder, 'events.csv'), eventsCsv())
  await writeFile(join(folder, 'sales.csv'), salesCsv())
  const lake = await loadLake(join(folder, 'lake.ts'))
  const storage = new LocalStorage(join(folder, 'lake'))
  const engine = await DuckDB.start({ threads: 2 })
  const { steps, error } = await runLake(lake, { storage, engine })
  await engine.close()
  const failed = [error, ...steps.map((step) => step.error)].filter(Boolean)
  if (failed.length > 0) throw failed[0]
  const log = new CommitLog(storage)
  const errors: unknown[] = []
  const begin = (port: number) => started({ folder, lake, storage, log, errors, port, names })
  let running = await begin(0)
  const { port } = running
  const url = `http://127.0.0.1:${port}`
  const keys = {
    boss: 'boss-secret-0001',
    analyst: 'analyst-secret-01',
    auditor: 'auditor-secret-01',
    partner: 'partner-secret-01',
    clerk: 'clerk-secret-0001',
  }
  return {
    ...{ folder, url, storage, log, errors },
    env: (name) => ({
      ...(process.env.PATH === undefined ? {} : { PATH: process.env.PATH }),
      HOME: folder,
      AWS_ENDPOINT_URL: url,
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: `AKIA${name.toUpperCase()}`,
      AWS_SECRET_ACCESS_KEY: keys[name],
      AWS_EC2_METADATA_DISABLED: 'true',
    }),
    restart: async () => {
      await running.close()
      running = await begin(port)
    },
    close: async () => {
      await running.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

interface Starting extends Pick<ServedLake, 'folder' | 'storage' | 'log' | 'errors'> {
  lake: Lake
  port: number
  names: readonly string[]
}

/** A server, as `moraine serve --query` starts it. */
async function started({ folder, lake, storage, log, errors, port, names }: Starting) {
  const principals = new Principals(undefined, lake.access)
  const state = await ServerState.open(join(folder, 'state'))
  const service = new QueryService({ storage, log, lake, state })
  const onError = (problem: unknown) => errors.push(problem)
  const aws = new AwsProtocols({
    ...{ service, principals, storage, log, state, onError },
    folder: join(folder, 's3'),
  })
  await service.resume()
  await aws.resume()
  const server = await listen({
    port,
    host: '127.0.0.1',
    names,
    receivers: [],
    queries: queryApp(service, { principals, onError }),
    aws,
    catalog: catalog(storage, { access: lake.access, principals }),
  })
  const close = async () => {
    await server.close()
    await aws.close()
    await service.close()
    await state?.close()
  }
  return { port: server.port, close }
}

function eventsCsv(): string {
  const rows = Array.from({ length: 20 }, (_, i) =>
    [
      i,
      `"Event ${i}, ""live"""`,
      i % 4 === 0 ? '' : ['Opera', 'Rock', 'Plays'][i % 3],
      `2026-0${(i % 9) + 1}-15T19:30:00`,
    ].join(','),
  )
  return `eventid,name,category,starts\n${rows.join('\n')}\n`
}

function salesCsv(): string {
  const rows = Array.from({ length: 2500 }, (_, i) =>
    [
      i,
      i % 20,
      `buyer${i % 97}@example.com`,
      (i % 8) + 1,
      `${(i * 7) % 500}.${String(i % 100).padStart(2, '0')}`,
      `2026-0${(i % 9) + 1}-${String((i % 28) + 1).padStart(2, '0')}`,
    ].join(','),
  )
  return `salesid,eventid,buyer,qty,price,day\n${rows.join('\n')}\n`
}
