import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { fileSha256, sha256 } from '../../src/storage/checksum.js'
import { TRUSTED } from '../../src/storage/s3/copies.js'
import { S3Storage } from '../../src/storage/s3/s3.js'
import { startBuckets } from '../support/buckets.js'
import { type Fate, type FaultyProxy, faultyProxy } from '../support/faulty-proxy.js'
import { moraine } from '../support/project.js'
import { random, seed } from '../support/seed.js'
import { minioKeys, minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'

const lake = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in') })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.int(), day: t.date(), amount: t.decimal(10, 2).min(0) }),
  key: 'id',
})
const daily = gold('daily', { query: sql\`select day, sum(amount) as amount from \${orders} group by day\` })
export default defineLake({ name: 'orders', datasets: [daily] })
`

const csv = `id,day,amount\n${Array.from({ length: 3000 }, (_, i) => `${i},2026-0${(i % 9) + 1}-01,${i}.25`).join('\n')}\n`

const QUERIES = [
  'select count(*) as n, sum(amount) as s, sum(id) as i from silver.orders',
  'select day, amount from gold.daily order by day',
  'select count(*) as n, max(id) as i from bronze.orders',
]
const NOTE = '.moraine-sum'

withService('MinIO', [minioProgram], () => {
  let server: Server
  let client: S3Client
  let proxy: FaultyProxy
  let folder: string
  let env: NodeJS.ProcessEnv
  let truth: string[]
  /**
   * What becomes of an object that is asked for, by its key and how often it was asked for before.
   */
  let fate: (key: string, before: number) => Fate
  const asked = new Map<string, number>()

  beforeAll(async () => {
    ;({ server, client } = await startBuckets(['lakes']))
    folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
    env = {
      ...minioKeys,
      MORAINE_CACHE: join(folder, 'cache'),
      MORAINE_EXTENSIONS: join(folder, 'none'),
    }
    Object.assign(process.env, env)
    proxy = await faultyProxy(server.url, ({ method, url = '' }) => {
      const key = decodeURIComponent(url.split('?')[0] ?? '')
      if (method !== 'GET') return 'pass'
      const before = asked.get(key) ?? 0
      asked.set(key, before + 1)
      return fate(key, before)
    })
    await mkdir(join(folder, 'project/in'), { recursive: true })
    await writeFile(join(folder, 'project/lake.ts'), lake)
    await writeFile(join(folder, 'project/in/a.csv'), csv)
    await cli('run')
    truth = await answers()
  })
  afterAll(async () => {
    proxy.close()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })
  beforeEach(() => {
    fate = () => 'pass'
    asked.clear()
  })

  const root = () => `s3://lakes/orders?endpoint=${proxy.url}`
  const told = (...args: string[]) =>
    moraine(['-C', join(folder, 'project'), '--root', root(), ...args], env)
  const cli = async (...args: string[]) => {
    fate ??= () => 'pass'
    const done = await told(...args)
    if (done.code !== 0) throw new Error(`${args.join(' ')}: ${done.stdout}${done.stderr}`)
    return done.stdout
  }
  const answers = async () => {
    const found: string[] = []
    for (const sql of QUERIES) found.push(await cli('query', sql, '--json'))
    return found
  }
  const forgetCopies = () => rm(join(folder, 'cache'), { recursive: true, force: true })
  const copies = async () =>
    (await readdir(join(folder, 'cache'), { recursive: true }))
      .filter((path) => path.endsWith('.parquet'))
      .map((path) => join(folder, 'cache', path))
  const flip = async (file: string, at = 0.5) => {
    const bytes = await readFile(file)
    const bit = Math.floor(at * bytes.length * 8)
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    await writeFile(file, bytes)
  }
  const isData = (key: string) => key.endsWith('.parquet')

  describe('an object that is copied', () => {
    it('is asked for once more when a bit of it flips on the way', async () => {
      await forgetCopies()
      fate = (key, before) => (isData(key) && before === 0 ? 'flip' : 'pass')
      expect(await answers()).toEqual(truth)
      const data = [...asked].filter(([key]) => isData(key))
      expect(data.length).toBeGreaterThan(2)
      expect(data.map(([, times]) => times)).toEqual(data.map(() => 2))
    })

    it('gives an error that names it and says what to do, and no rows, when it comes wrong twice', async () => {
      await forgetCopies()
      fate = (key) => (isData(key) ? 'flip' : 'pass')
      for (const sql of QUERIES) {
        const { code, stdout, stderr } = await told('query', sql)
        expect(code).not.toBe(0)
        expect(stdout).toBe('')
        expect(stderr).toMatch(
          /(bronze|silver|gold)\/\S+\.parquet is damaged: its SHA-256 does not match/,
        )
        expect(stderr).toContain('moraine repair')
      }
      // Nothing of it stays here: once the way is good again, so are the answers.
      fate = () => 'pass'
      expect(await answers()).toEqual(truth)
    })

    it('is known to be damaged in the bucket, and repaired there', async () => {
      const listed = await client.send(new ListObjectsV2Command({ Bucket: 'lakes' }))
      const keys = (listed.Contents ?? []).map(({ Key = '' }) => Key)
      const Key = keys.find((key) => /silver\/orders\/data\/.*\.parquet$/.test(key)) as string
      const at = { Bucket: 'lakes', Key }
      const { Body } = await client.send(new GetObjectCommand(at))
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? [])
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 4
      // The storage takes it for what was written: its own checksum fits.
      await client.send(new PutObjectCommand({ ...at, Body: bytes, ChecksumAlgorithm: 'SHA256' }))
      // Whoever has a copy is answered from it, rightly; a deep look is at the bucket.
      expect(await answers()).toEqual(truth)
      expect(await told('verify', '--deep')).toMatchObject({ code: 1 })
      await forgetCopies()
      const { code, stdout, stderr } = await told('query', QUERIES[0] as string)
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toContain(`${Key.slice('orders/'.length)} is damaged`)
      expect(stderr).toContain('moraine repair')
      await cli('repair', '--yes')
      await cli('verify', '--deep')
      expect(await answers()).toEqual(truth)
    })
  })

  describe('a copy', () => {
    it('that was changed on the disk is brought anew, whichever bit it is', async () => {
      await answers()
      const next = random(seed)
      const files = await copies()
      expect(files.length).toBeGreaterThan(2)
      for (let round = 0; round < 3; round++) {
        const sums = await Promise.all(files.map(fileSha256))
        for (const file of files) {
          const { atime, mtime } = await stat(file)
          await flip(file, next())
          await utimes(file, atime, mtime)
        }
        expect(await answers()).toEqual(truth)
        expect(await Promise.all(files.map(fileSha256))).toEqual(sums)
      }
    })

    it('that rotted while nobody wrote to it is noticed once a day has passed', async () => {
      await answers()
      for (const file of await copies()) {
        await flip(file)
        // As it is where the disk itself has lost a bit: the file's times are what they were.
        const note = JSON.parse(await readFile(file + NOTE, 'utf8'))
        const { mtimeMs: mtime, ctimeMs: ctime } = await stat(file)
        const checked = Date.now() - TRUSTED - 1
        await writeFile(file + NOTE, JSON.stringify({ ...note, mtime, ctime, checked }))
      }
      expect(await answers()).toEqual(truth)
    })

    it('that is as it was is asked for no more', async () => {
      await answers()
      asked.clear()
      expect(await answers()).toEqual(truth)
      expect([...asked.keys()].filter(isData)).toEqual([])
    })
  })

  describe('an object whose checksum only the storage knows', () => {
    const place = () => new S3Storage(`s3://lakes/others?endpoint=${proxy.url}`)
    const bytes = Buffer.from('some bytes that nobody has described'.repeat(100))
    const put = async (name: string, checksum: 'CRC64NVME' | 'CRC32' | 'SHA256' | undefined) => {
      const plain = new S3Client({
        endpoint: server.url,
        region: 'us-east-1',
        forcePathStyle: true,
        requestChecksumCalculation: 'WHEN_REQUIRED',
      })
      await plain.send(
        new PutObjectCommand({
          Bucket: 'lakes',
          Key: `others/${name}`,
          Body: bytes,
          ...(checksum ? { ChecksumAlgorithm: checksum } : {}),
        }),
      )
    }

    for (const checksum of ['CRC64NVME', 'CRC32', 'SHA256', undefined] as const)
      it(`is held against ${checksum ?? 'its ETag'}`, async () => {
        const storage = place()
        const name = `${checksum ?? 'etag'}.parquet`
        await put(name, checksum)
        const location = storage.locate(name)
        fate = (_, before) => (before === 0 ? 'flip' : 'pass')
        await storage.staging.fetch([location])
        expect(await readFile(storage.staging.localPath(location))).toEqual(bytes)
        expect(asked.get(`/lakes/others/${name}`)).toBe(2)
        // So is an object of a source.
        asked.clear()
        const file = join(folder, 'downloaded')
        await storage.download(name, file)
        expect(await readFile(file)).toEqual(bytes)
        await rm(storage.staging.localPath(location))
        if (checksum === undefined) return
        fate = () => 'flip'
        await expect(storage.staging.fetch([location])).rejects.toMatchObject({
          kind: 'corrupt',
          path: name,
        })
        await expect(storage.download(name, file)).rejects.toThrow(/checksum stored/)
      })

    it('is taken where its ETag is none, once it came twice the same', async () => {
      const storage = place()
      await put('other.parquet', undefined)
      fate = () => 'etag'
      await storage.staging.fetch([storage.locate('other.parquet')])
      expect(await readFile(storage.staging.localPath(storage.locate('other.parquet')))).toEqual(
        bytes,
      )
    })

    it('is brought when what refers to it was wrong only for a time', async () => {
      const storage = place()
      await put('later.parquet', undefined)
      const location = storage.locate('later.parquet')
      storage.staging.expect([{ location, sha256: sha256('another') }])
      await expect(storage.staging.fetch([location])).rejects.toMatchObject({ kind: 'corrupt' })
      storage.staging.expect([{ location, sha256: sha256(bytes) }])
      await storage.staging.fetch([location])
      expect(await readFile(storage.staging.localPath(location))).toEqual(bytes)
    })
  })
})
