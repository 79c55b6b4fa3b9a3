import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Projected } from '../../src/aws/glue/report.js'
import { type Ministack, ministackProgram, startMinistack } from '../support/ministack.js'
import { moraine, Project } from '../support/project.js'
import { withService } from '../support/services.js'
import { clientOf } from './glue-client.js'

const definition = (more = '') => `
import { bronze, defineLake, gold, month, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv'), description: 'Orders as they came.' })
const orders = silver('orders', {
  description: 'Valid orders.',
  from: raw,
  schema: z.object({ id: t.bigint(), day: t.date().describe('When it was placed.'), at: t.timestamp(), amount: t.decimal(12, 2).min(0), paid: t.boolean().nullable() }),
  key: 'id',
  cursor: 'at',
  history: true,
})
const daily = gold('daily', { query: sql\`select day, count(*) as orders, sum(amount) as amount from \${orders} group by day\`, partitionBy: [month('day')] })
const paid = gold('paid', { view: true, query: sql\`select id, amount from \${orders} where paid\`, description: 'Orders that are paid.' })
${more}
export default defineLake({ name: 'web-shop', datasets: [daily, paid] })
`

const csv = (from: number, until: number) =>
  ['id,day,at,amount,paid']
    .concat(
      Array.from({ length: until - from }, (_, i) => from + i).map(
        (id) =>
          `${id},2026-0${1 + (id % 3)}-11,2026-01-01 00:00:0${id % 10}.25,${id % 9 === 8 ? -1 : id}.50,${['true', 'false', ''][id % 3]}`,
      ),
    )
    .join('\n')

