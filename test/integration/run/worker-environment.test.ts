import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished, vi } from 'vitest'
import { Project, step } from '../../support/project.js'
import { Unreliable } from '../../support/workers.js'

/*
 * What a definition finds around it is the same for workers as for the run. Those of a deployed job
 * know names of secrets alone, and ask Secrets Manager themselves, with the credentials that they
 * have.
 */

const lake = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const { LOWEST = '', PEPPER } = process.env
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int().min(Number(LOWEST)), name: z.string().refine(() => PEPPER === 'hush') }),
})
export default defineLake({ name: 'shop', datasets: [orders] })
`

/** Secrets Manager, over the wire of its own client. */
async function secretsManager(secrets: Readonly<Record<string, string>>) {
  const asked: string[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const part of request) text += part
    const { SecretId } = JSON.parse(text)
    asked.push(SecretId)
    const SecretString = secrets[SecretId]
    const unknown = { __type: 'ResourceNotFoundException', message: 'none' }
    response.writeHead(SecretString ? 200 : 400, { 'content-type': 'application/x-amz-json-1.1' })
    response.end(JSON.stringify(SecretString ? { SecretString } : unknown))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const aws = { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's', AWS_REGION: 'eu-west-1' }

async function runWith(url: string, names: Record<string, string>) {
  const project = await Project.create({ 'lake.ts': lake, 'in/1.csv': 'id,name\n1,a\n7,b\n' })
  vi.stubEnv('LOWEST', '5')
  vi.stubEnv('PEPPER', 'hush')
  onTestFinished(() => void vi.unstubAllEnvs())
  const MORAINE_SECRETS = JSON.stringify(names)
  const there = { LOWEST: '', PEPPER: '', MORAINE_SECRETS, AWS_ENDPOINT_URL: url }
  const workers = new Unreliable({ env: { ...aws, ...there } })
  onTestFinished(() => workers.close())
  const record = await project.run({ worker: await workers.stepsOf(project) })
  return { project, record }
}

it('workers have the values of secrets that the run has', async () => {
  const { url, asked } = await secretsManager({ lowest: '5', shop: '{"pepper":"hush"}' })
  const { project, record } = await runWith(url, { LOWEST: 'lowest', PEPPER: 'shop#pepper' })
  expect(record.steps.flatMap(({ error }) => error ?? [])).toEqual([])
  expect(await project.query('select id from silver.orders')).toEqual([{ id: 7 }])
  expect([...new Set(asked)].sort()).toEqual(['lowest', 'shop'])
})

it('workers say which secrets they cannot read, and build nothing', async () => {
  const { url } = await secretsManager({})
  const { project, record } = await runWith(url, { PEPPER: 'shop#pepper' })
  expect(step(record, 'silver.orders').error?.message).toBe(
    "The secret shop of Secrets Manager can't be read: there is none of this name",
  )
  expect((await project.state()).tables).toEqual({})
})

it('dates are in the time zone of the run', async () => {
  const own = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const isMorning = (text) => new Date(text).getHours() < 12
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int(), at: z.string().refine(isMorning, 'after noon') }),
})
export default defineLake({ name: 'shop', datasets: [orders] })
`
  const rows = ['id,at', ...[0, 6, 12, 18].map((hour, i) => `${i},"2026-01-01 ${hour}:30 UTC"`), '']
  const files = { 'lake.ts': own, 'in/1.csv': rows.join('\n') }
  const found: unknown[] = []
  for (const env of [undefined, { TZ: 'Asia/Tokyo' }, { TZ: 'America/New_York' }]) {
    const project = await Project.create(files)
    const workers = env && new Unreliable({ env })
    onTestFinished(() => workers?.close())
    await project.run(workers ? { worker: await workers.stepsOf(project) } : {})
    found.push(await project.query('select id from silver.orders order by id'))
  }
  expect(found[1]).toEqual(found[0])
  expect(found[2]).toEqual(found[0])
})
