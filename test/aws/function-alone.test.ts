import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { batchOf, FunctionProcess, packed, unpacked } from '../support/function.js'
import { Project } from '../support/project.js'

/** Hears what a lake alerts of, and what its functions put into queues. */
async function listening() {
  const heard: Record<string, unknown>[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const part of request) text += part
    const said = JSON.parse(text)
    heard.push(said)
    const MD5OfMessageBody = createHash('md5').update(`${said.MessageBody}`).digest('hex')
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' })
    response.end(JSON.stringify({ MessageId: '1', MD5OfMessageBody }))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => void server.close())
  return { heard, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

it('a function tells of an export that failed, in its log and to whom the lake alerts', async () => {
  const { heard, url } = await listening()
  const project = await Project.create({
    'lake.ts': `
import { alert, bronze, defineLake, duckdbFile, gold, sql, warehouse } from 'moraine'
import { aws } from 'moraine/aws'
import { files } from 'moraine/sources'
const raw = bronze('one', { from: files('one.csv') })
const daily = gold('daily', { query: sql\`select count(*) as n from \${raw}\` })
export default defineLake({
  name: 'shop',
  datasets: [daily],
  alerts: [alert.webhook('${url}')],
  exports: [warehouse(duckdbFile('/dev/null/reports.duckdb'), { tables: [daily] })],
  deploy: aws({ region: 'us-east-1' }),
})`,
    'one.csv': 'a\n1\n',
  })
  const folder = await unpacked(await packed(join(project.folder, 'lake.ts')))
  const lambda = await FunctionProcess.start(folder, {
    MORAINE_ROOT: join(project.folder, 'lake'),
  })
  const { answer, error } = await lambda.invoke(
    'inbox',
    batchOf(JSON.stringify({ job: 'by-hand' })),
  )
  expect([error, answer], lambda.text).toEqual([undefined, { batchItemFailures: [] }])
  expect(lambda.lines).toContainEqual(
    expect.objectContaining({
      ...{ level: 'error', event: 'exported', job: 'by-hand' },
      ...{ dataset: 'gold.daily', warehouse: 'duckdb', outcome: 'failed' },
    }),
  )
  const figures = lambda.lines.find((line) => line._aws)
  expect(figures).toMatchObject({ ExportsFailed: 1 })
  expect(figures).not.toHaveProperty('RunsFailed')
  expect(heard).toEqual([
    expect.objectContaining({
      ...{ on: 'failed', dataset: 'gold.daily' },
      message: expect.stringContaining('not exported to duckdb: '),
    }),
  ])
})

it('a step that is longer than a function is given up, whatever arrives meanwhile', async () => {
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake } from 'moraine'
import { aws } from 'moraine/aws'
import { inbox } from 'moraine/sources'
export default defineLake({
  name: 'shop',
  datasets: [bronze('orders', { from: inbox({ format: 'jsonl' }) })],
  deploy: aws({ region: 'us-east-1' }),
})`,
  })
  const folder = await unpacked(await packed(join(project.folder, 'lake.ts')))
  const root = join(project.folder, 'lake')
  await project.write({ 'lake/bronze/landing/orders/1.jsonl': '{"id":1}\n' })
  const lambda = await FunctionProcess.start(folder, { MORAINE_ROOT: root })
  const job = { job: 'bronze.orders', cause: 'event' }
  const asked = [job, { ...job, turn: 2, idle: 2 }].map((one) => JSON.stringify(one))
  const messages = batchOf(...asked)
  await lambda.invoke('inbox', messages, 0)
  expect(lambda.lines.map(({ event }) => event)).toContain('job given up')
})

it('a job that comes after another is asked for, though a function has ended before it could ask', async () => {
  const { heard, url } = await listening()
  const project = await Project.create({
    'lake.ts': `
import { after, bronze, defineLake, gold, sql } from 'moraine'
import { aws } from 'moraine/aws'
import { inbox } from 'moraine/sources'
const raw = bronze('orders', { from: inbox({ format: 'jsonl' }) })
const count = gold('count', { query: sql\`select count(*) as n from \${raw}\` })
const report = gold('report', { query: sql\`select n from \${count}\`, schedule: after(count) })
export default defineLake({ name: 'shop', datasets: [report], deploy: aws({ region: 'us-east-1' }) })`,
    'lake/bronze/landing/orders/1.jsonl': '{"id":1}\n',
  })
  const folder = await unpacked(await packed(join(project.folder, 'lake.ts')))
  // A function was here, and was ended once it had committed.
  await project.run({ select: ['bronze.orders', 'gold.count'] })
  const queues = { 'gold.report': `${url}/000000000000/report.fifo` }
  const lambda = await FunctionProcess.start(folder, {
    ...{ AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_ENDPOINT_URL: url },
    MORAINE_ROOT: join(project.folder, 'lake'),
    MORAINE_QUEUES: JSON.stringify(queues),
  })
  const batch = (count: number) => {
    const { Records } = batchOf(JSON.stringify({ job: 'bronze.orders' }))
    const attributes = { ApproximateReceiveCount: String(count) }
    return { Records: Records.map((one) => ({ ...one, attributes })) }
  }
  await lambda.invoke('inbox', batch(1))
  expect(heard, lambda.text).toEqual([])
  await lambda.invoke('inbox', batch(2))
  expect(heard.map(({ MessageBody }) => JSON.parse(String(MessageBody)))).toMatchObject([
    { job: 'gold.report', cause: 'upstream' },
  ])
})
