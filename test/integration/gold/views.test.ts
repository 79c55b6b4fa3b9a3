import { expect, it } from 'vitest'
import { openLake } from '../../../src/query/open.js'
import { Project, step } from '../../support/project.js'

/*
 * A gold dataset with `view: true` is stored as its query: it gives what its inputs hold when
 * somebody asks, also as they were, and costs nothing when they change.
 */

const lake = ({ view = 'view: true,', where = 'amount > 0', more = '' } = {}) => `
import { bronze, defineLake, gold, history, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
export const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int(), day: t.date(), amount: t.decimal(9, 2) }),
  key: 'id', cursor: 'day', history: true,
})
export const paid = gold('paid', {
  description: 'Orders that bring something.',
  query: sql\`
    -- what counts
    select day, amount, id from \${orders}
    where ${where}\`,
  ${view}
})
export const versions = gold('versions', { query: sql\`select count(*) as n from \${history(orders)}\`, view: true })
export const large = gold('large', { query: sql\`select * from \${paid} as p where p.amount >= 10\`, view: true })
export const days = gold('days', {
  query: sql\`select p.day, count(*) as n, sum(p.amount) as amount from \${paid} as p group by p.day\`,
  incremental: { by: 'day' },
})
${more}
export default defineLake({ name: 'shop', datasets: [large, days, versions] })
`
const files = {
  'lake.ts': lake(),
  'in/1.csv': 'id,day,amount\n1,2026-01-01,5\n2,2026-01-02,0\n3,2026-01-02,20\n',
}
const large = 'select id from gold.large order by id'

it('gives what its inputs hold now, and held then; what reads it is kept up to date by parts', async () => {
  const project = await Project.create(files)
  const first = await project.run()
  expect(step(first, 'gold.paid').notes).toEqual(['its query is stored'])
  const { number, tables } = await project.state()
  expect(Object.keys(tables)).not.toContain('gold.paid')
  expect(await project.query(large)).toEqual([{ id: 3 }])
  await project.write({ 'in/2.csv': 'id,day,amount\n4,2026-01-03,30\n1,2026-01-03,11\n' })
  const second = await project.run()
  expect(step(second, 'gold.large').reason).toContain('a view: its query is stored')
  expect(step(second, 'gold.days').notes).toEqual(["2 of 'day' computed"])
  expect(await project.query(large)).toEqual([{ id: 1 }, { id: 3 }, { id: 4 }])
  expect(await project.query(large, number)).toEqual([{ id: 3 }])
  expect(await project.query('from gold.versions')).toEqual([{ n: 5n }])
  // Beside the tables that it reads, under conditions of its own, and in the other's place.
  expect(
    await project.query(
      "select count(*) as n from gold.paid join silver.orders o using (id) where o.day < '2026-01-03'",
    ),
  ).toEqual([{ n: 1n }])
  const days = await project.query('select * from gold.days order by day')
  expect(days).toEqual([
    { day: '2026-01-02', n: 1n, amount: '20.00' },
    { day: '2026-01-03', n: 2n, amount: '41.00' },
  ])
  await project.run({ full: true })
  expect(await project.query('select * from gold.days order by day')).toEqual(days)
})

it('is stored anew when its definition changes, becomes a table and a view again, and can be rolled back', async () => {
  const project = await Project.create(files)
  await project.run()
  const { number } = await project.state()
  expect((await project.cli('plan')).stdout).toMatch(/nothing +gold.large +a view/)
  await project.write({ 'lake.ts': lake({ where: 'amount > 9' }) })
  expect((await project.cli('plan')).stdout).toMatch(/build +gold.paid +its query changed/)
  const changed = await project.run()
  expect(step(changed, 'gold.days').reason).toContain('its query changed')
  expect(await project.query('select id from gold.paid')).toEqual([{ id: 3 }])
  await project.write({ 'lake.ts': lake({ view: '' }) })
  await project.run()
  let state = await project.state()
  expect([state.tables['gold.paid']?.rows, Object.keys(state.views ?? {}).sort()]).toEqual([
    2,
    ['gold.large', 'gold.versions'],
  ])
  expect(await project.query(large)).toEqual([{ id: 3 }])
  await project.write({ 'lake.ts': lake() })
  await project.run({ acceptDefinition: true })
  state = await project.state()
  expect(state.tables['gold.paid']).toBeUndefined()
  expect((await project.cli('verify', '--deep')).code).toBe(0)
  expect((await project.cli('vacuum')).code).toBe(0)
  await project.cli('rollback', '--to', String(number))
  expect((await project.state()).views).toEqual((await project.state(number)).views)
  expect(await project.query('select id from gold.paid order by id')).toEqual([
    { id: 1 },
    { id: 3 },
  ])
})

