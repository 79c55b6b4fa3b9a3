import { setTimeout as sleep } from 'node:timers/promises'
import {
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { fromTemporaryCredentials } from '@aws-sdk/credential-providers'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Table } from '../../src/iceberg/table.js'
import { CommitLog } from '../../src/log/log.js'
import { catalog } from '../../src/serve/rest/catalog.js'
import { S3Storage } from '../../src/storage/s3/s3.js'
import { faultyProxy } from '../support/faulty-proxy.js'
import {
  minioKeys,
  minioProgram,
  motoProgram,
  type Server,
  startMinio,
  startMoto,
} from '../support/servers.js'
import { withService } from '../support/services.js'

const TOKEN = 'open sesame'
const VENDED = { 'x-iceberg-access-delegation': 'vended-credentials' }
const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }

type Config = Record<string, string>

withService('MinIO', [minioProgram], () => {
  let server: Server
  let admin: S3Client
  let made = 0
  beforeAll(async () => {
    server = await startMinio()
    Object.assign(process.env, minioKeys)
    admin = new S3Client({ endpoint: server.url, region: 'us-east-1', forcePathStyle: true })
  })
  afterAll(() => server.stop())

  /** A lake with a table of its own, and one of another engine. */
  async function lake(settings = '', endpoint = server.url) {
    const bucket = `lake-${++made}`
    await admin.send(new CreateBucketCommand({ Bucket: bucket }))
    const storage = new S3Storage(`s3://${bucket}/deep/lake?endpoint=${endpoint}${settings}`)
    const table = await Table.create(storage, 'silver/orders')
      .reshape({ columns: [{ name: 'id', type: { kind: 'int' } }], partitions: [] })
      .save()
    const log = new CommitLog(storage)
    const state = { ...table.pointer, definition: {}, rows: 0, bytes: 0, files: 0 }
    const info = { author: 'ada', run: null, message: 'test' }
    await log.commit(await log.head(), { tables: { 'silver.orders': state } }, info)
    const errors: unknown[] = []
    const app = catalog(storage, { token: TOKEN, onError: (error) => errors.push(error) })
    const askOnce = async (
      method: string,
      path: string,
      body?: object,
      headers: object = VENDED,
    ) => {
      const answer = await app.request(`/v1/${path}`, {
        method,
        headers: { authorization: `Bearer ${TOKEN}`, ...headers },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
      const text = await answer.text()
      return {
        status: answer.status,
        json: text ? JSON.parse(text) : undefined,
        headers: answer.headers,
      }
    }
    /**
     * As clients do that are told to come again: a busy storage may give no credentials at once.
     */
    const ask = async (...asked: Parameters<typeof askOnce>) => {
      for (;;) {
        const answer = await askOnce(...asked)
        if (answer.status !== 503) return answer
        await sleep(500)
      }
    }
    await ask('POST', 'namespaces', { namespace: ['ml'] })
    return { bucket, storage, log, ask, askOnce, errors, app }
  }

  /** What a client does with the credentials of an answer. */
  function clientOf(bucket: string, config: Config) {
    const client = new S3Client({
      endpoint: config['s3.endpoint'] as string,
      region: config['client.region'] as string,
      forcePathStyle: config['s3.path-style-access'] === 'true',
      requestChecksumCalculation: 'WHEN_REQUIRED',
      credentials: {
        accessKeyId: config['s3.access-key-id'] as string,
        secretAccessKey: config['s3.secret-access-key'] as string,
        sessionToken: config['s3.session-token'] as string,
      },
    })
    onTestFinished(() => client.destroy())
    const Bucket = bucket
    const outcome = (done: Promise<unknown>) =>
      done.then(
        () => 'done',
        (error: Error) => error.name,
      )
    return {
      get: (Key: string) => outcome(client.send(new GetObjectCommand({ Bucket, Key }))),
      put: (Key: string) => outcome(client.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))),
      upload: (Key: string) =>
        outcome(client.send(new CreateMultipartUploadCommand({ Bucket, Key }))),
      copy: (from: string, Key: string) =>
        outcome(
          client.send(new CopyObjectCommand({ Bucket, Key, CopySource: `${bucket}/${from}` })),
        ),
      remove: (Key: string) => outcome(client.send(new DeleteObjectCommand({ Bucket, Key }))),
      removeAll: (Key: string) =>
        client
          .send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key }] } }))
          .then(({ Errors = [] }) => Errors.map(({ Code }) => Code)),
      list: (Prefix?: string) =>
        outcome(client.send(new ListObjectsV2Command({ Bucket, ...(Prefix ? { Prefix } : {}) }))),
      buckets: () => outcome(client.send(new ListBucketsCommand({}))),
      more: () =>
        outcome(
          fromTemporaryCredentials({
            masterCredentials: client.config.credentials,
            params: { RoleArn: 'arn:aws:iam::000000000000:role/x', RoleSessionName: 'x' },
            clientConfig: { endpoint: server.url, region: 'us-east-1' },
          })(),
        ),
    }
  }

  const keyOf = (bucket: string, location: string) => location.slice(`s3://${bucket}/`.length)

  describe('credentials of the catalog', () => {
    it('read a table of the lake, and do nothing else', async () => {
      const { bucket, storage, ask } = await lake()
      await storage.write('silver/orders2/data/1.parquet', Buffer.from('x'))
      const { json, headers } = await ask('GET', 'namespaces/silver/tables/orders')
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('etag')).toBeNull()
      expect(json['storage-credentials']).toEqual([
        { prefix: `s3://${bucket}/deep/lake/`, config: json.config },
      ])
      const can = clientOf(bucket, json.config)
      const file = keyOf(bucket, json['metadata-location'])
      expect(await can.get(file)).toBe('done')
      const denied = 'AccessDenied'
      expect(await can.get('deep/lake/silver/orders2/data/1.parquet')).toBe(denied)
      expect(await can.get('deep/lake/_moraine/log/main/00000000000000000001.json')).toBe(denied)
      expect(await can.put('deep/lake/silver/orders/data/mine.parquet')).toBe(denied)
      expect(await can.upload('deep/lake/silver/orders/data/mine.parquet')).toBe(denied)
      expect(await can.put(file)).toBe(denied)
      expect(await can.remove(file)).toBe(denied)
      expect(await can.removeAll(file)).toEqual([denied])
      expect(await can.list()).toBe(denied)
      expect(await can.list('deep/lake/silver/orders/')).toBe(denied)
      expect(await can.buckets()).toBe(denied)
      expect(await can.more()).toBe(denied)
    })

    it('write a table of another engine, and never what the log says of it, nor anything away', async () => {
      const { bucket, ask } = await lake()
      for (const name of ['scores', 'scores2'])
        await ask('POST', 'namespaces/ml/tables', { name, schema })
      const { json } = await ask('GET', 'namespaces/ml/tables/scores')
      const other = await ask('GET', 'namespaces/ml/tables/scores2')
      const can = clientOf(bucket, json.config)
      const folder = keyOf(bucket, json.metadata.location)
      const file = `${folder}/data/größe 100%+x=1/ü.parquet`
      expect(await can.put(file)).toBe('done')
      expect(await can.get(file)).toBe('done')
      expect(await can.put(`${folder}/metadata/snap-1.avro`)).toBe('done')
      expect(await can.upload(`${folder}/data/large.parquet`)).toBe('done')
      expect(await can.list(`${folder}/`)).toBe('done')
      const denied = 'AccessDenied'
      expect(await can.put(keyOf(bucket, json['metadata-location']))).toBe(denied)
      expect(await can.put(`${folder}/metadata/00009-x.metadata.json`)).toBe(denied)
      expect(await can.remove(file)).toBe(denied)
      expect(await can.removeAll(file)).toEqual([denied])
      expect(await can.list()).toBe(denied)
      expect(await can.list(folder)).toBe(denied)
      expect(await can.list('deep/lake/external/ml/')).toBe(denied)
      const theirs = keyOf(bucket, other.json['metadata-location'])
      expect(await can.get(theirs)).toBe(denied)
      expect(await can.copy(theirs, `${folder}/data/stolen`)).toBe(denied)
      expect(await can.put(`${folder}2/data/x`)).toBe(denied)
      expect(await can.put('deep/lake/silver/orders/data/x')).toBe(denied)
      expect(await can.get(`${folder}/../../../_moraine/log/main/00000000000000000001.json`)).toBe(
        'XMinioInvalidResourceName',
      )
    })

    it('are there for a table that is about to be made, and in a renewal', async () => {
      const { bucket, ask } = await lake()
      const staged = await ask('POST', 'namespaces/ml/tables', {
        name: 'new ones',
        schema,
        'stage-create': true,
      })
      const file = `${keyOf(bucket, staged.json.metadata.location)}/data/1.parquet`
      expect(await clientOf(bucket, staged.json.config).put(file)).toBe('done')
      const again = staged.json.config['client.refresh-credentials-endpoint']
      expect(again).toMatch(/^v1\/namespaces\/ml\/tables\/new%20ones\/credentials\?folder=/)
      const fresh = await ask('GET', again.slice(3), undefined, {})
      const [{ config: more }] = fresh.json['storage-credentials']
      expect(await clientOf(bucket, more).put(file.replace('1.parquet', '2.parquet'))).toBe('done')
      // Only for a folder that the catalog has named.
      for (const folder of ['silver/orders', 'ml/chosen-by-the-client', '..']) {
        const path = again.slice(3).replace(/folder=.*/, `folder=${encodeURIComponent(folder)}`)
        const refused = await ask('GET', path, undefined, {})
        expect([folder, refused.json['storage-credentials'] ?? []]).toEqual([folder, []])
      }
      const created = await ask('POST', 'namespaces/ml/tables', { name: 'new ones', schema })
      const path = created.json.config['client.refresh-credentials-endpoint']
      expect(path).toBe('v1/namespaces/ml/tables/new%20ones/credentials')
      const renewed = await ask('GET', path.slice(3), undefined, {})
      expect(renewed.json['storage-credentials']).toHaveLength(1)
      const { config } = renewed.json['storage-credentials'][0]
      const own = keyOf(bucket, created.json['metadata-location'])
      expect(await clientOf(bucket, config).get(own)).toBe('done')
      expect(Number(config['s3.session-token-expires-at-ms'])).toBeGreaterThan(Date.now())
    })

    it('are asked of the storage once, however often a table is loaded', async () => {
      let asked = 0
      const proxy = await faultyProxy(server.url, ({ method, url }) => {
        if (method === 'POST' && url === '/') asked++
        return 'pass'
      })
      onTestFinished(() => proxy.close())
      const { ask } = await lake('', proxy.url)
      const loads = Array.from({ length: 50 }, () => ask('GET', 'namespaces/silver/tables/orders'))
      const keys = (await Promise.all(loads)).map(({ json }) => json.config['s3.access-key-id'])
      expect(new Set(keys).size).toBe(1)
      expect(asked).toBe(1)
    })

    it('come fresh to a client that has the metadata already', async () => {
      const { ask } = await lake()
      const plain = await ask('GET', 'namespaces/silver/tables/orders', undefined, {})
      expect(plain.json.config).toEqual({})
      const etag = { 'if-none-match': plain.headers.get('etag') }
      const again = await ask('GET', 'namespaces/silver/tables/orders', undefined, etag)
      expect(again.status).toBe(304)
      const both = { ...VENDED, ...etag }
      const fresh = await ask('GET', 'namespaces/silver/tables/orders', undefined, both)
      expect(fresh.status).toBe(200)
      expect(fresh.json.config['s3.session-token']).toMatch(/./)
    })

    it('are for nobody who has not shown the token', async () => {
      const { storage } = await lake()
      const open = catalog(storage)
      const load = (path: string) => open.request(`/v1/${path}`, { headers: VENDED })
      const table = (await (await load('namespaces/silver/tables/orders')).json()) as object
      expect(table).toMatchObject({ config: {} })
      expect(table).not.toHaveProperty('storage-credentials')
      const renewal = await load('namespaces/silver/tables/orders/credentials')
      expect(await renewal.json()).toEqual({ 'storage-credentials': [] })
    })

    it.each([
      ['all of what engines keep', 'external'],
      ['a namespace', 'external/ml'],
      ['a namespace that is not there yet', 'external/ml2'],
      ['another table', 'external/ml/*/..'],
      ['what lies in another table', 'external/ml/*/data'],
      ['wildcards of a policy', 'external/ml/a*'],
      ['any character of a policy', 'external/ml/sc${*}'],
      ['doubled slashes', 'external/ml//x'],
    ])('are not given for a location of %s', async (_, location) => {
      const { bucket, ask, askOnce } = await lake()
      const victim = await ask('POST', 'namespaces/ml/tables', { name: 'scores', schema })
      const folder = victim.json.metadata.location.split('/').at(-1)
      const asked = location.replace(/\*\/\.\.$/, folder).replace('*/data', `${folder}/data`)
      const made = await askOnce('POST', 'namespaces/ml/tables', {
        name: 'thief',
        schema,
        location: `s3://${bucket}/deep/lake/${asked}`,
      })
      if (made.status === 200) {
        expect(made.json.config).toEqual({})
        expect(made.json['storage-credentials']).toBeUndefined()
        const renewal = await ask('GET', 'namespaces/ml/tables/thief/credentials')
        expect(renewal.json['storage-credentials'] ?? []).toEqual([])
      } else expect(made.status).toBeGreaterThanOrEqual(400)
    })

    it('are missing for a moment where the storage gives none, and clients are asked to come again', async () => {
      const proxy = await faultyProxy(server.url, ({ method, url }) =>
        method === 'POST' && url === '/' ? 503 : 'pass',
      )
      onTestFinished(() => proxy.close())
      const { ask, askOnce, errors } = await lake('', proxy.url)
      const failed = await askOnce('GET', 'namespaces/silver/tables/orders')
      expect(failed.status).toBe(503)
      expect(failed.json.error.message).toContain('gives no credentials at the moment')
      expect(JSON.stringify(failed.json)).not.toContain(minioKeys.AWS_SECRET_ACCESS_KEY)
      expect(errors.map(String).join()).toContain("Can't give credentials for")
      // Whoever asks for none has the table.
      expect((await ask('GET', 'namespaces/silver/tables/orders', undefined, {})).status).toBe(200)
    })

    it('are left out where the storage has no STS, and its operator is told once', async () => {
      const proxy = await faultyProxy(server.url, ({ method, url }) =>
        method === 'POST' && url === '/' ? 404 : 'pass',
      )
      onTestFinished(() => proxy.close())
      const { ask, errors } = await lake('', proxy.url)
      for (let i = 0; i < 3; i++) {
        const { status, json, headers } = await ask('GET', 'namespaces/silver/tables/orders')
        expect(status).toBe(200)
        expect(json.config).toEqual({})
        expect(json['storage-credentials']).toBeUndefined()
        expect(headers.get('etag')).toMatch(/./)
      }
      expect(errors).toHaveLength(1)
    })
  })
})

withService('Moto', [motoProgram], () => {
  it('a store that ignores what credentials are limited to gives none', async () => {
    const { url, stop } = await startMoto()
    onTestFinished(stop)
    Object.assign(process.env, minioKeys)
    const client = new S3Client({ endpoint: url, region: 'us-east-1', forcePathStyle: true })
    await client.send(new CreateBucketCommand({ Bucket: 'lake' }))
    const storage = new S3Storage(`s3://lake/x?endpoint=${url}`)
    for (let i = 0; i < 2; i++)
      await expect(storage.vend([{ folder: 'silver/orders', may: 'read' }], 900)).rejects.toThrow(
        /does not limit temporary credentials by their policy/,
      )
  })
})
