import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CreateBucketCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import { MoraineError } from '../../src/errors.js'
import { CommitLog } from '../../src/log/log.js'
import { copyLake } from '../../src/maintain/copy.js'
import { vacuum } from '../../src/maintain/vacuum.js'
import { LocalStorage } from '../../src/storage/local.js'
import { RetryingStorage } from '../../src/storage/retrying.js'
import { S3Storage } from '../../src/storage/s3/s3.js'
import { storageContract } from '../../src/testing/storage-contract.js'
import { amount } from '../support/effort.js'
import { type Fate, faultyProxy } from '../support/faulty-proxy.js'
import { repository, temporaryFolder } from '../support/project.js'
import { random, seed } from '../support/seed.js'
import { minioKeys, minioProgram, type Server, startMinio } from '../support/servers.js'
import { withService } from '../support/services.js'

withService('MinIO', [minioProgram], () => {
  let server: Server
  let client: S3Client
  let cache: string
  let made = 0
  beforeAll(async () => {
    server = await startMinio()
    cache = await mkdtemp(join(tmpdir(), 'moraine-test-cache-'))
    Object.assign(process.env, minioKeys, { MORAINE_CACHE: cache })
    client = new S3Client({ endpoint: server.url, region: 'us-east-1', forcePathStyle: true })
  })
  afterAll(async () => {
    await server.stop()
    await rm(cache, { recursive: true, force: true })
  })

  const root = async (settings = '', endpoint = server.url) => {
    const Bucket = `lake-${++made}`
    await client.send(new CreateBucketCommand({ Bucket }))
    return `s3://${Bucket}/deep/lake?endpoint=${endpoint}${settings}`
  }
  const storage = async (settings?: string) => new S3Storage(await root(settings))

  describe('a bucket', () => {
    for (const { name, run } of storageContract(storage)) it(name, run)

    it('lets exactly one of 16 writers create an object, a hundred times', async () => {
      const place = await root()
      const writers = Array.from({ length: 16 }, () => new S3Storage(place))
      for (let round = 0; round < 100; round++) {
        const path = `log/${round}.json`
        const won = await Promise.all(
          writers.map((writer, i) => writer.createIfAbsent(path, Buffer.from(`writer ${i}`))),
        )
        expect(won.filter(Boolean)).toHaveLength(1)
        const there = Buffer.from(await (writers[0] as S3Storage).read(path)).toString()
        expect(there).toBe(`writer ${won.indexOf(true)}`)
      }
    })

    it('has one line of commits, whoever of its writers is killed', async () => {
      const place = await root()
      const next = random(seed)
      // Each kills itself before or after one of its requests, and another one takes its place.
      const keep = async () => {
        for (let lives = 0; lives < amount(3, 5, 20); lives++) {
          const how = `${next() < 0.5 ? 'before' : 'after'}:${10 + Math.floor(next() * 60)}`
          const child = fork(join(import.meta.dirname, 'writer.ts'), [place], {
            execArgv: ['--import', 'tsx', '--import', join(repository, 'test/faults/kill-at.mjs')],
            env: { ...process.env, MORAINE_ROOT: place, MORAINE_KILL: how },
            stdio: 'ignore',
          })
          expect((await once(child, 'exit'))[1], how).toBe('SIGKILL')
        }
      }
      await Promise.all([keep(), keep(), keep()])
      const log = new CommitLog(new S3Storage(place))
      const { number, watermarks } = await log.head()
      expect(number).toBeGreaterThan(20)
      // Each commit counts one up: none was lost, and none counted twice.
      expect(watermarks['bronze.counter']).toEqual({ count: number })
    })

    it('is vacuumed and copied where a console has made folders, which are objects', async () => {
      const place = await root()
      const lake = new S3Storage(place)
      const log = new CommitLog(lake)
      await log.probe()
      const info = { author: 'a', run: null }
      await log.commit(
        await log.head(),
        { watermarks: { 'bronze.a': 1 } },
        { ...info, message: 'm' },
      )
      for (const folder of ['', 'silver/', 'bronze/a/', '_moraine/runs/', '_moraine/checksums/']) {
        const Key = `deep/lake/${folder}`
        await client.send(
          new PutObjectCommand({ Bucket: new URL(place).hostname, Key, Body: Buffer.alloc(0) }),
        )
      }
      await lake.write('silver/a.parquet', Buffer.from('unused'))
      expect((await lake.entries('silver/')).map(({ path }) => path)).toEqual(['silver/a.parquet'])
      const now = () => new Date(Date.now() + 60_000)
      const vacuumed = await vacuum(log, lake, { grace: 0, history: 0, remove: true, info, now })
      expect(vacuumed.examples).toEqual(['silver/a.parquet'])
      expect(await lake.stat('silver/a.parquet')).toBeUndefined()
      await lake.write('silver/b.parquet', Buffer.from('written since'))
      const there = new LocalStorage(join(await temporaryFolder(), 'lake'))
      const engine = await DuckDB.start({ threads: 1 })
      try {
        const { signal } = new AbortController()
        await copyLake(lake, there, await engine.open(), signal)
      } finally {
        await engine.close()
      }
      expect((await there.list('silver/')).map(({ path }) => path)).toEqual(['silver/b.parquet'])
      expect((await new CommitLog(there).head()).number).toBe((await log.head()).number)
    })

    it('is encrypted as it is asked to be, large objects too', async () => {
      for (const [settings, expected] of [
        ['&sse=AES256', 'AES256'],
        ['&kmsKeyId=lake', 'aws:kms'],
      ] as const) {
        const place = await root(settings)
        const lake = new S3Storage(place)
        await lake.createIfAbsent('small', Buffer.from('x'))
        await lake.prepare('large')
        const { writeFile } = await import('node:fs/promises')
        const bytes = Buffer.alloc(40 * 2 ** 20, 'abc')
        await writeFile(lake.staging.localPath(lake.locate('large')), bytes)
        await lake.seal(['large'])
        expect(Buffer.compare(Buffer.from(await lake.read('large')), bytes)).toBe(0)
        const Bucket = new URL(place).hostname
        for (const name of ['small', 'large']) {
          const head = await client.send(
            new HeadObjectCommand({ Bucket, Key: `deep/lake/${name}` }),
          )
          expect(head.ServerSideEncryption).toBe(expected)
        }
      }
    })
  })

  describe('a bucket that fails', () => {
    async function proxy(meddle: (request: IncomingMessage) => Fate): Promise<string> {
      const before = await faultyProxy(server.url, meddle)
      onTestFinished(() => before.close())
      return before.url
    }

    it.each([
      ['answers 503 a third of the time', () => (Math.random() < 0.3 ? 503 : 'pass')],
      [
        'is in conflict half of the time',
        ({ method }: IncomingMessage) => (method === 'PUT' && Math.random() < 0.5 ? 409 : 'pass'),
      ],
      ['loses a third of its answers', () => (Math.random() < 0.33 ? 'lose' : 'pass')],
    ] as [string, (request: IncomingMessage) => Fate][])(
      'that %s loses nothing',
      async (_, meddle) => {
        const place = await root('', await proxy(meddle))
        const lake = new RetryingStorage(new S3Storage(place))
        const log = new CommitLog(lake)
        const write = async (count: number) => {
          const info = { author: 'a', run: 'r', message: 'm' }
          for (;;) {
            try {
              const state = await log.head()
              if (
                Number((state.watermarks['bronze.counter'] as { count?: number })?.count ?? 0) >=
                count
              )
                return
              await log.commit(state, { watermarks: { 'bronze.counter': { count } } }, info)
              return
            } catch (error) {
              expect(error).toBeInstanceOf(MoraineError)
            }
          }
        }
        for (let i = 1; i <= 15; i++) await write(i)
        const { number, watermarks } = await new CommitLog(
          new S3Storage(place.replace(/endpoint=.*/, `endpoint=${server.url}`)),
        ).head()
        expect(watermarks['bronze.counter']).toEqual({ count: 15 })
        expect(number).toBe(15)
      },
    )

    it('that hangs is given up, and said so; a run goes on once it answers', async () => {
      let hangs = true
      const place = await root('&timeout=3s', await proxy(() => (hangs ? 'hang' : 'pass')))
      const lake = new S3Storage(place)
      await expect(lake.createIfAbsent('x', Buffer.from('1'))).rejects.toThrow(
        /Can't create .*TimeoutError/,
      )
      hangs = false
      expect(await lake.createIfAbsent('x', Buffer.from('1'))).toBe(true)
    })

    it('is told clearly: no bucket, wrong keys, nobody there, unknown settings, keys in the address', async () => {
      const message = async (place: string) =>
        new S3Storage(place).list('').then(
          () => undefined,
          (error) => `${error.message} → ${error.hint}`,
        )
      expect(await message(`s3://no-such-bucket/x?endpoint=${server.url}`)).toMatch(
        /NoSuchBucket.*Create the bucket/,
      )
      expect(await message('s3://lake/x?endpoint=http://127.0.0.1:9')).toMatch(/connection refused/)
      const right = process.env.AWS_SECRET_ACCESS_KEY
      process.env.AWS_SECRET_ACCESS_KEY = 'wr0ng-secret'
      const wrong = await message(await root())
      process.env.AWS_SECRET_ACCESS_KEY = right
      expect(wrong).toMatch(/SignatureDoesNotMatch.*Set AWS_ACCESS_KEY_ID/)
      expect(wrong).not.toContain('wr0ng-secret')
      expect(() => new S3Storage('s3://b/x?color=red')).toThrow(/Unknown S3 setting 'color'/)
      expect(() => new S3Storage('s3://key:secret@b/x')).toThrow(/must not contain keys/)
    })
  })
})
