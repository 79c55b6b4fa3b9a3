import { describe, expect, it } from 'vitest'
import type { RunRecord } from '../../../src/step/events.js'
import { Project } from '../../support/project.js'

/** A lake whose datasets are called as said. */
const lake = (names: { raw: string; orders: string; days: string }, without: string[] = []) => `
import { bronze, defineLake, gold, lookup, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const shops = silver('shops', {
  from: bronze('shops', { from: files('shops/*.csv') }), key: 'shop',
  schema: z.object({ shop: z.string(), city: z.string() }),
})
const raw = bronze('${names.raw}', { from: files('in/*.csv') })
const orders = silver('${names.orders}', {
  from: raw, key: 'id', cursor: 'v', history: true, select: { city: lookup(shops, 'city', 'shop') },
  schema: z.object({ id: t.int(), day: t.date(), v: t.int(), amount: t.decimal(9, 2), city: z.string() }),
})
const days = gold('${names.days}', {
  query: sql\`select day, count(*) as n, sum(amount) as amount from \${orders} group by day\`,
  incremental: { by: 'day' },
})
const late = gold('late', { query: sql\`select count(*) as n from \${orders} where v > 1\` })
export default defineLake({ name: 'shop', datasets: [shops, ${['raw', 'orders', 'days', 'late'].filter((n) => !without.includes(n)).join(', ')}] })
`

const old = { raw: 'orders', orders: 'orders', days: 'days' }
const renamed = { raw: 'sales', orders: 'sales', days: 'sales_by_day' }
const csv = (...rows: string[]) => ['id,day,v,amount,shop', ...rows, ''].join('\n')

/** By the command line, as definitions with functions of their own are compared by their text. */
async function run(project: Project, ...options: string[]): Promise<RunRecord> {
  return JSON.parse((await project.cli('--json', 'run', ...options)).stdout)
}

async function filled(): Promise<Project> {
  const project = await Project.create({
    'lake.ts': lake(old),
    'shops/1.csv': 'shop,city\na,Rome\nb,Oslo\n',
    'in/1.csv': csv('1,2026-01-01,1,10,a', '2,2026-01-02,1,20,b', 'x,2026-01-02,1,20,b'),
  })
  expect((await run(project)).outcome).toBe('done')
  await project.write({ 'in/2.csv': csv('2,2026-01-02,2,25,b') })
  expect((await run(project)).outcome).toBe('done')
  return project
}

const notDefined = (name: string) => `${name} is no longer in lake.ts`

describe('a dataset that gets another name', () => {
  it('takes its rows, versions, discarded rows and offsets along; nothing is built again', async () => {
    const project = await filled()
    await project.write({ 'lake.ts': lake(renamed) })
    for (const command of ['plan', 'status', 'catalog']) {
      const { stdout } = await project.cli(command)
      for (const name of ['bronze.orders', 'silver.orders', 'gold.days'])
        expect(stdout, command).toContain(notDefined(name))
    }
    for (const [from, to] of [
      ['bronze.orders', 'bronze.sales'],
      ['silver.orders', 'silver.sales'],
      ['gold.days', 'sales_by_day'],
    ] as const) {
      const { code, stderr } = await project.cli('rename', from, to)
      expect([code, stderr]).toEqual([0, ''])
    }
    const { stdout } = await project.cli('plan')
    expect(stdout).toContain('Nothing to do')
    expect(stdout).not.toContain('no longer in lake.ts')
    expect(await project.query('select id, amount, city from silver.sales order by id')).toEqual([
      { id: 1, amount: '10.00', city: 'Rome' },
      { id: 2, amount: '25.00', city: 'Oslo' },
    ])
    expect(await project.query('select count(*) as n from history.sales')).toEqual([{ n: 3n }])
    expect(await project.query('select count(*) as n from discarded.sales')).toEqual([{ n: 1n }])
    expect(await project.query('select count(*) as n from bronze.sales')).toEqual([{ n: 4n }])
    // What arrives next is read from where the old name had come to.
    await project.write({ 'in/3.csv': csv('3,2026-01-02,1,1,a') })
    const record = await run(project)
    expect(record.steps.find(({ dataset }) => dataset === 'silver.sales')?.counts?.in).toBe(1)
    expect(record.steps.find(({ dataset }) => dataset === 'gold.sales_by_day')?.notes).toEqual([
      "1 of 'day' computed",
    ])
    const days = 'select day, n, amount from gold.sales_by_day order by day'
    const parts = await project.query(days)
    await run(project, '--full')
    expect(await project.query(days)).toEqual(parts)
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    // And back, as everything.
    expect((await project.cli('rollback', '--to', '4')).code).toBe(0)
    expect(await project.query('select count(*) as n from silver.orders')).toEqual([{ n: 2n }])
  })

  it.each([
    [['rename', 'silver.orders', 'silver.sales'], 'silver.orders is still in lake.ts'],
    [['rename', 'silver.order', 'silver.sales'], "no dataset 'silver.order'"],
    [['drop', 'gold.days'], 'gold.days is still in lake.ts'],
    [['drop', 'gold.day'], "no dataset 'gold.day'"],
  ])('is refused while the definition says otherwise: %j', async (command, message) => {
    const project = await filled()
    const { number } = await project.state()
    const { code, stderr } = await project.cli(...command)
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
    expect((await project.state()).number).toBe(number)
  })

  it('takes those along that read its versions', async () => {
    const shop = (name: string) => `
import { bronze, defineLake, gold, history, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('${name}', {
  from: bronze('raw', { from: files('in/*.csv') }), key: 'id', cursor: 'v', history: true,
  schema: z.object({ id: t.int(), v: t.int() }),
})
const versions = gold('versions', { query: sql\`select id, count(*) as n from \${history(orders)} group by id\` })
const both = gold('both', { query: sql\`select h.v from \${history(orders)} as h join \${orders} using (id)\` })
export default defineLake({ name: 'shop', datasets: [orders, versions, both] })
`
    const project = await Project.create({ 'lake.ts': shop('orders'), 'in/1.csv': 'id,v\n1,1\n' })
    await run(project)
    await project.write({ 'lake.ts': shop('sales') })
    expect((await project.cli('rename', 'silver.orders', 'silver.sales')).stderr).toBe('')
    expect((await project.cli('plan')).stdout).toContain('Nothing to do')
    await project.write({ 'in/2.csv': 'id,v\n1,2\n' })
    await run(project)
    expect(await project.query('from gold.versions')).toEqual([{ id: 1, n: 2n }])
    expect(await project.query('from gold.both order by v')).toEqual([{ v: 1 }, { v: 2 }])
  })

  it('does not take the place of one that has rows', async () => {
    const project = await filled()
    await project.write({ 'lake.ts': lake(renamed) })
    await run(project)
    const { code, stderr } = await project.cli('rename', 'silver.orders', 'silver.sales')
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('silver.sales already has rows of its own'),
    ])
  })
})

