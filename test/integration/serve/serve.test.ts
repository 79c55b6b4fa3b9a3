import { mkdir, rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FAILURE, failingDecoder, POISON } from '../../support/poison.js'
import { moraine, Project } from '../../support/project.js'
import { type Line, Served } from '../../support/served.js'
import { until } from '../../support/until.js'

const lake = (more = '') => `
import { after, alert, bronze, check, defineLake, every, gold, silver, sql, t, z } from 'moraine'
import { inbox } from 'moraine/sources'
const raw = bronze('orders', { from: inbox({ settle: '50ms' }) })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.int(), amount: t.decimal(10, 2).min(0), changed: t.timestamp() }),
  key: 'id', cursor: 'changed',
  checks: [check.discarded({ max: '10%', severity: 'warn' })],
})
const total = gold('total', { query: sql\`select sum(amount) as total from \${orders}\`, schedule: after(orders) })
export default defineLake({ name: 'shop', datasets: [total], ${more} })
`

const csv = (...rows: string[]) => ['id,amount,changed', ...rows, ''].join('\n')

async function drop(project: Project, name: string, content: string): Promise<void> {
  const folder = join(project.folder, 'lake/bronze/landing/orders')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, `.${name}`), content)
  await rename(join(folder, `.${name}`), join(folder, name))
}

const totalOf = async (project: Project) =>
  (await project.query('SELECT CAST(total AS VARCHAR) AS total FROM gold.total'))[0]?.total