it('is shown as what it is, read by programs, and told of mistakes before anything runs', async () => {
  const project = await Project.create(files)
  await project.run()
  expect((await project.cli('catalog')).stdout).toMatch(/gold.paid +3 +a view/)
  expect((await project.cli('catalog', 'gold.large', '--json')).stdout).toContain('"view": true')
  const profile = await project.cli('profile', 'gold.paid')
  expect([profile.code, profile.stderr]).toEqual([
    2,
    expect.stringContaining('gold.paid is a view'),
  ])
  const opened = await openLake(await project.load(), { root: project.storage.url })
  const dataset = (await project.load()).datasets.find(({ name }) => name === 'large')
  expect(await opened.read(dataset as never)).toEqual([
    { id: 3, day: '2026-01-02', amount: '20.00' },
  ])

  await project.write({
    'lake.ts': lake({
      view: "view: true, partitionBy: ['day'], compression: 'snappy',",
      more: "silver('again', { from: paid, schema: z.object({ id: t.int() }) })",
    }),
  })
  const plan = await project.cli('plan')
  expect(plan.code).toBe(2)
  expect(plan.stderr).toContain('partitionBy: a view stores its query, not its rows')
  expect(plan.stderr).toContain('compression: a view stores its query, not its rows')
  await project.write({
    'lake.ts': lake({
      view: 'view: true, columns: { day: t.date(), amount: t.double(), id: t.int() },',
    }),
  })
  const typed = await project.cli('plan')
  expect(typed.stderr).toContain(
    "'amount' is declared as double, but the query of the view returns DECIMAL(9,2)",
  )
})

it('is renamed with what it reads, and dropped', async () => {
  const project = await Project.create(files)
  const cli = async (...args: string[]) => {
    const { code, stdout, stderr } = await project.cli(...args)
    expect([code, stderr]).toEqual([0, ''])
    return stdout
  }
  await cli('run')
  const text = lake().replace("silver('orders'", "silver('sales'")
  await project.write({ 'lake.ts': text.replace("gold('paid'", "gold('good'") })
  await cli('rename', 'silver.orders', 'silver.sales')
  expect(await project.query(large)).toEqual([{ id: 3 }])
  await cli('rename', 'gold.paid', 'gold.good')
  expect(await project.query('select id from gold.good order by id')).toEqual([
    { id: 1 },
    { id: 3 },
  ])
  const plan = await cli('plan')
  expect(plan).not.toMatch(/build +gold.days/)
  await cli('run')
  await project.write({
    'lake.ts': text.replace('datasets: [large, days, versions]', 'datasets: [days]'),
  })
  expect(await cli('status')).toContain('gold.large')
  await cli('drop', 'gold.large')
  expect(Object.keys((await project.state()).views ?? {})).not.toContain('gold.large')
})

it('means in the SQL of others what it means by itself, however its tokens are written', async () => {
  const query = `select day, id, amount * 1e-1 as tenth, E'it\\\\'s  \\\\n so' as note from (
      select *-- all of them
      from \${orders}) /* and not more */`
  const more = `
export const odd = gold('odd', { query: sql\`${query}\`, view: true })
export const notes = gold('notes', {
  query: sql\`select day, note, sum(tenth) as tenth from \${odd} group by day, note\`,
  incremental: { by: 'day' },
})`
  const shop = lake({ more }).replace('[large,', '[odd, notes, large,')
  const project = await Project.create({ ...files, 'lake.ts': shop })
  const first = await project.run()
  expect(first.steps.map(({ error }) => error?.message)).toEqual(first.steps.map(() => undefined))
  await project.write({ 'in/2.csv': 'id,day,amount\n4,2026-01-03,30\n' })
  const second = await project.run()
  expect(step(second, 'gold.notes').notes).toEqual(["1 of 'day' computed"])
  const note = "it's  \n so"
  expect(await project.query('select * from gold.notes order by day')).toEqual([
    { day: '2026-01-01', note, tenth: 0.5 },
    { day: '2026-01-02', note, tenth: 2 },
    { day: '2026-01-03', note, tenth: 3 },
  ])
})