describe('a dataset that is dropped', () => {
  it('goes with all its tables, and comes back with a rollback', async () => {
    const project = await filled()
    await project.write({ 'lake.ts': lake(old, ['raw', 'orders', 'days', 'late']) })
    const { number } = await project.state()
    for (const name of ['gold.days', 'gold.late', 'silver.orders', 'bronze.orders'])
      expect((await project.cli('drop', name)).code).toBe(0)
    expect((await project.cli('plan')).stdout).not.toContain('no longer in lake.ts')
    for (const name of ['gold.days', 'silver.orders', 'discarded.orders', 'history.orders'])
      expect((await project.cli('query', `from ${name}`)).code, name).toBe(2)
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    // A dataset of that name begins anew.
    await project.write({ 'lake.ts': lake(old) })
    const record = await run(project)
    expect(record.outcome).toBe('done')
    expect(record.steps.find(({ dataset }) => dataset === 'silver.orders')?.counts?.in).toBe(4)
    // Its batches of now have the numbers of those that were dropped: one of the two goes.
    const back = ['rollback', '--to', String(number)]
    expect((await project.cli(...back)).stderr).toContain('was ingested again since commit')
    expect((await project.cli(...back, '--undo-intake')).code).toBe(0)
    expect(await project.query('select count(*) as n from history.orders')).toEqual([{ n: 3n }])
  })
})

describe('a bronze dataset that is dropped under its readers', () => {
  it('begins anew, and so do they', async () => {
    const project = await filled()
    await project.write({ 'lake.ts': lake(old, ['raw', 'orders', 'days', 'late']) })
    expect((await project.cli('drop', 'bronze.orders')).code).toBe(0)
    await project.write({ 'lake.ts': lake(old) })
    const record = await run(project)
    const orders = record.steps.find(({ dataset }) => dataset === 'silver.orders')
    expect(orders).toMatchObject({ outcome: 'done', reason: 'bronze.orders was dropped' })
    expect(await project.query('select count(*) as n from silver.orders')).toEqual([{ n: 2n }])
    await project.write({ 'in/3.csv': csv('3,2026-01-02,1,1,a') })
    await run(project)
    expect(await project.query('select count(*) as n from silver.orders')).toEqual([{ n: 3n }])
  })
})

describe('runs', () => {
  it('shows what failed, and why', async () => {
    const project = await filled()
    await project.write({
      'lake.ts': lake(old).replace('where v > 1', 'where v > cast(city as int)'),
    })
    expect((await run(project)).outcome).toBe('failed')
    const all = JSON.parse((await project.cli('--json', 'runs')).stdout)
    expect(all.map((run: { outcome: string }) => run.outcome)).toEqual(['failed', 'done', 'done'])
    const failed = await project.cli('runs', '--failed', '--since', '2026-01-01')
    expect(failed.stdout.split('\n').filter((line) => line.includes('gold.late'))).toHaveLength(1)
    const { stdout } = await project.cli('runs', all[0].run)
    expect(stdout).toContain('✖ gold.late')
    expect(stdout).toContain('Could not convert string')
    expect((await project.cli('runs', '--failed', '--since', '2100-01-01')).stdout).toContain(
      'No such run failed',
    )
    const { code, stderr } = await project.cli('runs', 'nope')
    expect([code, stderr]).toEqual([2, expect.stringContaining('There is no run nope')])
  })
})