withService('MiniStack', [ministackProgram], () => {
  let cloud: Ministack
  let env: NodeJS.ProcessEnv
  beforeAll(async () => {
    cloud = await startMinistack()
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' })
    const s3 = new S3Client({ ...cloud.client, forcePathStyle: true })
    await s3.send(new CreateBucketCommand({ Bucket: 'lakes' }))
    env = cloud.env
  })
  afterAll(() => cloud.stop())

  let lakes = 0
  /** A lake of its own in the bucket, with its databases in Glue. */
  async function lake() {
    const project = await Project.create({ 'lake.ts': definition(), 'in/1.csv': csv(0, 40) })
    const name = `l${++lakes}`
    const root = `s3://lakes/${name}`
    const own = { ...env, MORAINE_CACHE: join(project.folder, 'cache') }
    const prefix = `${name}_`
    const cli = async (...args: string[]) => {
      const { code, stdout, stderr } = await moraine(
        ['-C', project.folder, '--root', root, ...args],
        own,
      )
      return { code, stdout, stderr }
    }
    const projected = async (...args: string[]) => {
      const { code, stdout, stderr } = await cli('project', '--prefix', prefix, '--json', ...args)
      if (stderr !== '') throw new Error(stderr)
      const told = JSON.parse(stdout) as Projected
      if (!told.changes) throw new Error(stdout)
      return { code, ...told }
    }
    const ran = await cli('run')
    expect([ran.code, ran.stderr]).toEqual([0, ran.stderr])
    return { project, root, prefix, cli, projected, glue: await clientOf(cloud) }
  }

  it('shows all layers, and what changed since, and does nothing where nothing did', async () => {
    const { project, prefix, cli, projected, glue, root } = await lake()
    const first = await projected()
    expect(first.changes.map(({ table, change }) => `${table} ${change}`).sort()).toEqual([
      `${prefix}bronze.orders created`,
      `${prefix}discarded.orders created`,
      `${prefix}gold.daily created`,
      `${prefix}gold.paid created`,
      `${prefix}history.orders created`,
      `${prefix}silver.orders created`,
    ])
    expect([first.code, first.setAside]).toEqual([0, []])
    const silver = await glue.table(`${prefix}silver`, 'orders')
    expect(silver).toMatchObject({
      Description: 'Valid orders.',
      TableType: 'EXTERNAL_TABLE',
      Parameters: {
        table_type: 'ICEBERG',
        'moraine.dataset': 'silver.orders',
        'moraine.root': root,
      },
    })
    expect(
      silver?.StorageDescriptor?.Columns?.map(({ Name, Type, Comment }) => [Name, Type, Comment]),
    ).toEqual([
      ['id', 'bigint', undefined],
      ['day', 'date', 'When it was placed.'],
      ['at', 'timestamp', undefined],
      ['amount', 'decimal(12,2)', undefined],
      ['paid', 'boolean', undefined],
      ['_loaded_at', 'timestamp', undefined],
      ['_batch', 'string', undefined],
    ])
    expect(
      (await glue.partitions(`${prefix}bronze`, 'orders')).map(({ Values }) => Values[1]),
    ).toEqual(['1'])

    const again = await projected()
    expect(again).toMatchObject({ changes: [], unchanged: 6, setAside: [], notes: [] })

    await project.write({ 'in/2.csv': csv(40, 60) })
    await cli('run')
    const more = await projected()
    expect(more.changes).toContainEqual({
      dataset: 'bronze.orders',
      table: `${prefix}bronze.orders`,
      change: 'advanced',
      partitions: { added: 1, removed: 0 },
    })
    const advanced = await glue.table(`${prefix}silver`, 'orders')
    expect(advanced?.Parameters?.previous_metadata_location).toBe(
      silver?.Parameters?.metadata_location,
    )
    expect(advanced?.Parameters?.metadata_location).not.toBe(silver?.Parameters?.metadata_location)

    // Partitions of an earlier version say less of themselves, and are taken over as they are.
    const partitions = () => glue.partitions(`${prefix}bronze`, 'orders', true)
    const made = (await partitions()).map(({ Values, StorageDescriptor, Parameters }) => {
      return { Values, StorageDescriptor, Parameters }
    })
    const earlier = made.map((one) => ({ ...one, Parameters: { 'moraine.commit': '1' } }))
    await glue.updatePartitions(`${prefix}bronze`, 'orders', earlier)
    expect(await partitions()).toMatchObject(earlier)
    expect((await projected('--full')).code).toBe(0)
    expect(await partitions()).toMatchObject(
      made.map(({ Parameters: { 'moraine.commit': _, ...others } = {}, ...one }) => {
        return { ...one, Parameters: others }
      }),
    )

    // Somebody edits the catalog, and drops a table of ours.
    const table = advanced as NonNullable<typeof advanced>
    const { Name, TableType, Parameters, StorageDescriptor } = table
    const edited = {
      Name,
      TableType,
      Parameters: { ...Parameters, team: 'sales' },
      StorageDescriptor,
    }
    await glue.updateTable(`${prefix}silver`, { ...edited, Description: 'x' }, undefined)
    await glue.deleteTable(`${prefix}gold`, 'daily')
    const mended = await projected()
    expect(mended.changes.map(({ table, change }) => `${table} ${change}`).sort()).toEqual([
      `${prefix}gold.daily created`,
      `${prefix}silver.orders repaired`,
    ])
    const kept = await glue.table(`${prefix}silver`, 'orders')
    expect([kept?.Description, kept?.Parameters?.team]).toEqual(['Valid orders.', 'sales'])
  })

  it('sets a pointer aside that somebody else has moved, until it is taken back', async () => {
    const { project, prefix, cli, projected, glue } = await lake()
    await projected()
    const before = await glue.table(`${prefix}silver`, 'orders')
    const { Name, TableType, Parameters, StorageDescriptor } = before as NonNullable<typeof before>
    const foreign = 's3://lakes/elsewhere/metadata/00009-x.metadata.json'
    const moved = { ...Parameters, metadata_location: foreign }
    await glue.updateTable(
      `${prefix}silver`,
      { Name, TableType, StorageDescriptor, Parameters: moved },
      undefined,
    )
    await project.write({ 'in/2.csv': csv(40, 60) })
    await cli('run')
    const told = await projected()
    expect(told.code).toBe(1)
    expect(told.setAside).toEqual([
      {
        dataset: 'silver.orders',
        table: `${prefix}silver.orders`,
        why: 'another program has moved its pointer',
        pointer: foreign,
      },
    ])
    // All others go on.
    expect(told.changes.map(({ dataset }) => dataset)).toContain('gold.daily')
    expect((await glue.table(`${prefix}silver`, 'orders'))?.Parameters?.metadata_location).toBe(
      foreign,
    )

    const people = await cli('project', '--prefix', prefix)
    expect(people.stdout).toContain(
      `${prefix}silver.orders was left as it is: another program has moved its pointer\n  it leads to ${foreign}\n  To put the lake's version back: moraine project --take-back silver.orders`,
    )
    const taken = await projected('--take-back', 'silver.orders')
    expect(taken.changes).toEqual([
      { dataset: 'silver.orders', table: `${prefix}silver.orders`, change: 'taken back' },
    ])
    expect((await projected()).code).toBe(0)
  })

  it('leaves tables of others alone, and removes its own that are dropped or renamed', async () => {
    const { project, prefix, cli, projected, glue } = await lake()
    await glue.createDatabase(`${prefix}gold`, '')
    await glue.createTable(`${prefix}gold`, { Name: 'daily', Parameters: { mine: 'yes' } })
    await glue.createTable(`${prefix}gold`, { Name: 'other', Parameters: { mine: 'yes' } })
    const told = await projected()
    expect(told.setAside).toMatchObject([
      { table: `${prefix}gold.daily`, why: 'it was not made by moraine project' },
    ])
    const forced = await projected('--take-back', 'gold.daily', 'gold.other')
    expect(forced.setAside).toHaveLength(1)
    expect((await glue.table(`${prefix}gold`, 'daily'))?.Parameters).toEqual({ mine: 'yes' })

    await project.write({ 'lake.ts': definition().replace("gold('paid'", "gold('settled'") })
    expect((await cli('rename', 'gold.paid', 'gold.settled')).stderr).toBe('')
    await cli('run')
    const renamed = await projected()
    expect(renamed.changes.map(({ table, change }) => [table, change])).toEqual([
      [`${prefix}gold.settled`, 'created'],
      [`${prefix}gold.paid`, 'removed'],
    ])
    expect((await glue.tables(`${prefix}gold`))?.map(({ Name }) => Name).sort()).toEqual([
      'daily',
      'other',
      'settled',
    ])
  })

  it('says what it would do, and does not, and needs a lake in a bucket', async () => {
    const { prefix, projected, glue, project } = await lake()
    const dry = await projected('--dry-run')
    expect(dry.changes).toHaveLength(6)
    expect(await glue.tables(`${prefix}silver`)).toEqual([])
    const local = await moraine(['-C', project.folder, 'run'], env)
    expect(local.code).toBe(0)
    const refused = await moraine(['-C', project.folder, 'project'], env)
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining('does not lie in a bucket'),
    ])
  })
})
