import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  GetObjectCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { startBuckets } from '../support/buckets.js'
import { CountingProxy } from '../support/counting-proxy.js'
import { batchOf, bridged, FunctionProcess, packed, unpacked } from '../support/function.js'
import { Project, repository } from '../support/project.js'
import { minioKeys, minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'

const orders = join(repository, 'examples/orders/lake.ts')

/** Rows of the shop's orders, one an id. */
const rows = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => {
    const id = from + i
    const time = new Date(Date.UTC(2026, 0, 1) + id * 60_000).toISOString()
    return JSON.stringify({
      order_id: id,
      order_last_updated: time.replace('T', ' ').replace('Z', ''),
      customer_id: (id % 50) + 1,
      order_status: ['COMPLETE', 'CLOSED', 'PENDING'][id % 3],
      amount: id % 100,
    })
  }).join('\n')

const median = (numbers: readonly number[]) =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] as number

withService('MinIO', [minioProgram], () => {
  let server: Server
  let client: S3Client
  let folder: string
  beforeAll(async () => {
    ;({ server, client } = await startBuckets(['lakes', 'versions']))
    folder = await unpacked(await packed(orders))
  }, 300_000)
  afterAll(() => server.stop())

  const start = (lake: string, env: Record<string, string> = {}, of = folder) =>
    FunctionProcess.start(of, {
      ...minioKeys,
      AWS_ENDPOINT_URL_S3: server.url,
      MORAINE_ROOT: `s3://lakes/${lake}`,
      ...env,
    })
  const put = (Key: string, Body: string) =>
    client.send(new PutObjectCommand({ Bucket: 'lakes', Key, Body }))
  /** Rows that arrive in a lake's inbox, and the event that says so. */
  const drop = async (lake: string, name: string, from: number, count: number) => {
    const key = `${lake}/bronze/landing/orders/${name}`
    await put(key, rows(from, count))
    return bridged('lakes', key)
  }
  const project = Project.at(join(repository, 'examples/orders'))
  const root = (lake: string) => ['--root', `s3://lakes/${lake}?endpoint=${server.url}`]
  const query = async (lake: string, sql: string) => {
    const { code, stdout, stderr } = await project.cli('query', sql, '--json', ...root(lake))
    expect([code, stderr]).toEqual([0, ''])
    return JSON.parse(stdout)
  }
  const counts = (lake: string) =>
    query(
      lake,
      'SELECT count(*)::INT AS n, count(DISTINCT order_id)::INT AS ids FROM silver.orders',
    )

  describe('the inbox function', () => {
    it('brings a lake up to date with the rows that a local run gives', async () => {
      const events = [
        await drop('first', 'a b+ü.jsonl', 1, 600),
        await drop('first', 'b.jsonl', 601, 400),
      ]
      await drop('local', 'a b+ü.jsonl', 1, 600)
      await drop('local', 'b.jsonl', 601, 400)
      const lambda = await start('first')
      const { answer, error } = await lambda.invoke('inbox', batchOf(...events))
      expect([answer, error]).toEqual([{ batchItemFailures: [] }, undefined])
      expect((await project.cli('run', ...root('local'))).code).toBe(0)
      for (const [columns, table] of [
        ['* EXCLUDE (_batch, _loaded_at)', 'silver.orders'],
        ['*', 'gold.orders_by_day'],
        ['*', 'gold.customer_value'],
      ]) {
        const sql = `SELECT ${columns} FROM ${table} ORDER BY ALL`
        expect(await query('first', sql)).toEqual(await query('local', sql))
      }
      expect(await counts('first')).toMatchObject([{ n: 1000, ids: 1000 }])
      expect((await project.cli('verify', ...root('first'))).code).toBe(0)
      const finished = lambda.lines.filter(({ event }) => event === 'job finished')
      expect(finished).toMatchObject([{ job: 'bronze.orders', outcome: 'done' }])
      const measured = lambda.lines.find(({ _aws }) => _aws)
      expect(measured).toMatchObject({ Lake: 'orders', Job: 'bronze.orders', RowsIngested: 1009 })
    })

    it('runs a job once for all of a batch, and takes what comes twice or late for nothing', async () => {
      const events: string[] = []
      for (let i = 0; i < 10; i++) events.push(await drop('often', `${i}.jsonl`, i * 10 + 1, 10))
      const lambda = await start('often')
      await lambda.invoke('inbox', batchOf(...events.toReversed()))
      const runs = () => lambda.lines.filter(({ event }) => event === 'job finished')
      expect(runs()).toHaveLength(1)
      await lambda.invoke('inbox', batchOf(...events.slice(0, 3), ...events.slice(2, 5)))
      expect(runs().map(({ commits }) => commits.length)).toEqual([3, 0])
      expect(await counts('often')).toMatchObject([{ n: 100, ids: 100 }])
    })

    it('says of messages that are none of its own what they are, and is done with them', async () => {
      const lambda = await start('strange')
      const { answer } = await lambda.invoke(
        'inbox',
        batchOf('nonsense', bridged('lakes', 'other/a.csv'), '{"job":"bronze.renamed"}'),
      )
      expect(answer).toEqual({ batchItemFailures: [] })
      expect(lambda.lines).toMatchObject([
        { level: 'warn', message: 'message-0', why: 'it is not JSON' },
        {
          level: 'warn',
          message: 'message-1',
          why: 'no inbox of the lake is at s3://lakes/other/a.csv',
        },
        {
          level: 'error',
          event: 'job unknown',
          job: 'bronze.renamed',
          hint: expect.stringContaining('moraine deploy'),
        },
      ])
    })

    it('sets a file aside that can not be read, and gives no message back', async () => {
      const event = await drop('poison', 'good.jsonl', 1, 5)
      const key = 'poison/bronze/landing/orders/bad.jsonl.gz'
      await put(key, 'no gzip')
      const lambda = await start('poison')
      const { answer } = await lambda.invoke('inbox', batchOf(bridged('lakes', key), event))
      expect(answer).toEqual({ batchItemFailures: [] })
      expect(await counts('poison')).toMatchObject([{ n: 5 }])
      const found = await query('poison', 'SELECT _source_file AS f FROM discarded.orders')
      expect(found).toMatchObject([{ f: expect.stringContaining('bad.jsonl.gz') }])
    })

    it('gives its messages back where the storage is away', async () => {
      const lambda = await start('away', { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9' })
      const { answer, error } = await lambda.invoke(
        'inbox',
        batchOf(bridged('lakes', 'away/bronze/landing/orders/a.jsonl')),
      )
      expect(answer ?? error).toMatch(/connection refused/)
    })
  })

  describe('a function that is stopped', () => {
    it('goes on in the next invocation where its time is up, and counts every row once', async () => {
      const events: string[] = []
      for (let i = 0; i < 4; i++) events.push(await drop('late', `${i}.jsonl`, 1 + i * 500, 500))
      const lambda = await start('late')
      // Without a queue to ask, the messages come again.
      let turns = 0
      let left = events
      for (let seconds = 2.2; left.length > 0; seconds *= 1.5, turns++) {
        const { answer, error } = await lambda.invoke('inbox', batchOf(...left), seconds * 1000)
        expect(error).toBeUndefined()
        left = answer.batchItemFailures.map(
          ({ itemIdentifier }: { itemIdentifier: string }) =>
            left[Number(itemIdentifier.split('-')[1])],
        )
      }
      expect(turns).toBeGreaterThan(1)
      expect(lambda.lines.filter(({ event }) => event === 'job goes on').length).toBe(turns - 1)
      expect(await counts('late')).toMatchObject([{ n: 2000, ids: 2000 }])
      expect((await project.cli('verify', '--deep', ...root('late'))).code).toBe(0)
    })

    it('is killed at any moment, and its messages come again: every row counts once', async () => {
      const events: string[] = []
      for (let i = 0; i < 6; i++) events.push(await drop('killed', `${i}.jsonl`, 1 + i * 100, 100))
      for (const steps of [0, 1, 3, 5]) {
        const lambda = await start('killed')
        const ended = lambda.invoke('inbox', batchOf(...events)).catch(() => 'killed')
        await lambda.told('step finished', steps, ended)
        await lambda.kill()
      }
      const lambda = await start('killed')
      const { answer } = await lambda.invoke('inbox', batchOf(...events))
      expect(answer).toEqual({ batchItemFailures: [] })
      expect(await counts('killed')).toMatchObject([{ n: 600, ids: 600 }])
      expect(await query('killed', 'SELECT sum(orders)::INT AS n FROM gold.orders_by_day')).toEqual(
        [{ n: 600 }],
      )
      expect((await project.cli('verify', '--deep', ...root('killed'))).code).toBe(0)
    })
  })

  it('several functions at one inbox take each object once, and none fails by what is gone', async () => {
    await client.send(
      new PutBucketVersioningCommand({
        Bucket: 'versions',
        VersioningConfiguration: { Status: 'Enabled' },
      }),
    )
    const events: string[] = []
    for (let i = 0; i < 30; i++) {
      const key = `many/bronze/landing/orders/${i}.jsonl`
      await client.send(
        new PutObjectCommand({ Bucket: 'versions', Key: key, Body: rows(1 + i * 10, 10) }),
      )
      events.push(bridged('versions', key))
    }
    const env = { MORAINE_ROOT: 's3://versions/many' }
    const lambdas = await Promise.all([1, 2, 3].map(() => start('many', env)))
    const answers = await Promise.all(
      lambdas.map((one, i) => one.invoke('inbox', batchOf(...events.slice(i * 10, i * 10 + 10)))),
    )
    expect(answers.map(({ answer, error }) => [answer, error])).toEqual(
      answers.map(() => [{ batchItemFailures: [] }, undefined]),
    )
    for (const { text } of lambdas) expect(text).not.toContain('NoSuchKey')
    const sql = 'SELECT count(*)::INT AS n, count(DISTINCT order_id)::INT AS ids FROM bronze.orders'
    const at = ['--root', `s3://versions/many?endpoint=${server.url}`]
    const { stdout } = await project.cli('query', sql, '--json', ...at)
    expect(JSON.parse(stdout)).toEqual([{ n: 300, ids: 300 }])
  })

  it('a warm function keeps no more copies of objects than its disk has room for', async () => {
    const TMPDIR = await mkdtemp(join(tmpdir(), 'moraine-function-'))
    onTestFinished(() => rm(TMPDIR, { recursive: true, force: true }))
    const lambda = await start('warm', { TMPDIR, MORAINE_CACHE_SIZE: '0MiB' })
    const copies = async () => {
      const cache = join(TMPDIR, 'moraine/s3')
      const all = await readdir(cache, { recursive: true, withFileTypes: true })
      return all
        .filter((one) => one.isFile() && !one.name.endsWith('.moraine-sum'))
        .map((one) => join(one.parentPath, one.name))
    }
    await lambda.invoke('inbox', batchOf(await drop('warm', 'a.jsonl', 1, 50)))
    const first = await copies()
    expect(first).not.toEqual([])
    await lambda.invoke('inbox', batchOf(await drop('warm', 'b.jsonl', 51, 50)))
    const second = await copies()
    expect(second).not.toEqual([])
    // Names are those of objects, of which some are read by both runs.
    expect(first.filter((path) => !second.includes(path))).not.toEqual([])
    expect(await counts('warm')).toMatchObject([{ n: 100, ids: 100 }])
  })

  it('a batch of 1,000 orders takes few requests, and no more of them as the lake grows', async () => {
    const proxy = await CountingProxy.start(server.url)
    const lambda = await start('paid', { AWS_ENDPOINT_URL_S3: proxy.url })
    const counted: ReturnType<CountingProxy['take']>[] = []
    for (let i = 0; i < 13; i++) {
      const event = await drop('paid', `${i}.jsonl`, 1 + i * 1000, 1000)
      const { error } = await lambda.invoke('inbox', batchOf(event))
      expect(error).toBeUndefined()
      counted.push(proxy.take())
    }
    // A run's record says what it asked for, but for its own end, and what is put together after.
    const last = await client.send(
      new ListObjectsV2Command({ Bucket: 'lakes', Prefix: 'paid/_moraine/runs/' }),
    )
    const [end] = (last.Contents ?? []).filter(({ Key }) => Key?.endsWith('/end.json'))
    const first = await client.send(new GetObjectCommand({ Bucket: 'lakes', Key: end?.Key }))
    const { requests } = JSON.parse((await first.Body?.transformToString()) ?? '')
    const { PUT, LIST, POST, GET, HEAD } = counted[0] as (typeof counted)[0]
    expect(requests.puts).toBeGreaterThan((PUT + LIST + POST) * 0.7)
    expect(requests.puts).toBeLessThanOrEqual(PUT + LIST + POST)
    expect(requests.gets).toBeGreaterThan((GET + HEAD) * 0.7)
    expect(requests.gets).toBeLessThanOrEqual(GET + HEAD)
    // The first one makes the tables.
    const [, ...later] = counted
    const gets = later.map(({ GET }) => GET)
    const puts = later.map(({ PUT }) => PUT)
    expect(Math.max(...gets)).toBeLessThanOrEqual(40)
    expect(median(puts)).toBeLessThanOrEqual(60)
    expect(median(gets.slice(6))).toBeLessThanOrEqual(median(gets.slice(0, 6)) + 8)
    expect(lambda.lines.filter(({ event }) => event === 'compacted')).not.toEqual([])
    expect(await counts('paid')).toMatchObject([{ n: 13_000, ids: 13_000 }])
  })

  it('the catalog function streams its answers to those who show the token', async () => {
    const event = await drop('open', 'a.jsonl', 1, 5)
    const lambda = await start('open', { MORAINE_TOKEN: 'open sesame' })
    await lambda.invoke('inbox', batchOf(event))
    const ask = async (path: string, token?: string) => {
      const headers = token ? { authorization: `Bearer ${token}` } : {}
      const http = { method: 'GET', path: `/iceberg/v1/${path}`, sourceIp: '203.0.113.7' }
      const { answer, error } = await lambda.invoke('catalog', {
        ...{ version: '2.0', rawPath: http.path, rawQueryString: '', headers },
        requestContext: { domainName: 'abc.lambda-url.us-east-1.on.aws', http },
      })
      expect(error).toBeUndefined()
      return { status: answer.statusCode, body: JSON.parse(answer.body) }
    }
    expect((await ask('config')).status).toBe(401)
    expect((await ask('config', 'open barley')).status).toBe(401)
    const table = await ask('namespaces/silver/tables/orders', 'open sesame')
    expect(table).toMatchObject({ status: 200, body: { metadata: { 'format-version': 2 } } })
    expect((await ask('namespaces/silver/tables/none', 'open sesame')).status).toBe(404)
  })

  describe('the schedule function', () => {
    it('runs the job that its event names, or its own', async () => {
      await drop('daily', 'a.jsonl', 1, 7)
      const lambda = await start('daily')
      const { answer } = await lambda.invoke('schedule', { job: 'bronze.orders' })
      expect(answer).toEqual({ job: 'bronze.orders', answer: 'done' })
      await drop('daily', 'b.jsonl', 8, 7)
      const own = await start('daily', { MORAINE_JOB: 'bronze.orders' })
      await own.invoke('schedule', { source: 'aws.scheduler' })
      expect(await counts('daily')).toMatchObject([{ n: 14, ids: 14 }])
    })

    it('runs nothing of a job that somebody has paused, and says how to resume it', async () => {
      await drop('paused', 'a.jsonl', 1, 3)
      const pause = await project.cli('schedule', '--pause', 'bronze.orders', ...root('paused'))
      expect(pause.code).toBe(0)
      const lambda = await start('paused')
      await lambda.invoke('schedule', { job: 'bronze.orders' })
      expect(lambda.lines).toMatchObject([
        {
          event: 'job paused',
          hint: expect.stringContaining('moraine schedule --resume bronze.orders'),
        },
      ])
      await project.cli('schedule', '--resume', 'bronze.orders', ...root('paused'))
      await lambda.invoke('schedule', { job: 'bronze.orders' })
      expect(await counts('paused')).toMatchObject([{ n: 3 }])
    })
  })
})
