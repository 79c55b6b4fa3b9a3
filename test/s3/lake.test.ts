import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startBuckets } from '../support/buckets.js'
import { command } from '../support/commands.js'
import { amount, drawn } from '../support/effort.js'
import { killed, pointsOf } from '../support/kills.js'
import { minioKeys, minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'

const lake = `
import { bronze, defineLake, gold, month, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in') })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.int(), day: t.date(), amount: t.decimal(10, 2).min(0) }),
  key: 'id',
  partitionBy: [month('day')],
})
const daily = gold('daily', { query: sql\`select day, count(*) as n, sum(amount) as amount from \${orders} group by day\`, incremental: { by: 'day' }, columns: { day: t.date(), n: t.bigint(), amount: t.decimal(38, 2) } })
export default defineLake({ name: 'orders', datasets: [daily] })
`

const csv = (from: number, to: number, amount: (id: number) => string) =>
  `id,day,amount\n${Array.from({ length: to - from }, (_, i) => `${from + i},2026-0${((from + i) % 9) + 1}-01,${amount(from + i)}`).join('\n')}\n`

const answers = [
  'SELECT count(*) AS n, sum(amount) AS s, min(day) AS d FROM silver.orders',
  'SELECT day, n, amount FROM gold.daily ORDER BY day',
  "SELECT count(*) AS n FROM silver.orders WHERE day = '2026-03-01'",
  'SELECT reasons, count(*) AS n FROM discarded.orders GROUP BY 1 ORDER BY 1',
  'SELECT count(*) AS n FROM bronze.orders',
]

const extensions = process.env.DUCKDB_EXTENSIONS
const httpfs = extensions && join(extensions, 'v1.5.5/linux_amd64/httpfs.duckdb_extension')

/** With DuckDB's extension objects are read where they lie, by ranges; without it copies are. */
const ways: [name: string, needs: (string | undefined)[], inPlace: boolean][] = [
  ['MinIO', [minioProgram], false],
  ['MinIO, with httpfs', [minioProgram, httpfs], true],
]

for (const [name, needs, inPlace] of ways)
  withService(name, needs, () => {
    let server: Server
    let folder: string
    let env: NodeJS.ProcessEnv
    let root: string
    beforeAll(async () => {
      ;({ server } = await startBuckets(['lakes']))
      folder = await mkdtemp(join(tmpdir(), 'moraine-test-'))
      env = {
        ...minioKeys,
        MORAINE_CACHE: join(folder, 'cache'),
        MORAINE_EXTENSIONS: (inPlace ? extensions : undefined) ?? join(folder, 'none'),
      }
      root = `s3://lakes/orders?endpoint=${server.url}${inPlace ? '&reads=ranges' : ''}`
      await rm(join(folder, 'project'), { recursive: true, force: true })
    })
    afterAll(async () => {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    })

    const write = async (name: string, text: string) => {
      const { mkdir } = await import('node:fs/promises')
      await mkdir(join(folder, 'project/in'), { recursive: true })
      await writeFile(join(folder, 'project/lake.ts'), lake)
      await writeFile(join(folder, 'project/in', name), text)
    }
    const cli = async (where: string[], ...args: string[]) => {
      const done = await command(['-C', join(folder, 'project'), ...where, ...args], env)
      if (done.code !== 0) throw new Error(`${args.join(' ')}: ${done.stdout}${done.stderr}`)
      return done.stdout
    }
    const inBucket = () => ['--root', root]
    const local = () => ['--root', join(folder, 'local')]
    const told = async (where: string[]) =>
      Promise.all(answers.map((sql) => cli(where, 'query', sql, '--json')))

    it('a lake in a bucket holds what one in a folder holds, run for run, and is sound', async () => {
      await write(
        'a.csv',
        csv(0, 4000, (id) => (id % 500 === 7 ? '-1' : `${id}.25`)),
      )
      for (const where of [inBucket(), local()]) await cli(where, 'run')
      expect(await told(inBucket())).toEqual(await told(local()))
      await write(
        'b.csv',
        csv(3000, 5000, (id) => `${id}.50`),
      )
      for (const where of [inBucket(), local()]) await cli(where, 'run')
      expect(await told(inBucket())).toEqual(await told(local()))
      expect(await cli(inBucket(), 'run')).toContain('Nothing to do')
      await cli(inBucket(), 'verify', '--deep')
      // All of it is in the bucket: another machine has no copies.
      await rm(join(folder, 'cache'), { recursive: true, force: true })
      await cli(inBucket(), 'verify', '--deep')
      expect(await told(inBucket())).toEqual(await told(local()))
      // So has a run that finds rows of the bucket's tables replaced.
      await rm(join(folder, 'cache'), { recursive: true, force: true })
      await write(
        'b2.csv',
        csv(100, 900, (id) => `${id}.75`),
      )
      for (const where of [inBucket(), local()]) await cli(where, 'run')
      expect(await told(inBucket())).toEqual(await told(local()))
      const before = ['query', '--at', '3', answers[0] as string, '--json']
      expect(await cli(inBucket(), ...before)).toBe(await cli(local(), ...before))
    })

    it('a branch in a bucket changes, tells and publishes what one in a folder does', async () => {
      const others = lake.replace('group by day', 'where id > 10 group by day')
      const shown: unknown[] = []
      for (const where of [inBucket(), local()]) {
        await cli(where, 'branch', 'create', 'dev')
        await writeFile(join(folder, 'project/lake.ts'), others)
        await rm(join(folder, 'cache'), { recursive: true, force: true })
        await cli(where, 'run', '--branch', 'dev')
        const { datasets } = JSON.parse(await cli(where, 'diff', 'dev', '--json'))
        const why = ['why', 'gold.daily', '--where', "day = '2026-02-01'", '--branch', 'dev']
        const { origins } = JSON.parse(await cli(where, ...why, '--column', 'amount', '--json'))
        expect(await cli(where, 'query', answers[1] as string)).not.toBe(
          await cli(where, 'query', answers[1] as string, '--branch', 'dev'),
        )
        await cli(where, 'promote', 'dev')
        // Batches have names of their own.
        shown.push(
          JSON.parse(
            JSON.stringify({ datasets, origins }, (name, value) =>
              ['batch', 'files', 'bytes'].includes(name) ? undefined : value,
            ),
          ),
        )
        await writeFile(join(folder, 'project/lake.ts'), lake)
      }
      expect(shown[0]).toEqual(shown[1])
      expect(await told(inBucket())).toEqual(await told(local()))
      for (const where of [inBucket(), local()]) await cli(where, 'run', '--accept-definition')
    })

    it('a query brings only the files that it needs', async () => {
      await rm(join(folder, 'cache'), { recursive: true, force: true })
      await cli(inBucket(), 'query', answers[2] as string)
      const copied = async () =>
        (await readdir(join(folder, 'cache'), { recursive: true }).catch(() => [])).filter(
          (path) => path.includes('silver/') && path.endsWith('.parquet'),
        )
      const data = await copied()
      const all = JSON.parse(await cli(inBucket(), 'query', answers[0] as string, '--json'))
      expect(all).toHaveLength(1)
      const every = await copied()
      expect(data).toHaveLength(inPlace ? 0 : 1)
      if (inPlace) expect(every).toEqual([])
      else expect(every.length).toBeGreaterThan(5)
    })

    it('a run that is killed leaves it as it was, or as it is after', async () => {
      const more = (round: number) =>
        write(
          `c${round}.csv`,
          csv(5000 + round * 100, 5100 + round * 100, (id) => `${id}`),
        )
      const project = { folder: join(folder, 'project') }
      await more(0)
      const points = drawn(await pointsOf(project, root, { env }), amount(3, 6, 24))
      let deaths = 0
      for (const [round, at] of points.entries()) {
        await more(round + 1)
        const how = `${at % 2 ? 'before' : 'after'}:${at}`
        if ((await killed(project, root, how, { env })).died) deaths++
        await cli(inBucket(), 'verify')
      }
      expect(deaths).toBeGreaterThan(points.length / 2)
      await cli(inBucket(), 'run')
      await cli(local(), 'run')
      expect(await told(inBucket())).toEqual(await told(local()))
      await cli(inBucket(), 'verify', '--deep')
      await cli(inBucket(), 'vacuum', '--delete')
      await cli(inBucket(), 'verify', '--deep')
    })

    it('it moves between a folder and a bucket, and back', async () => {
      const bucket = `s3://lakes/copied?endpoint=${server.url}`
      await cli(local(), 'copy', bucket)
      expect(await told(['--root', bucket])).toEqual(await told(local()))
      await cli(['--root', bucket], 'verify', '--deep')
      await cli(['--root', bucket], 'copy', join(folder, 'back'))
      await cli(['--root', join(folder, 'back')], 'verify', '--deep')
      expect(await told(['--root', join(folder, 'back')])).toEqual(await told(local()))
    })

    const python = process.env.MORAINE_PYTHON
    it.runIf(python)(
      'PyIceberg reads its tables where they lie, also those that were copied',
      async () => {
        const script = `
import sys
from pyiceberg.table import StaticTable
t = StaticTable.from_metadata(sys.argv[1], properties={"s3.endpoint": sys.argv[2], "s3.region": "us-east-1",
  "s3.access-key-id": sys.argv[3], "s3.secret-access-key": sys.argv[4]})
a = t.scan().to_arrow()
import pyarrow.compute as pc
print(a.num_rows, pc.sum(a["amount"]).as_py())
`
        const { CommitLog } = await import('../../src/log/log.js')
        const { S3Storage } = await import('../../src/storage/s3/s3.js')
        process.env.MORAINE_CACHE = join(folder, 'cache')
        const keys = [minioKeys.AWS_ACCESS_KEY_ID, minioKeys.AWS_SECRET_ACCESS_KEY]
        const [row] = JSON.parse(await cli(local(), 'query', answers[0] as string, '--json'))
        for (const place of [root, `s3://lakes/copied?endpoint=${server.url}`]) {
          const storage = new S3Storage(place)
          const { tables } = await new CommitLog(storage).head()
          const metadata = storage.locate(tables['silver.orders']?.metadata as string)
          const args = ['-c', script, metadata, server.url, ...keys]
          const { stdout } = await promisify(execFile)(python as string, args)
          expect(stdout.trim()).toBe(`${row.n} ${row.s}`)
        }
      },
    )
  })
