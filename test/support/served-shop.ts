import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { type Files, Project } from './project.js'
import { Served } from './served.js'

/** A shop with values that are not plain, and with principals of several rights. */
export const shop: Files = {
  'in/orders.csv': [
    'id,customer,amount,ordered_on,paid_at,note',
    '1,Ada,12.50,2024-01-31,2024-02-01T10:00:00.123456Z,first',
    '2,Bob,0.10,1999-12-31,2000-01-01T00:00:00Z,',
    '3,Çelik,99999.99,2024-02-29,,"quote "" and, comma"',
    '4,Dee,x,2024-02-29,,bad',
    '',
  ].join('\n'),
  'lake.ts': `import { bronze, check, defineLake, gold, principal, rule, silver, sql, t, workgroup, z } from 'moraine'
import { files, secret } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', {
  from: raw, key: 'id', description: 'Orders of the shop',
  schema: z.object({
    id: z.int().describe('Number of the order'), customer: z.string(), amount: t.decimal(10, 2),
    ordered_on: t.date(), paid_at: t.timestamptz().nullable(), note: z.string().nullable() }),
  rules: [rule('paid after it was ordered', sql\`paid_at IS NULL OR paid_at >= ordered_on\`)],
})
const daily = gold('daily', {
  description: 'Revenue by day', checks: [check.unique('day')],
  query: sql\`SELECT ordered_on AS day, sum(amount) AS revenue, count(*) AS orders FROM \${orders} GROUP BY 1\`,
})
export default defineLake({ name: 'shop', datasets: [raw, orders, daily], access: [
  principal('ada', { password: secret('env:ADA'), token: secret('env:ADA_TOKEN'), read: ['*', 'bronze.*', 'discarded.*'] }),
  principal('guest', { password: secret('env:GUEST'), token: secret('env:GUEST_TOKEN'), read: ['silver.orders'],
    masks: { 'silver.orders': { customer: sql\`'…'\` } }, rows: { 'silver.orders': sql\`id < 3\` } }),
  principal('auditor', { password: 'auditor-of-the-shop', read: ['system.*'] }),
], workgroups: [workgroup('all'), workgroup('small', { maxRows: 2, members: ['ada'] })] })
`,
}

export const secrets = {
  ADA: 'correct horse',
  ADA_TOKEN: 'token-of-ada-123',
  GUEST: 'battery staple',
  GUEST_TOKEN: 'token-of-guest-123',
}

export interface ServedShop {
  project: Project
  served: Served
  url: string
  port: number
  close: () => Promise<void>
}

/** The shop, built, and served with `--query`; to be closed. */
export async function serveShop(args: readonly string[] = []): Promise<ServedShop> {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-shop-'))
  const project = Project.at(folder)
  await project.write(shop)
  await project.run()
  const served = Served.start(project, ['--query', ...args], secrets, () => {})
  const found = await served.line(({ event }) => event === 'query')
  const url = String(found.url)
  const close = async () => {
    await served.stop()
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  return { project, served, url, port: Number(new URL(url).port), close }
}

/** A client that is connected, and has to be ended. */
export async function connect(port: number, options: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({
    ...{ host: '127.0.0.1', port, user: 'ada', password: secrets.ADA, database: 'shop' },
    ...options,
  })
  await client.connect()
  return client
}
