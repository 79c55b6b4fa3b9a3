import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Projected } from '../../src/aws/glue/report.js'
import { parseJson } from '../../src/iceberg/json.js'
import { type Ministack, ministackProgram, startMinistack } from '../support/ministack.js'
import { moraine, Project, repository } from '../support/project.js'
import { withService } from '../support/services.js'
import { Trino, trinoFolder } from '../support/trino.js'
import { trinoParts } from './engines/trino.js'
import { python, sparkJar } from './readers.js'

const run = promisify(execFile)

const definition = `
import { bronze, defineLake, gold, month, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv'), format: 'raw' })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.bigint(), day: t.date(), at: t.timestamp(), amount: t.decimal(12, 2).min(0), note: z.string().nullable() }),
  key: 'id',
  cursor: 'at',
  history: true,
  partitionBy: [month('day')],
})
const daily = gold('daily', { query: sql\`select day, count(*) as orders, sum(amount) as amount from \${orders} group by day\` })
const large = gold('large', { view: true, query: sql\`select id, amount, day from \${orders} where amount > 20\` })
const odd = gold('odd', { view: true, query: sql\`select regexp_replace(note, '(?<a>x)', '\\\\\\\\1') as n from \${orders}\` })
export default defineLake({ name: 'shop', datasets: [daily, large, odd] })
`

const csv = (from: number, until: number) =>
  ['id,day,at,amount,note']
    .concat(
      Array.from({ length: until - from }, (_, i) => from + i).map(
        (id) =>
          `${id % 50},2026-0${1 + (id % 3)}-11,2026-01-01 00:${String(id % 60).padStart(2, '0')}:00.000125,${id % 9 === 8 ? -1 : id}.50,${['größer', '"a ""b"", c"', ''][id % 3]}`,
      ),
    )
    .join('\n')

const tables = ['silver.orders', 'gold.daily', 'discarded.orders', 'history.orders']

/** Rows whatever their order, with values as texts that all engines have alike. */
const comparable = (rows: readonly Record<string, unknown>[]) =>
  rows
    .map((row) =>
      Object.entries(row)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, value]) => `${name}=${plain(value)}`)
        .join('|'),
    )
    .sort()

function plain(value: unknown): string {
  if (value === null || value === undefined) return '∅'
  if (typeof value === 'object')
    return JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? String(v) : v))
  const text = String(value)
  const time = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d+)?(?:Z|\+00:00| UTC)?$/.exec(text)
  return time ? `${time[1]} ${time[2]}${(time[3] ?? '').replace(/\.?0+$/, '')}` : text
}

