import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import { objectsOf } from '../../src/source/files/bucket.js'
import { startBuckets } from '../support/buckets.js'
import { faultyProxy } from '../support/faulty-proxy.js'
import { Project, step, temporaryFolder } from '../support/project.js'
import { minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'
import { zip } from '../support/zip.js'

withService('MinIO', [minioProgram], () => {
  let server: Server
  let client: S3Client
  beforeAll(async () => {
    ;({ server, client } = await startBuckets(['drop']))
  })
  afterAll(() => server.stop())

  const put = (Key: string, Body: string | Buffer) =>
    client.send(new PutObjectCommand({ Bucket: 'drop', Key, Body }))

  const lake = (path: string, options = '', bronze = '') =>
    Project.create({
      'lake.ts': `
import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'
export default defineLake({ name: 'drop', datasets: [bronze('rows', { from: files('${path}?endpoint=${server.url}', { ${options} }), ${bronze} })] })
`,
    })
  const rows = (project: Project) =>
    project.query('SELECT _source_file AS f, id FROM bronze.rows ORDER BY f, id')

  it('many small objects are fetched side by side, and share a Parquet file', async () => {
    const names = Array.from({ length: 40 }, (_, i) => `small/${i}.csv${i % 9 ? '' : '.gz'}`)
    for (const [i, name] of names.entries())
      await put(name, name.endsWith('.gz') ? gzipSync(`id\n${i}\n`) : `id\n${i}\n`)
    const project = await lake('s3://drop/small/*.csv*')
    expect(step(await project.run(), 'bronze.rows')).toMatchObject({ rows: 40 })
    expect(await rows(project)).toEqual(
      names
        .map((name, i) => ({ f: `s3://drop/${name}`, id: `${i}` }))
        .sort((a, b) => (a.f < b.f ? -1 : 1)),
    )
    const kept = await project.storage.list('bronze/rows')
    expect(kept.filter(({ path }) => path.endsWith('.parquet'))).toHaveLength(1)
    await put('small/7.csv', 'id\n700\n')
    expect(step(await project.run(), 'bronze.rows')).toMatchObject({ rows: 1 })
  })

  it('what is skipped for its name is reported, of a folder and of a pattern', async () => {
    for (const name of ['a.csv', '_SUCCESS', '_b.csv', '_old/1.csv', '_old/2.csv'])
      await put(`skips/${name}`, 'id\n1\n')
    const found = async (path: string) => {
      const skipped: string[] = []
      const files = await objectsOf(`s3://drop/${path}?endpoint=${server.url}`, skipped)
      return [files.map(({ path }) => path), [...new Set(skipped)]]
    }
    const old = 's3://drop/skips/_old/'
    expect(await found('skips')).toEqual([['skips/a.csv'], [old, 's3://drop/skips/_b.csv'].sort()])
    expect(await found('skips/**/*.csv')).toEqual([['skips/_b.csv', 'skips/a.csv'], [old]])
    expect(await found('skips/_old')).toEqual([['skips/_old/1.csv', 'skips/_old/2.csv'], []])
    expect(await found('skips/_b.csv')).toEqual([['skips/_b.csv'], []])
  })

  it('what a lake in the bucket has written is not meant by a pattern around it', async () => {
    const own = ['_moraine/log/main/1.json', 'silver/a/data/1.parquet', 'bronze/a/1.parquet']
    for (const name of [...own, 'in/1.parquet']) await put(`around/${name}`, 'x')
    const found = async (path: string) =>
      (await objectsOf(`s3://drop/${path}?endpoint=${server.url}`)).map(({ path }) => path)
    expect(await found('around/**')).toEqual(['around/in/1.parquet'])
    expect(await found('around')).toEqual(['around/in/1.parquet'])
    expect(await found('around/silver/**')).toEqual(['around/silver/a/data/1.parquet'])
    // Its mark is not among what a pattern lists that spells part of a name.
    await put('around/sales/1.parquet', 'x')
    expect(await found('around/s*/**')).toEqual(['around/sales/1.parquet'])
    expect(await found('around/{sales,silver}/**')).toEqual(['around/sales/1.parquet'])
    expect(await found('arou*/s*/**')).toEqual(['around/sales/1.parquet'])
  })

  it.each([
    ['one of many', ['a.csv', 'b.csv', 'c.csv']],
    ['the only new one', ['b.csv']],
    ['a zip', ['a.csv', 'b.zip']],
  ])(
    'an object that was removed after it was listed is told of, and no failure: %s',
    async (what, names) => {
      const folder = `gone-${what.replaceAll(' ', '-')}`
      for (const name of names)
        await put(
          `${folder}/${name}`,
          name.endsWith('.zip') ? zip({ 'x.csv': 'id\n1\n' }) : 'id\n1\n',
        )
      // A zip is listed by its end, and gone when a file of it is asked for.
      let asked = 0
      const proxy = await faultyProxy(server.url, ({ method, url = '' }) => {
        if (method !== 'GET' || !/\/b\.(csv|zip)/.test(url)) return 'pass'
        return url.includes('.zip') && asked++ < 2 ? 'pass' : 404
      })
      const project = await Project.create({
        'lake.ts': `
import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'
export default defineLake({ name: 'drop', datasets: [bronze('rows', { from: files('s3://drop/${folder}/?endpoint=${proxy.url}') })] })
`,
      })
      const run = await project.run()
      proxy.close()
      expect([run.outcome, run.error]).toEqual(['done', undefined])
      const [note] = step(run, 'bronze.rows').notes ?? [step(run, 'bronze.rows').reason]
      expect(note).toMatch(/b\.\S+ was removed after it was listed/)
    },
  )

  it('an object that changes after it was listed is not taken for what was listed', async () => {
    await put('moving/a.csv', 'id\n1\n')
    const [file] = await objectsOf(`s3://drop/moving/?endpoint=${server.url}`)
    const here = join(await temporaryFolder(), 'object')
    const { signal } = new AbortController()
    await file?.remote?.download(here, signal)
    expect(await file?.remote?.isSame()).toBe(true)
    await put('moving/a.csv', 'id\n2\n')
    await file?.remote?.download(here, signal)
    expect(await file?.remote?.isSame()).toBe(false)
  })

  it('objects of a bucket are files: by glob, new ones, changed ones, each once', async () => {
    await put('in/a.csv', 'id\n1\n2\n')
    await put('in/deep/b.csv.gz', gzipSync('id\n3\n'))
    await put('in/note.txt', 'nothing')
    await put('out/c.csv', 'id\n9\n')
    const project = await lake('s3://drop/in/**/*.{csv,csv.gz}', "columns: ['id'], header: true")
    const first = await project.run()
    expect(first.steps.map(({ error }) => error).filter(Boolean)).toEqual([])
    expect(await rows(project)).toEqual([
      { f: 's3://drop/in/a.csv', id: '1' },
      { f: 's3://drop/in/a.csv', id: '2' },
      { f: 's3://drop/in/deep/b.csv.gz', id: '3' },
    ])
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
    await put('in/d.csv', 'id\n4\n')
    await new Promise((done) => setTimeout(done, 1100))
    await put('in/a.csv', 'id\n1\n5\n')
    expect(step(await project.run(), 'bronze.rows').rows).toBe(3)
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
  })

  it('a folder of a bucket, JSON in it, kept as it came', async () => {
    await put('events/x.jsonl', '{"id": 1}\nnope\n')
    const project = await lake('s3://drop/events/', "format: 'jsonl'", "format: 'raw'")
    expect((await project.run()).outcome).toBe('done')
    const all = await project.query('SELECT id, _error FROM bronze.rows ORDER BY _source_line')
    expect(all).toEqual([
      { id: '1', _error: null },
      { id: null, _error: 'it is no JSON' },
    ])
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it.each([
    ['s3://drop/nowhere/*.csv', /There is no file at s3:\/\/drop\/nowhere\/\*\.csv/],
    ['s3://no-such-bucket/*.csv', /NoSuchBucket/],
  ])('%s is told clearly', async (path, message) => {
    const { error } = step(await (await lake(path)).run(), 'bronze.rows')
    expect(error?.message).toMatch(message)
    expect(error?.message).not.toContain('endpoint')
  })

  it('each file of a zip is one, and of the zip only its end and that file are brought', async () => {
    const filler = Array.from({ length: 40_000 }, (_, i) => `${(i * 7919) % 99_991}`).join('\n')
    const packed = zip({ 'big.txt': filler, 'a.csv': 'id\n1\n2\n', 'deep/b.csv': 'id\n3\n' })
    await put('packed/all.zip', packed)
    const project = await lake(
      's3://drop/packed/',
      "columns: ['id'], header: true",
      "format: 'raw'",
    )
    const record = await project.run()
    expect(record.steps.map(({ error }) => error).filter(Boolean)).toEqual([])
    expect((await rows(project)).filter(({ f }) => !String(f).endsWith('.txt'))).toEqual([
      { f: 's3://drop/packed/all.zip/a.csv', id: '1' },
      { f: 's3://drop/packed/all.zip/a.csv', id: '2' },
      { f: 's3://drop/packed/all.zip/deep/b.csv', id: '3' },
    ])
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
    // As it came: the zip itself, once.
    const kept = (await project.storage.list('bronze/')).filter(({ path }) =>
      path.includes('/raw/'),
    )
    expect(kept.map(({ path, size }) => [path.split('/').at(-1), size])).toEqual([
      ['00001-all.zip', packed.length],
    ])
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    await put('packed/broken.zip', packed.subarray(0, 5000))
    // Others are there, so it holds nothing up.
    const { outcome, notes } = step(await project.run(), 'bronze.rows')
    expect(outcome).toBe('done')
    expect(notes).toContainEqual(
      expect.stringContaining(
        "s3://drop/packed/broken.zip can't be read and is discarded completely: can't be unpacked",
      ),
    )
    const faulty =
      'SELECT _source_file AS f, _error AS why FROM bronze.rows WHERE _error IS NOT NULL'
    expect((await project.query(faulty)).at(-1)).toEqual({
      f: 's3://drop/packed/broken.zip',
      why: expect.stringContaining("can't be unpacked"),
    })
  })

  it('a zip in a bucket that does not say so is told clearly', async () => {
    await put('zips/a.csv', Buffer.from('PK\u0003\u0004 and so on', 'latin1'))
    const { error } = step(await (await lake('s3://drop/zips/')).run(), 'bronze.rows')
    expect(error?.message).toBe('s3://drop/zips/a.csv is a zip')
  })

  it('a preview reads a few bytes of an object, never the whole', async () => {
    const project = await Project.create({})
    const engine = await DuckDB.start()
    const session = await engine.open()
    const path = join(project.folder, 'big.parquet')
    await session.run(
      `COPY (SELECT i AS id, 'row ' || i AS name, md5(i::VARCHAR) AS noise FROM range(400000) t(i)) TO '${path}' (FORMAT parquet, ROW_GROUP_SIZE 20480)`,
    )
    session.close()
    await engine.close()
    const bytes = await readFile(path)
    await put('big/a.parquet', bytes)
    const lines = Array.from({ length: 100_000 }, (_, i) => `${i},name ${i}`).join('\n')
    await put('big/a.csv', `id,name\n${lines}\n`)
    const preview = async (key: string) => {
      const { code, stdout, stderr } = await project.cli(
        'preview',
        `s3://drop/${key}?endpoint=${server.url}`,
        '-n',
        '2',
      )
      return {
        code,
        text: stdout + stderr,
        read: Number(/(\d+) of \d+ bytes were read/.exec(stdout)?.[1]),
      }
    }
    const parquet = await preview('big/a.parquet')
    expect(parquet.text).toMatch(
      /id\s+name\s+noise[\s\S]+0\s+row 0\s+cfcd208495d565ef66e7dff9f98764da/,
    )
    expect(parquet.read).toBeLessThan(bytes.length / 5)
    const csv = await preview('big/a.csv')
    expect(csv.text).toMatch(/0\s+name 0/)
    expect(csv.read).toBe(256 * 1024)
    expect((await preview('big/none.csv')).text).toMatch(
      /There is no object big\/none.csv in s3:\/\/drop/,
    )
    await put('big/b.parquet', 'no parquet at all, but long enough')
    expect((await preview('big/b.parquet')).text).toMatch(/is not a Parquet file/)
  })
})
