import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  ListObjectsV2Command,
  PutBucketNotificationConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { MoraineError } from '../../src/errors.js'
import { S3Storage } from '../../src/storage/s3/s3.js'
import { startBuckets } from '../support/buckets.js'
import { FAILURE, failingDecoder, POISON } from '../support/poison.js'
import { moraine, Project, repository, step } from '../support/project.js'
import { freePort, minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'
import { zip } from '../support/zip.js'

const csv = (...rows: string[]) => ['id,amount', ...rows, ''].join('\n')

withService('MinIO', [minioProgram], () => {
  let server: Server
  let client: S3Client
  let port: number
  beforeAll(async () => {
    port = await freePort()
    ;({ server, client } = await startBuckets(['plain', 'versions'], {
      MINIO_NOTIFY_WEBHOOK_ENABLE_lake: 'on',
      MINIO_NOTIFY_WEBHOOK_ENDPOINT_lake: `http://127.0.0.1:${port}/events/orders`,
      MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_lake: 'Bearer t0ken',
    }))
    await client.send(
      new PutBucketVersioningCommand({
        Bucket: 'versions',
        VersioningConfiguration: { Status: 'Enabled' },
      }),
    )
  })
  afterAll(() => server.stop())

  const put = (Bucket: string, Key: string, Body: string) =>
    client.send(new PutObjectCommand({ Bucket, Key, Body }))
  const keys = async (Bucket: string) =>
    ((await client.send(new ListObjectsV2Command({ Bucket }))).Contents ?? []).map(({ Key }) => Key)
  const create = (path: string) =>
    Project.create({
      'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { inbox } from 'moraine/sources'
const raw = bronze('orders', { from: inbox({ path: '${path}?endpoint=${server.url}', token: 't0ken' }), archive: true })
export default defineLake({ name: 'shop', datasets: [silver('orders', { from: raw, schema: z.object({ id: t.int(), amount: t.int() }), key: 'id' })] })
`,
    })
  const rows = (project: Project) =>
    project.query('SELECT id, amount FROM silver.orders ORDER BY id')

  it('several runs that empty one inbox at the same time ingest each object once', async () => {
    const project = await create('s3://versions/many/')
    const most = 60
    const numbers = Array.from({ length: most }, (_, i) => i + 1)
    await Promise.all(
      numbers.map((i) => put('versions', `many/${i}.csv`, csv(`${i},${i}`, `${i + 1000},1`))),
    )
    const runs = await Promise.all([1, 2, 3, 4].map(() => project.cli('run', 'bronze.orders')))
    for (const { code, stdout, stderr } of runs)
      expect([code, stdout + stderr]).toEqual([0, expect.not.stringContaining('NoSuchKey')])
    expect(await keys('versions')).toEqual([])
    expect(
      await project.query('SELECT count(*) AS n, count(DISTINCT id) AS ids FROM bronze.orders'),
    ).toEqual([{ n: BigInt(2 * most), ids: BigInt(2 * most) }])
  })

  it('is emptied by the next run where one ended between the commit and that', async () => {
    const project = await create('s3://versions/ended/')
    await put('versions', 'ended/a.csv', csv('1,10'))
    const { removeVersion } = S3Storage.prototype
    S3Storage.prototype.removeVersion = async () => {
      throw new MoraineError('storage', 'the process ended')
    }
    await project.run().finally(() => {
      S3Storage.prototype.removeVersion = removeVersion
    })
    expect(await keys('versions')).toEqual(['ended/a.csv'])
    const next = await project.run()
    expect(step(next, 'bronze.orders').outcome).toBe('unchanged')
    expect(await keys('versions')).toEqual([])
    expect(await project.query('SELECT id FROM bronze.orders')).toEqual([{ id: '1' }])
  })

  it('is emptied by versions, so that what was written meanwhile stays', async () => {
    const project = await create('s3://versions/in/')
    await put('versions', 'in/a b+ü.csv', csv('1,10'))
    await put('versions', 'in/b.csv', csv('2,20'))
    let late = false
    // Another version of an object, after it was read and before it is removed.
    await project.run({
      onEvent: (event) => {
        if (event.type === 'step-progress' && !late) {
          late = true
          void put('versions', 'in/a b+ü.csv', csv('1,11'))
        }
      },
    })
    expect(late).toBe(true)
    await expect.poll(() => keys('versions')).toEqual(['in/a b+ü.csv'])
    await project.run()
    expect(await keys('versions')).toEqual([])
    expect(await rows(project)).toEqual([
      { id: 1, amount: 11 },
      { id: 2, amount: 20 },
    ])
    expect(
      await project.query('SELECT DISTINCT _source_file AS f FROM bronze.orders ORDER BY 1'),
    ).toEqual([
      { f: 's3://versions/in/a b+ü.csv' },
      { f: expect.stringMatching(/^s3:\/\/versions\/in\/a b\+ü\.csv@[0-9a-f]{8}$/) },
      { f: 's3://versions/in/b.csv' },
    ])
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('of a bucket without versions ingests an object once, also when its batch has expired', async () => {
    const project = await create('s3://plain/kept/')
    const definition = await readFile(join(project.folder, 'lake.ts'), 'utf8')
    await project.write({ 'lake.ts': definition.replace('archive: true', "keep: '30d'") })
    const on = async (day: string) => {
      const record = await project.run({ now: () => new Date(`${day}T10:00:00Z`) })
      return step(record, 'bronze.orders').outcome
    }
    await put('plain', 'kept/a.csv', csv('1,10'))
    expect(await on('2026-01-01')).toBe('done')
    await put('plain', 'kept/b.csv', csv('2,20'))
    expect(await on('2026-06-01')).toBe('done')
    expect(await keys('plain')).toEqual(expect.arrayContaining(['kept/a.csv', 'kept/b.csv']))
    const batches = async () => (await project.state()).batches['bronze.orders']?.length
    expect(await batches()).toBe(1)
    expect(await on('2026-06-02')).toBe('unchanged')
    expect(await batches()).toBe(1)
  })

  it('of a lake that lies in a bucket itself is made anew from its archive', async () => {
    const project = await create('s3://plain/of-a-bucket/')
    await put('plain', 'of-a-bucket/a.csv', csv('1,10', '2,20'))
    const root = ['--root', `s3://plain/lake?endpoint=${server.url}`]
    const rows = ['query', 'SELECT id, amount FROM silver.orders ORDER BY id', ...root]
    expect((await project.cli('run', ...root)).code).toBe(0)
    const before = await project.cli(...rows)
    expect(before.stdout).toContain('2 rows')
    const rebuilt = await project.cli('rebuild', 'orders', '--from', 'archive', ...root)
    expect([rebuilt.code, rebuilt.stderr]).toEqual([0, ''])
    expect((await project.cli(...rows)).stdout).toBe(before.stdout)
    expect((await project.cli('verify', '--deep', ...root)).code).toBe(0)
  })

  it('sets an object aside that can not be read, keeps its bytes in the bucket, and puts it back', async () => {
    const project = await create('s3://versions/poison/')
    const definition = await readFile(join(project.folder, 'lake.ts'), 'utf8')
    await project.write({ 'lake.ts': failingDecoder + definition })
    const order = (id: number, amount: number, note = '') => JSON.stringify([{ id, amount, note }])
    const root = ['--root', `s3://plain/poisoned?endpoint=${server.url}`]
    // What a definition does to a process is done to that of one command.
    const cli = (...args: string[]) => moraine(['-C', project.folder, ...args, ...root])
    const found = async () =>
      JSON.parse(
        (await cli('query', 'SELECT id, amount FROM silver.orders ORDER BY id', '--json')).stdout,
      )
    for (const [key, text] of Object.entries({
      a: order(1, 10),
      b: order(1, 20, POISON),
      c: order(2, 30, POISON),
      d: order(2, 40),
    }))
      await put('versions', `poison/${key}.json`, text)
    for (let run = 0; run < 3; run++) expect((await cli('run')).code).toBe(0)
    expect(await keys('versions')).toEqual([])
    expect(await found()).toMatchObject([
      { id: 1, amount: 10 },
      { id: 2, amount: 40 },
    ])
    const listed = JSON.parse((await cli('quarantine', 'list', '--json')).stdout)
    expect(listed).toMatchObject([
      { name: 's3://versions/poison/b.json', failures: 3, held: true, reason: FAILURE },
      { name: 's3://versions/poison/c.json', failures: 3, held: true, reason: FAILURE },
    ])
    expect((await cli('quarantine', 'show', listed[0].id)).stdout).toContain(order(1, 20, POISON))
    // Nothing that it needs is swept away meanwhile.
    expect((await cli('vacuum', '--grace', '0s', '--delete')).code).toBe(0)
    const failed = await cli('quarantine', 'retry', listed[0].id)
    expect([failed.code, failed.stdout]).toEqual([1, expect.stringContaining(FAILURE)])
    await project.write({ 'lake.ts': definition })
    const retried = await cli('quarantine', 'retry', '--all')
    expect([retried.code, retried.stderr]).toEqual([0, ''])
    // Each where it arrived: the one before the newest of its key stays behind it.
    expect(await found()).toMatchObject([
      { id: 1, amount: 20 },
      { id: 2, amount: 40 },
    ])
    expect((await cli('quarantine', 'list')).stdout).toContain('The quarantine is empty')
    expect((await cli('rebuild', 'orders', '--from', 'archive')).code).toBe(0)
    expect(await found()).toMatchObject([
      { id: 1, amount: 20 },
      { id: 2, amount: 40 },
    ])
    expect((await cli('verify', '--deep')).code).toBe(0)
  })

  it('takes zips apart, and removes them as a whole', async () => {
    const project = await create('s3://versions/zips/')
    const packed = zip({ 'a.csv': csv('1,10'), 'b.csv': csv('2,20') })
    await client.send(
      new PutObjectCommand({ Bucket: 'versions', Key: 'zips/all.zip', Body: packed }),
    )
    await put('versions', 'zips/broken.zip', 'PK no zip')
    await project.run()
    expect(await keys('versions')).toEqual([])
    expect(await keys('versions')).toEqual([])
    expect(await rows(project)).toEqual([
      { id: 1, amount: 10 },
      { id: 2, amount: 20 },
    ])
    expect(await project.query('SELECT _source_file AS f FROM discarded.orders')).toEqual([
      { f: 's3://versions/zips/broken.zip' },
    ])
    const archived = await project.storage.list('archive/orders/files/')
    expect(archived.map(({ path }) => path.replace(/^.*-/, '')).sort()).toEqual([
      'all.zip',
      'broken.zip',
    ])
    const before = await rows(project)
    expect((await project.cli('rebuild', 'orders', '--from', 'archive')).code).toBe(0)
    expect(await rows(project)).toEqual(before)
  })

  it('leaves objects where a bucket keeps no versions, and takes each once', async () => {
    const project = await create('s3://plain/in/')
    await put('plain', 'in/a.csv', csv('1,10'))
    await project.run()
    // Other tests have their lake there.
    expect((await keys('plain')).filter((key) => key?.startsWith('in/'))).toEqual(['in/a.csv'])
    expect(step(await project.run(), 'bronze.orders').reason).toBe('no files have arrived')
    await new Promise((done) => setTimeout(done, 1100))
    await put('plain', 'in/a.csv', csv('1,12'))
    expect(step(await project.run(), 'bronze.orders').rows).toBe(1)
    expect(await rows(project)).toEqual([{ id: 1, amount: 12 }])
  })

  it('of a bucket without versions reads what was written over, put again or packed only once', async () => {
    const project = await create('s3://plain/again/')
    const packed = zip({ 'a.csv': csv('3,30'), 'b.csv': csv('4,40') })
    const none = async () =>
      expect(step(await project.run(), 'bronze.orders').reason).toBe('no files have arrived')
    const runs = async (rows: number) => {
      expect(step(await project.run(), 'bronze.orders').rows ?? 0).toBe(rows)
      await none()
    }
    // Times of objects are whole seconds.
    const later = () => new Promise((done) => setTimeout(done, 1100))
    await put('plain', 'again/a.csv', csv('1,10'))
    await runs(1)
    await later()
    await put('plain', 'again/a.csv', csv('1,12'))
    await runs(1)
    await later()
    await put('plain', 'again/a.csv', csv('1,12'))
    await runs(0)
    await client.send(new PutObjectCommand({ Bucket: 'plain', Key: 'again/all.zip', Body: packed }))
    await runs(2)
    await put('plain', 'again/b.csv', csv('2,20'))
    await runs(1)
    expect((await rows(project)).map(({ amount }) => amount)).toEqual([12, 20, 30, 40])
  })

  it('is looked into when the bucket says that something has come, and not when somebody else does', async () => {
    const project = await create('s3://versions/events/')
    const bin = join(repository, 'bin/moraine.js')
    const args = [bin, '-C', project.folder, 'serve', '--port', String(port), '--every', '3600']
    const child: ChildProcess = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    let text = ''
    child.stdout?.on('data', (chunk) => {
      text += chunk
    })
    await expect.poll(() => text).toContain('"listening"')
    const url = `http://127.0.0.1:${port}/events/orders`
    expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401)
    // Who may send nothing does not hear which datasets there are.
    expect((await fetch(url.replace('orders', 'nothing'), { method: 'POST' })).status).toBe(401)
    await client.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket: 'versions',
        NotificationConfiguration: {
          QueueConfigurations: [
            { QueueArn: 'arn:minio:sqs::lake:webhook', Events: ['s3:ObjectCreated:*'] },
          ],
        },
      }),
    )
    for (let i = 0; i < 5; i++) await put('versions', `events/${i}.csv`, csv(`${i},1`))
    await expect.poll(async () => (await rows(project).catch(() => [])).length).toBe(5)
    await expect.poll(() => keys('versions')).toEqual([])
    child.kill('SIGTERM')
    await new Promise((done) => child.once('exit', done))
  })
})