withService('MiniStack', [ministackProgram], () => {
  let cloud: Ministack
  let project: Project
  const root = 's3://lakes/shop'
  beforeAll(async () => {
    cloud = await startMinistack()
    // Each test goes on with it.
    project = Project.at(await mkdtemp(join(tmpdir(), 'moraine-glue-')))
    const s3 = new S3Client({ ...cloud.client, forcePathStyle: true })
    await s3.send(new CreateBucketCommand({ Bucket: 'lakes' }))
  })
  afterAll(async () => {
    await cloud.stop()
    await rm(project.folder, { recursive: true, force: true })
  })

  const cli = async (...args: string[]) => {
    const env = { ...cloud.env, MORAINE_CACHE: join(project.folder, 'cache') }
    return moraine(['-C', project.folder, '--root', root, ...args], env)
  }
  const projected = async (...args: string[]) => {
    const { code, stdout, stderr } = await cli('project', '--json', ...args)
    const told = JSON.parse(stdout) as Projected
    if (!told.setAside) throw new Error(stdout + stderr)
    expect(code === 0).toBe(told.setAside.length === 0)
    return told
  }
  const asked = async (name: string) => {
    const { stdout, stderr } = await cli('query', '--json', `from ${name}`)
    if (stdout === '') throw new Error(stderr)
    return comparable(parseJson(stdout) as Record<string, unknown>[])
  }

  it('has the same rows for PyIceberg, Trino and Spark as for moraine query', async () => {
    await project.write({ 'lake.ts': definition, 'in/1.csv': csv(0, 40) })
    await cli('run')
    await project.write({ 'in/2.csv': csv(30, 60) })
    await cli('run')
    const first = await projected()
    expect(first.notes).toEqual([
      { dataset: 'gold.odd', note: expect.stringMatching(/^it is not shown: gold.odd: /) },
    ])
    const expected = new Map<string, string[]>()
    for (const name of tables) expected.set(name, await asked(name))
    expect(expected.get('silver.orders')?.length).toBeGreaterThan(40)
  })

  describe('readers', () => {
    const shown = tables.map((name) => `shop_${name}`)
    const compare = async (read: Record<string, Record<string, unknown>[]>) => {
      for (const name of tables)
        expect(comparable(read[`shop_${name}`] ?? []), name).toEqual(await asked(name))
    }

    withService('PyIceberg', [python], () => {
      it('reads all tables', async () => {
        const script = join(repository, 'test/foreign/glue_pyiceberg.py')
        const { stdout } = await run(python as string, [script, cloud.url, ...shown], {
          maxBuffer: 1e8,
        })
        await compare(parseJson(stdout) as Record<string, Record<string, unknown>[]>)
      })
    })

    const bundle = sparkJar && join(dirname(sparkJar), 'iceberg-aws-bundle-1.12.0.jar')
    withService('Spark', [python, sparkJar, bundle], () => {
      it('reads all tables', async () => {
        const script = join(repository, 'test/foreign/glue_spark.py')
        const args = [script, `${sparkJar},${bundle}`, cloud.url, ...shown]
        const env = { ...process.env, ...cloud.env }
        const { stdout } = await run(python as string, args, { maxBuffer: 1e8, env })
        await compare(
          parseJson(stdout.slice(stdout.indexOf('{"'))) as Record<
            string,
            Record<string, unknown>[]
          >,
        )
      })
    })

    withService('Trino', trinoParts, () => {
      it('reads tables, views and batches, and its DELETE is set aside until it is taken back', async () => {
        const hasHive = existsSync(join(trinoFolder as string, 'plugin/hive'))
        const s3 = `fs.native-s3.enabled=true\ns3.endpoint=${cloud.url}\ns3.region=us-east-1\ns3.path-style-access=true\ns3.aws-access-key=test\ns3.aws-secret-key=test\n`
        const glue = `hive.metastore.glue.region=us-east-1\nhive.metastore.glue.endpoint-url=${cloud.url}\nhive.metastore.glue.aws-access-key=test\nhive.metastore.glue.aws-secret-key=test\n`
        const trino = await Trino.start({
          awsdatacatalog: `connector.name=iceberg\niceberg.catalog.type=glue\n${glue}${s3}`,
          ...(hasHive ? { files: `connector.name=hive\nhive.metastore=glue\n${glue}${s3}` } : {}),
        })
        onTestFinished(async () => {
          await trino.stop()
        })
        const rowsOf = async (sql: string) => {
          // Without it, times are told in milliseconds.
          const precise = { 'x-trino-client-capabilities': 'PARAMETRIC_DATETIME' }
          const { columns, rows } = await trino.run(sql, precise)
          return rows.map((row) => Object.fromEntries(columns.map(({ name }, i) => [name, row[i]])))
        }
        for (const name of tables)
          expect(
            comparable(await rowsOf(`SELECT * FROM awsdatacatalog.shop_${name}`)),
            name,
          ).toEqual(await asked(name))
        expect(comparable(await rowsOf('SELECT * FROM awsdatacatalog.shop_gold.large'))).toEqual(
          await asked('gold.large'),
        )
        if (hasHive) {
          const columns = 'id, day, "at", amount, note, _batch'
          const read = await rowsOf(`SELECT ${columns} FROM files.shop_bronze.orders`)
          const { stdout } = await cli('query', '--json', `select ${columns} from bronze.orders`)
          expect(comparable(read)).toEqual(
            comparable(parseJson(stdout) as Record<string, unknown>[]),
          )
        }

        await trino.run('DELETE FROM awsdatacatalog.shop_silver.orders WHERE id < 10')
        const told = await projected()
        expect(told.setAside).toMatchObject([
          {
            dataset: 'silver.orders',
            why: 'another program has moved its pointer',
            pointer: expect.stringMatching(
              /^s3:\/\/lakes\/shop\/silver\/orders\/metadata\/\d+-.*json$/,
            ),
          },
        ])
        const [{ n }] = (await rowsOf(
          'SELECT count(*) AS n FROM awsdatacatalog.shop_silver.orders',
        )) as [{ n: number }]
        expect(Number(n)).toBe((await asked('silver.orders')).length - 10)
        const back = await projected('--take-back', 'silver.orders')
        expect(back.setAside).toEqual([])
        await trino.run('CALL awsdatacatalog.system.flush_metadata_cache()').catch(() => {})
        expect(comparable(await rowsOf('SELECT * FROM awsdatacatalog.shop_silver.orders'))).toEqual(
          await asked('silver.orders'),
        )
      })
    })
  })
})