/** A program that is told by webhooks, and remembers what. */
async function receiver(): Promise<{ told: Line[]; port: number }> {
  const told: Line[] = []
  const server = createServer((request, answer) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      told.push(JSON.parse(body))
      answer.end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { told, port: (server.address() as { port: number }).port }
}

describe('moraine serve', () => {
  it('shows metrics to this machine, and to whoever a proxy lets through only with their token', async () => {
    const statusOf = async (token: string | undefined, ...args: string[]) => {
      const env = token === undefined ? {} : { MORAINE_METRICS_TOKEN: token }
      const served = Served.start(await Project.create({ 'lake.ts': lake() }), args, env)
      const { url } = await served.line(({ event }) => event === 'listening')
      const paths = ['metrics', 'status', 'healthz']
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const found = await Promise.all(
        paths.map(async (path) => (await fetch(`${url}/${path}`, { headers })).status),
      )
      await served.stop()
      return found
    }
    expect(await statusOf(undefined)).toEqual([200, 200, 200])
    expect(await statusOf(undefined, '--behind-proxy')).toEqual([404, 404, 200])
    expect(await statusOf('token-of-metrics', '--behind-proxy')).toEqual([200, 200, 200])
  })

  it('brings a file that is dropped to gold, by an event and by what comes after it', async () => {
    const project = await Project.create({ 'lake.ts': lake() })
    const served = Served.start(project)
    await served.line(({ event }) => event === 'listening')
    await drop(project, 'a.csv', csv('1,10.00,2026-01-01 10:00:00'))
    const done = (job: string, n: number) => () =>
      served.lines.filter((line) => line.event === 'job finished' && line.job === job).length >= n
    await served.line(done('gold.total', 1))
    await drop(project, 'b.csv', csv('2,5.00,2026-01-01 10:00:00'))
    await served.line(done('gold.total', 2))
    const url = String(served.lines.find(({ event }) => event === 'listening')?.url)
    const metrics = await (await fetch(`${url}/metrics`)).text()
    expect(metrics).toContain('moraine_rows_total{dataset="silver.orders",result="kept"} 2')
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    expect(await served.stop()).toBe(0)
    expect(await totalOf(project)).toBe('15.00')
    // Each line of a run says which run, dataset and step it is about.
    const steps = served.lines.filter(({ event }) => String(event).startsWith('step'))
    expect(steps.length).toBeGreaterThan(0)
    for (const line of steps)
      expect([line.run, line.dataset, line.step, line.time]).not.toContain(undefined)
    const shown = await project.cli('schedule')
    expect(shown.stdout).toMatch(/bronze\.orders +when data arrives +- +\d{4}-.* waiting/)
    expect(shown.stdout).toMatch(/gold\.total +after silver\.orders/)
  })

  it('takes a file once when two of them serve a lake, also when one is killed', async () => {
    const project = await Project.create({ 'lake.ts': lake() })
    const both = [Served.start(project), Served.start(project)] as const
    for (const served of both) await served.line(({ event }) => event === 'listening')
    for (let i = 1; i <= 6; i++) {
      await drop(project, `${i}.csv`, csv(`${i},1.00,2026-01-01 10:00:00`))
      if (i === 3) both[0].child.kill('SIGKILL')
      await sleep(150)
    }
    // A claim of the one that was killed is there for the other; its lease runs out by and by.
    const count = async () => {
      const [row] = await project.query('SELECT count(*) AS n FROM silver.orders').catch(() => [])
      return row?.n
    }
    await until('all files are in', async () => (await count()) === 6n, both[1].child)
    expect(await both[1].stop()).toBe(0)
    expect(await project.query('SELECT count(*) AS n FROM bronze.orders')).toEqual([{ n: 6n }])
    expect(await project.query('SELECT count(*) AS n FROM silver.orders')).toEqual([{ n: 6n }])
  })

  it('tells people what is wrong once, and when it is over', async () => {
    const { told, port } = await receiver()
    const hook = `http://127.0.0.1:${port}/hook-s3cret`
    const alerts = `alerts: [alert.webhook('${hook}'), alert.slack('${hook}', { on: ['warned'] }), alert.webhook('http://127.0.0.1:1/s3cret')]`
    const project = await Project.create({ 'lake.ts': lake(alerts) })
    const served = Served.start(project)
    await served.line(({ event }) => event === 'listening')
    await drop(project, 'a.csv', csv('1,10.00,2026-01-01 10:00:00', '2,-1,2026-01-01 10:00:00'))
    await served.line(({ event, on }) => event === 'alert' && on === 'warned')
    await served.line(({ event }) => event === 'warning')
    await drop(project, 'b.csv', csv('3,-1,2026-01-01 10:00:00'))
    await served.line(
      () =>
        served.lines.filter((l) => l.event === 'job finished' && l.job === 'bronze.orders').length >
        1,
    )
    expect(await served.stop()).toBe(0)
    expect(told.length).toBe(2)
    expect(told).toContainEqual(
      expect.objectContaining({ on: 'warned', lake: 'shop', dataset: 'silver.orders' }),
    )
    expect(told).toContainEqual({ text: expect.stringMatching(/^⚠ shop: silver\.orders warned: /) })
    expect(JSON.stringify(served.lines)).not.toContain('s3cret')
  })

  it('does not begin where an alert would tell others the secret address that it has', async () => {
    const alerts = `alerts: [alert.webhook(() => 'http://hooks.example.com/s3cret')]`
    const project = await Project.create({ 'lake.ts': lake(alerts) })
    const { code, stderr } = await moraine(['-C', project.folder, 'serve', '--port', '0'])
    expect(code).toBe(2)
    expect(stderr).toContain('its address is a secret, which would be sent unencrypted')
    expect(stderr).not.toContain('s3cret')
  })

  it('tells of an object that can not be read, by webhook and metric, until somebody has put it back', async () => {
    const { told, port } = await receiver()
    const definition = `
import { alert, bronze, defineLake, silver, t, z } from 'moraine'
import { inbox } from 'moraine/sources'
const raw = bronze('orders', { from: inbox({ settle: '50ms' }) })
const orders = silver('orders', { from: raw, schema: z.object({ id: t.int(), amount: t.int() }), key: 'id' })
export default defineLake({ name: 'shop', datasets: [orders], alerts: [alert.webhook('http://127.0.0.1:${port}/hook', { on: ['quarantined'] })] })
`
    const project = await Project.create({ 'lake.ts': failingDecoder + definition })
    const order = (id: number, amount: number, note = '') => JSON.stringify([{ id, amount, note }])
    const rows = () => project.query('SELECT id, amount FROM silver.orders ORDER BY id')
    const served = Served.start(project)
    const url = String((await served.line(({ event }) => event === 'listening')).url)
    const metrics = async () => (await fetch(`${url}/metrics`)).text()
    const runs = (n: number) => () =>
      served.lines.filter((l) => l.event === 'job finished' && l.job === 'bronze.orders').length >=
      n
    expect(await metrics()).not.toContain('moraine_quarantined_objects{')
    await drop(project, 'a.json', order(1, 1))
    await served.line(runs(1))
    await drop(project, 'b.json', order(1, 2, POISON))
    await served.line(({ event, on }) => event === 'alert' && on === 'quarantined')
    for (const n of [2, 3, 4]) {
      await drop(project, `c${n}.json`, order(n, n))
      await until(`${n} rows are there`, async () => (await rows()).length === n, served.child)
    }
    // What is behind it was never held back, and nothing was told twice.
    expect(await rows()).toEqual([1, 2, 3, 4].map((id) => ({ id, amount: id })))
    await served.line(
      () => served.lines.filter((l) => l.event === 'alert' && l.on === 'quarantined').length > 1,
    )
    const about = { on: 'quarantined', lake: 'shop', dataset: 'bronze.orders' }
    expect(told).toEqual([
      expect.objectContaining({
        ...about,
        message: `b.json could not be read: ${FAILURE}; it will be retried`,
      }),
      expect.objectContaining({
        ...about,
        message: expect.stringMatching(
          /^b\.json could not be read: .*; it stays in quarantine: moraine quarantine show [0-9a-f]{8}$/,
        ),
      }),
    ])
    expect(await metrics()).toContain('moraine_quarantined_objects{dataset="bronze.orders"} 1')
    expect(await served.stop()).toBe(0)
    // One that begins anew knows of it before anything has run.
    const again = Served.start(project)
    const next = String((await again.line(({ event }) => event === 'listening')).url)
    const gauge = async () =>
      /moraine_quarantined_objects\{.*\} (\d+)/.exec(
        await (await fetch(`${next}/metrics`)).text(),
      )?.[1]
    expect(await gauge()).toBe('1')
    await project.write({ 'lake.ts': definition })
    const retried = await moraine(['-C', project.folder, 'quarantine', 'retry', '--all'])
    expect([retried.code, retried.stdout, retried.stderr]).toEqual([0, expect.any(String), ''])
    expect(await gauge()).toBe('0')
    expect(await again.stop()).toBe(0)
    expect(told).toHaveLength(2)
    expect(await rows()).toEqual([1, 2, 3, 4].map((id) => ({ id, amount: id === 1 ? 2 : id })))
  })
})

describe('moraine serve that cannot begin', () => {
  it('ends, and says why, where its port is taken', async () => {
    const other = createServer()
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done))
    onTestFinished(() => void other.close())
    const { port } = other.address() as { port: number }
    const project = await Project.create({ 'lake.ts': lake() })
    await drop(project, '1.csv', csv('1,2.00,2026-01-01'))
    const served = await moraine(['-C', project.folder, 'serve', '--port', `${port}`])
    expect([served.code, served.stdout]).toEqual([2, ''])
    expect(served.stderr).toContain(`Cannot listen on port ${port} of 127.0.0.1`)
  })

  it('ends, and says why, where a token that senders must show is not set', async () => {
    const project = await Project.create({
      'lake.ts': lake()
        .replace('{ inbox }', '{ inbox, secret }')
        .replace("settle: '50ms'", "settle: '50ms', token: secret('env:NO_SUCH_TOKEN')"),
    })
    const served = await moraine(['-C', project.folder, 'serve', '--port', '0'])
    expect([served.code, served.stdout]).toEqual([1, ''])
    expect(served.stderr).toContain('The secret env:NO_SUCH_TOKEN is missing or empty')
    expect(served.stderr).toContain('Set the environment variable NO_SUCH_TOKEN')
  })
})
