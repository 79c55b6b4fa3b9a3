import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { startBuckets } from '../support/buckets.js'
import { batchOf, bridged, FunctionProcess, packed, unpacked } from '../support/function.js'
import { Project } from '../support/project.js'
import { minioKeys, minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'

const lake = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { aws } from 'moraine/aws'
import { inbox } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: inbox({ format: 'jsonl' }) }),
  schema: z.object({ id: t.bigint(), amount: t.decimal(12, 2) }),
  key: 'id',
})
const deploy = aws({ region: 'us-east-1', glue: {} })
export default defineLake({ name: 'shop', datasets: [orders], deploy })
`

/** What functions say to Glue and SQS, over the wire of their own clients. */
async function startServices(answer: (target: string, body: any) => object) {
  const asked: { target: string; body: any }[] = []
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    let text = ''
    for await (const part of request) text += part
    const target = String(request.headers['x-amz-target'])
    const body = JSON.parse(text || '{}')
    asked.push({ target, body })
    const said = answer(target, body) as { __type?: string }
    response.writeHead(said.__type ? 400 : 200, { 'content-type': 'application/x-amz-json-1.1' })
    response.end(JSON.stringify(said))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

withService('MinIO', [minioProgram], () => {
  let server: Server
  let client: S3Client
  let folder: string
  let project: Project
  beforeAll(async () => {
    ;({ server, client } = await startBuckets(['lakes']))
    const file = join(mkdtempSync(join(tmpdir(), 'moraine-test-')), 'lake.ts')
    writeFileSync(file, lake)
    folder = await unpacked(await packed(file))
    project = Project.at(dirname(file))
  })
  afterAll(() => server.stop())

  const start = (lake: string, env: Record<string, string>) =>
    FunctionProcess.start(folder, {
      ...minioKeys,
      AWS_ENDPOINT_URL_S3: server.url,
      MORAINE_ROOT: `s3://lakes/${lake}`,
      MORAINE_JOB: 'bronze.orders',
      ...env,
    })
  const drop = async (lake: string, file = 1) => {
    const Key = `${lake}/bronze/landing/orders/${file}.json`
    const row = (id: number) => JSON.stringify({ id, amount: 1 })
    const Body = Array.from({ length: 100 }, (_, i) => row(100 * file + i)).join('\n')
    await client.send(new PutObjectCommand({ Bucket: 'lakes', Key, Body }))
    return bridged('lakes', Key)
  }
  const count = async (lake: string, table = 'silver.orders') => {
    const root = `s3://lakes/${lake}?endpoint=${server.url}`
    const sql = `select count(*) as n from ${table}`
    const { stdout } = await project.cli('query', sql, '--json', '--root', root)
    return Number(/"n":\s*"?(\d+)/.exec(stdout)?.[1] ?? 0)
  }

  it('ingests, and has Glue build what is too large: once, whatever asks for it meanwhile', async () => {
    let runs = 0
    const glue = await startServices(() =>
      ++runs === 1
        ? { JobRunId: 'jr_1' }
        : { __type: 'ConcurrentRunsExceededException', Message: 'one at a time' },
    )
    const handing = { MORAINE_GLUE_JOB: 'orders-bronze-orders-spark', AWS_ENDPOINT_URL: glue.url }
    const function_ = await start('large', { ...handing, MORAINE_GLUE_FROM: '1B' })
    for (const _ of [1, 2]) {
      const { error } = await function_.invoke('inbox', batchOf(await drop('large')))
      expect(error).toBeUndefined()
    }
    expect(glue.asked.map(({ target }) => target)).toEqual([
      'AWSGlue.StartJobRun',
      'AWSGlue.StartJobRun',
    ])
    expect(glue.asked[0]?.body).toMatchObject({ JobName: 'orders-bronze-orders-spark' })
    const told = function_.lines.filter(({ event }) => event === 'job handed over')
    expect(told[0]).toMatchObject({ job: 'bronze.orders', glueRun: 'jr_1' })
    expect(told[0]?.message).toContain('silver.orders: it reads')
    expect(told[1]?.message).toContain('a run of it is under way')
    // It has taken in what arrived, and has not said that anything failed.
    expect(await count('large')).toBe(0)
    expect(function_.lines.some(({ RunsFailed }) => RunsFailed > 0)).toBe(false)
    // What fits is built here, by the same function's program.
    const small = await start('large', handing)
    await small.invoke('inbox', batchOf(await drop('large')))
    expect(small.text).toContain('"dataset":"silver.orders"')
    expect(glue.asked).toHaveLength(2)
    expect(await count('large')).toBe(100)
  })

  it('has Glue build what was refused while a run ended, and takes nothing in for that', async () => {
    let isOver = false
    const glue = await startServices(() =>
      isOver
        ? { JobRunId: 'jr_2' }
        : { __type: 'ConcurrentRunsExceededException', Message: 'one at a time' },
    )
    const function_ = await start('ending', {
      MORAINE_GLUE_JOB: 'orders-bronze-orders-spark',
      MORAINE_GLUE_FROM: '1B',
      AWS_ENDPOINT_URL: glue.url,
    })
    await function_.invoke('inbox', batchOf(await drop('ending')))
    isOver = true
    await drop('ending', 2)
    const ended = { job: 'bronze.orders', cause: 'upstream', intake: false, glueRun: 'jr_1' }
    const { answer } = await function_.invoke('inbox', batchOf(JSON.stringify(ended)))
    expect(answer).toEqual({ batchItemFailures: [] })
    const told = function_.lines.filter(({ event }) => event === 'job handed over')
    expect(told.map(({ glueRun }) => glueRun)).toEqual([undefined, 'jr_2'])
    expect(await count('ending', 'bronze.orders')).toBe(100)
  })

  it('does not begin a step over and over that is longer than a function', async () => {
    const sent: any[] = []
    const sqs = await startServices((_, body) => {
      sent.push(body)
      return { MessageId: '1', MD5OfMessageBody: undefined }
    })
    const env = {
      AWS_ENDPOINT_URL: sqs.url,
      MORAINE_QUEUES: JSON.stringify({ 'bronze.orders': `${sqs.url}/1/orders` }),
    }
    const function_ = await start('long', env)
    await drop('long')
    // No time at all: nothing is begun.
    const turn = (idle: number) =>
      function_.invoke('schedule', { job: 'bronze.orders', cause: 'event', turn: idle, idle }, 1)
    await turn(0)
    expect(JSON.parse(sent[0].MessageBody)).toMatchObject({ turn: 1, idle: 1 })
    await turn(2)
    expect(sent).toHaveLength(1)
    const given = function_.lines.find(({ event }) => event === 'job given up')
    expect(given?.message).toContain('3 functions in a row ran out of time and built nothing')
    expect(given?.hint).toContain('aws({ glue: {} })')
    expect(function_.lines.some(({ RunsFailed }) => RunsFailed > 0)).toBe(true)
  })
})
