import { mkdir, readdir, rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { moraine, Project } from '../../support/project.js'
import { Served } from '../../support/served.js'
import { until } from '../../support/until.js'

/** `serve --env`: what is seen outside is the lake's own, unless the environment asks for it. */

const definition = (port: number, asked = '') => `
import { after, alert, bronze, check, defineLake, folder, gold, silver, sql, t, warehouse, z } from 'moraine'
import { inbox } from 'moraine/sources'
const raw = bronze('orders', { from: inbox({ path: 'drop', settle: '50ms' }) })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.int(), amount: t.decimal(10, 2).min(0) }),
  key: 'id',
  checks: [check.discarded({ max: '10%', severity: 'warn' })],
})
const total = gold('total', { query: sql\`select sum(amount) as total from \${orders}\`, schedule: after(orders) })
export default defineLake({
  name: 'shop',
  datasets: [total],
  alerts: [alert.webhook('http://127.0.0.1:${port}/')],
  exports: [warehouse(folder('out'), { tables: [total] })],
  environments: { test: { root: 'beside'${asked} }, dev: { branch: 'dev' } },
})
`

/** A project with a file in its inbox, of which a row is discarded, and what its alerts say. */
async function shop(asked?: string) {
  const told: string[] = []
  const server = createServer((request, answer) => {
    request.on('data', (chunk) => told.push(String(chunk)))
    request.on('end', () => answer.end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as { port: number }
  const project = await Project.create({
    'lake.ts': definition(port, asked),
    'drop/a.csv': 'id,amount\n1,10.00\n2,-1\n',
  })
  return { project, told }
}

const left = ({ lines }: Served) =>
  lines.filter(({ event }) => event === 'left').map(({ what }) => what)
const inFolder = (project: Project, name: string) =>
  readdir(join(project.folder, name)).catch((): string[] => [])

it('alerts nobody, exports nothing and empties no inbox of the lake itself, and says so', async () => {
  const { project, told } = await shop()
  const served = Served.start(project, ['--env', 'test'])
  await served.line(({ event }) => event === 'listening')
  const landing = join(project.folder, 'beside/bronze/landing/orders')
  await mkdir(landing, { recursive: true })
  await writeFile(join(landing, '.b.csv'), 'id,amount\n7,70.00\n8,-8\n')
  await rename(join(landing, '.b.csv'), join(landing, 'b.csv'))
  await served.line(({ event, dataset }) => event === 'step finished' && dataset === 'gold.total')
  expect(await served.stop()).toBe(0)
  expect(left(served)).toEqual(['exports', 'alerts', 'inboxes'])
  expect(served.lines.find(({ what }) => what === 'alerts')?.message).toBe(
    "Environment 'test' has a root of its own, and sends no alerts. If people should get them, add alerts: true to it in lake.ts.",
  )
  expect(told).toEqual([])
  expect(await inFolder(project, 'out')).toEqual([])
  expect(await inFolder(project, 'lake')).toEqual([])
  expect(await inFolder(project, 'drop')).toEqual(['a.csv'])
  const sum = [
    'query',
    '--env',
    'test',
    '--json',
    'select cast(total as varchar) t from gold.total',
  ]
  expect(JSON.parse((await project.cli(...sum)).stdout)).toEqual([{ t: '70.00' }])
  const run = await project.cli('run', '--env', 'test')
  expect(run.stdout).toContain('takes no files from the inbox of bronze.orders')
  expect(run.stdout).not.toContain('sends no alerts')
})

it('does all of that where the environment says so', async () => {
  const { project, told } = await shop(', exports: true, alerts: true, inboxes: true')
  const served = Served.start(project, ['--env', 'test'])
  await served.line(({ event, on }) => event === 'alert' && on === 'warned')
  const latest = async () => (await inFolder(project, 'out/total')).includes('_latest.json')
  await until('the total is exported', latest, served.child)
  await until('people are told', () => told.length > 0, served.child)
  expect(await served.stop()).toBe(0)
  expect(left(served)).toEqual([])
  expect(told[0]).toContain('"on":"warned"')
  expect(await inFolder(project, 'lake')).toEqual([])
  expect(await inFolder(project, 'drop')).toEqual([])
})

it('is refused on a branch, where nothing is ingested', async () => {
  const { project } = await shop()
  const served = await moraine(['-C', project.folder, 'serve', '--port', '0', '--env', 'dev'])
  expect([served.code, served.stdout]).toEqual([2, ''])
  expect(served.stderr).toContain('moraine serve is for main alone, and not for a branch')
  expect(await inFolder(project, 'drop')).toEqual(['a.csv'])
})
