import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeFiles } from '../../../examples/tickit/generate/files.js'
import { generate } from '../../../examples/tpcds/generate/main.js'
import { openStorage } from '../../../src/serve/index.js'
import type { Storage } from '../../../src/storage/storage.js'
import { startBuckets } from '../../support/buckets.js'
import { moraine, type Outcome, Project, repository } from '../../support/project.js'
import { Served } from '../../support/served.js'
import type { LakeAddress } from './engine.js'

const TOKEN = 'open-sesame'

const definition = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', {
  from: raw,
  key: 'id',
  schema: z.object({ id: t.int(), customer: z.string(), amount: t.decimal(12, 2), day: t.date() }),
})
const revenue = gold('daily_revenue', { query: sql\`select day, sum(amount) as revenue from \${orders} group by 1\` })
export default defineLake({ name: 'open', datasets: [orders, revenue] })
`
const rows =
  'id,customer,amount,day\n1,Ada,12.50,2026-01-01\n2,Bob,7.00,2026-01-02\n3,,x,2026-01-02\n'

/** A lake that is served. */
export interface OpenLake extends LakeAddress {
  storage: Storage
  /** Runs a command of Moraine on it. */
  cli: (...args: string[]) => Promise<Outcome>
}

/** Lakes with a catalog each, and what has to end with them. */
export class OpenLakes {
  readonly lakes: Record<string, OpenLake> = {}
  private readonly ends: (() => unknown)[] = []

  private constructor(readonly folder: string) {}

  /** @param endpoint whether there is an S3 server to be started, for lakes in buckets. */
  static async open(withBuckets: boolean): Promise<OpenLakes> {
    const folder = await mkdtemp(join(tmpdir(), 'moraine-lakes-'))
    const all = new OpenLakes(folder)
    all.ends.push(() => rm(folder, { recursive: true, force: true }))
    const own = Project.at(join(folder, 'own'))
    await own.write({ 'lake.ts': definition, 'in/1.csv': rows })
    const open = [
      all.add('folder', own, join(folder, 'lake')),
      all.addTickit(join(folder, 'tickit')),
      all.addOrders(join(folder, 'orders')),
    ]
    if (withBuckets) {
      const { server } = await startBuckets(['lakes'])
      all.ends.push(() => server.stop())
      const at = (name: string) => `s3://lakes/${name}?endpoint=${server.url}`
      open.push(
        all.add('bucket', own, at('lake'), undefined, {}, server.url),
        all.addTpcds(join(folder, 'tpcds'), at('tpcds'), server.url),
      )
    }
    await Promise.all(open)
    return all
  }

  private async add(
    name: string,
    project: Project,
    root: string,
    example = 'gold.daily_revenue',
    env: NodeJS.ProcessEnv = {},
    endpoint?: string,
  ): Promise<void> {
    const cli = (...args: string[]) => moraine(['-C', project.folder, '--root', root, ...args], env)
    const run = await cli('run')
    if (run.code !== 0) throw new Error(`${name}: ${run.stdout}\n${run.stderr}`)
    const atEnd = (end: () => unknown) => this.ends.push(end)
    const served = Served.start(
      project,
      ['--root', root, '--catalog'],
      { ...env, MORAINE_TOKEN: TOKEN },
      atEnd,
    )
    const { url } = await served.line(({ event }) => event === 'catalog')
    const isBucket = endpoint !== undefined
    this.lakes[name] = {
      url: String(url),
      token: TOKEN,
      example,
      cli,
      storage: openStorage(root),
      ...(isBucket ? { endpoint, withKeys: name !== 'bucket' } : {}),
    }
  }

  /** Of the large tables the first rows. */
  private async addTickit(folder: string): Promise<void> {
    const data = join(folder, 'data')
    await mkdir(data, { recursive: true })
    for (const { name, text } of makeFiles()) {
      const lines = text.split('\n')
      await writeFile(join(data, name), `${lines.slice(0, 10_000).join('\n')}\n`)
    }
    const project = Project.at(join(repository, 'examples/tickit'))
    await this.add('tickit', project, join(folder, 'lake'), 'gold.sales_by_month', {
      TICKIT_DATA: data,
    })
  }

  private async addTpcds(folder: string, root: string, endpoint: string): Promise<void> {
    await generate(folder, 0.001)
    const project = Project.at(join(repository, 'examples/tpcds'))
    await this.add('tpcds', project, root, 'gold.monthly_trends', { TPCDS_DATA: folder }, endpoint)
  }

  /** Orders that arrive and change, some of them wrong. */
  private async addOrders(root: string): Promise<void> {
    const landing = join(root, 'bronze/landing/orders')
    await mkdir(landing, { recursive: true })
    const statuses = await readFile(join(repository, 'examples/orders/reference/statuses.csv'))
    const known = String(statuses).trim().split('\n').slice(1)
    const line = (i: number) => ({
      order_id: i % 200,
      order_last_updated: new Date(Date.UTC(2026, 0, 1, i)).toISOString().slice(0, 19),
      customer_id: i % 41,
      order_status: known[i % known.length]?.split(',')[0],
      amount: i % 17 === 0 ? 'much' : `${i}.50`,
    })
    const lines = Array.from({ length: 500 }, (_, i) => JSON.stringify(line(i)))
    await writeFile(join(landing, '1.jsonl'), `${lines.join('\n')}\n`)
    await this.add(
      'orders',
      Project.at(join(repository, 'examples/orders')),
      root,
      'gold.orders_by_day',
    )
  }

  async close(): Promise<void> {
    for (const end of this.ends.reverse()) await end()
  }
}
