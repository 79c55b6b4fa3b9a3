import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Table } from '../../src/iceberg/table.js'
import { CommitLog } from '../../src/log/log.js'
import { catalog } from '../../src/serve/rest/catalog.js'
import { S3Storage } from '../../src/storage/s3/s3.js'
import { minioKeys, minioProgram, type Server, startMinio } from '../support/servers.js'
import { withService } from '../support/services.js'

const TOKEN = 'open sesame'
const SIGNED = { 'x-iceberg-access-delegation': 'remote-signing' }
const schema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }

withService('MinIO', [minioProgram], () => {
  let server: Server
  let made = 0
  beforeAll(async () => {
    server = await startMinio()
    Object.assign(process.env, minioKeys)
  })
  afterAll(() => server.stop())

  /** A lake with a table of its own and those of another engine, and a client without a key. */
  async function lake() {
    const bucket = `lake-${++made}`
    const admin = new S3Client({ endpoint: server.url, region: 'us-east-1', forcePathStyle: true })
    await admin.send(new CreateBucketCommand({ Bucket: bucket }))
    const storage = new S3Storage(`s3://${bucket}/deep/lake?endpoint=${server.url}`)
    const table = await Table.create(storage, 'silver/orders')
      .reshape({ columns: [{ name: 'id', type: { kind: 'int' } }], partitions: [] })
      .save()
    const log = new CommitLog(storage)
    const state = { ...table.pointer, definition: {}, rows: 0, bytes: 0, files: 0 }
    const info = { author: 'ada', run: null, message: 'test' }
    await log.commit(await log.head(), { tables: { 'silver.orders': state } }, info)
    const app = catalog(storage, { token: TOKEN })
    const ask = async (method: string, path: string, body?: object, token = TOKEN) => {
      const answer = await app.request(`/v1/${path}`, {
        method,
        headers: { ...(token ? { authorization: `Bearer ${token}` } : {}), ...SIGNED },
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
      const text = await answer.text()
      return { status: answer.status, json: text ? JSON.parse(text) : undefined }
    }
    await ask('POST', 'namespaces', { namespace: ['ml'] })
    /** Sends a request to the bucket as a table's config says; what it answered, or why not. */
    const send = async (endpoint: string, method: string, path: string, body?: string) => {
      const uri = `${server.url}/${bucket}${path}`
      const asked = { region: 'us-east-1', method, uri, headers: {} }
      const { status, json } = await ask('POST', endpoint.replace(/^v1\//, ''), asked)
      if (status !== 200) return `${status}: ${json.error.message}`
      const headers = Object.entries(json.headers as Record<string, string[]>)
      const answer = await fetch(json.uri, {
        method,
        headers: headers.map(([name, values]) => [name, values.join()] as [string, string]),
        ...(body === undefined ? {} : { body }),
      })
      const text = await answer.text()
      return answer.ok ? text : (/<Code>(\w+)/.exec(text)?.[1] ?? String(answer.status))
    }
    const path = (location: string) => location.slice(`s3://${bucket}`.length)
    return { bucket, ask, send, path }
  }

  describe('the catalog signs requests', () => {
    it('that read a table of the lake, or put new files beside it, and no others', async () => {
      const { ask, send, path } = await lake()
      const { json } = await ask('GET', 'namespaces/silver/tables/orders')
      expect(json.config).toMatchObject({
        's3.remote-signing-enabled': 'true',
        's3.endpoint': server.url,
        's3.signer.endpoint': 'v1/namespaces/silver/tables/orders/sign',
      })
      expect(JSON.stringify(json.config)).not.toMatch(/access-key|secret/)
      const at = json.config['s3.signer.endpoint']
      const file = path(json['metadata-location'])
      expect(await send(at, 'GET', file)).toContain('"table-uuid"')
      const fresh = '/deep/lake/silver/orders/data/compacted größe=1.parquet'
      const address = encodeURI(fresh)
      expect(await send(at, 'PUT', address, 'once')).toBe('')
      // What is there stays as it is, also for who created it.
      expect(await send(at, 'PUT', address, 'twice')).toBe('PreconditionFailed')
      expect(await send(at, 'GET', address)).toBe('once')
      expect(await send(at, 'DELETE', address)).toMatch(/^403: .*is not signed/)
      expect(await send(at, 'PUT', file, 'x')).toMatch(/^403: silver.orders does not include/)
      expect(await send(at, 'PUT', file.replace('00001', '00002'), 'x')).toMatch(/^403/)
      for (const other of [
        '/deep/lake/silver/orders2/data/x',
        '/deep/lake/_moraine/log/main/00000000000000000001.json',
        '/deep/lake/silver/orders/../../_moraine/x',
        '/deep/other',
      ])
        for (const method of ['GET', 'PUT'])
          expect(await send(at, method, other, method === 'PUT' ? 'x' : undefined)).toMatch(/^403/)
      expect(await send(at, 'GET', '?list-type=2&prefix=deep/lake/')).toMatch(/^403/)
    })

    it('that write a table of another engine, in parts as well, and one that is about to be made', async () => {
      const { ask, send, path } = await lake()
      const staged = await ask('POST', 'namespaces/ml/tables', {
        name: 'scores',
        schema,
        'stage-create': true,
      })
      const at = staged.json.config['s3.signer.endpoint']
      const folder = path(staged.json.metadata.location)
      expect(await send(at, 'PUT', `${folder}/data/1.parquet`, 'staged')).toBe('')
      expect(await send(at, 'PUT', `${folder}/data/1.parquet`, 'again')).toBe('PreconditionFailed')
      expect(await send(at, 'PUT', '/deep/lake/external/ml/other-0123456789ab/x', 'x')).toMatch(
        /^403/,
      )
      expect(await send(at, 'PUT', '/deep/lake/external/ml/scores/x', 'x')).toMatch(/^403/)
      const created = await ask('POST', 'namespaces/ml/tables', { name: 'scores', schema })
      const own = path(created.json.metadata.location)
      const begun = await send(at, 'POST', `${own}/data/large?uploads`)
      const id = /<UploadId>(.*)<\/UploadId>/.exec(begun)?.[1]
      expect(await send(at, 'PUT', `${own}/data/large?partNumber=1&uploadId=${id}`, 'part')).toBe(
        '',
      )
      expect(await send(at, 'GET', `?list-type=2&prefix=${own.slice(1)}/`)).toContain(
        'metadata.json',
      )
    })

    it('of nobody who has not shown the token, nor for tables that are not there', async () => {
      const { bucket, ask } = await lake()
      const uri = `${server.url}/${bucket}/deep/lake/silver/orders/data/x`
      const asked = { region: 'us-east-1', method: 'GET', uri, headers: {} }
      const sign = (table: string, body: object, token?: string) =>
        ask('POST', `namespaces/${table}/sign`, body, token)
      expect((await sign('silver/tables/orders', asked)).status).toBe(200)
      expect((await sign('silver/tables/orders', asked, '')).status).toBe(401)
      expect((await sign('silver/tables/none', asked)).status).toBe(404)
      expect((await sign('none/tables/none', asked)).status).toBe(404)
      expect((await sign('silver/tables/orders', { method: 'GET' })).status).toBe(400)
    })
  })
})
