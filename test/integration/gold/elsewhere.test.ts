import { expect, it } from 'vitest'
import { inputsOf } from '../../../src/define/inputs.js'
import { quoteName } from '../../../src/define/sql/sql.js'
import { buildGoldElsewhere, type GoldEngine } from '../../../src/gold/elsewhere.js'
import { Table } from '../../../src/iceberg/table.js'
import { executeStep } from '../../../src/run/execute-step.js'
import { type StepWorker, withSession } from '../../../src/step/context.js'
import { writeTable } from '../../../src/step/write-table.js'
import { Project } from '../../support/project.js'

/*
 * Gold that another engine computes keeps what was made of rows that are gone from its inputs, as
 * DuckDB does, be the touched parts ranges, many, or values that are not told to it.
 */

/** DuckDB as an engine that reads the SQL for Trino: it knows all of it but for one type's name. */
const engine: GoldEngine = {
  target: 'trino',
  title: 'Trino',
  table: (schema, name) => `${quoteName(schema)}.${quoteName(name)}`,
  fill: ({ context, dataset, empty, sql }) =>
    withSession(context, dataset.name, async (session) => {
      await context.relations.define(session, inputsOf(dataset))
      const version = await Table.load(context.storage, empty)
      const work = {
        name: dataset.name,
        version,
        rows: sql.replaceAll('timestamp(6) with time zone', 'timestamptz'),
        removed: new Set<string>(),
      }
      const { added } = await writeTable(context, session, work)
      return (await version.write({ removed: new Set(), added })).pointer
    }),
}

const elsewhere: StepWorker = (resources, dataset, task) =>
  executeStep(resources, dataset, task, (context, gold, decision) =>
    buildGoldElsewhere(context, gold, decision, engine),
  )

const lake = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  key: 'id',
  schema: z.object({ id: t.bigint(), shop: t.int(), placed: t.timestamp() }),
  keep: { for: '30d', by: 'placed' },
})
const visits = silver('visits', {
  from: bronze('visits', { from: files('in/*.csv') }),
  key: 'id',
  select: { placed: sql\`placed || '+00'\` },
  schema: z.object({ id: t.bigint(), placed: t.timestamptz() }),
  keep: { for: '30d', by: 'placed' },
})
const shops = silver('shops', {
  from: bronze('shops', { from: files('shops/*.csv') }),
  key: 'shop',
  schema: z.object({ shop: t.int(), city: z.string() }),
})
const week = gold('week', {
  query: sql\`select day, sum(n) over (order by day range between interval 6 days preceding and current row) as n
    from (select cast(placed as date) as day, count(*) as n from \${orders} group by 1)\`,
  dialects: [sql.for('trino')\`
    select day, cast(sum(n) over (order by day range between interval '6' day preceding and current row) as decimal(38, 0)) as n
    from (select cast(placed as date) as day, count(*) as n from \${orders} group by 1)\`],
  incremental: { by: 'day', affects: { before: 0, after: 6 } },
})
const zoned = gold('zoned', {
  query: sql\`select placed, count(*) as n from \${visits} group by 1\`,
  incremental: { by: 'placed' },
})
const years = gold('years', {
  query: sql\`select year(placed) as year, count(*) as n from \${orders} group by 1\`,
  dialects: [sql.for('trino')\`
    select cast(year(placed) as double) as year, count(*) as n from \${orders} group by 1\`],
  columns: { year: t.double(), n: t.bigint() },
  incremental: { by: 'year' },
})
const cities = gold('cities', {
  query: sql\`select o.placed, s.city, count(*) as n from \${orders} o join \${shops} s on s.shop = o.shop group by 1, 2\`,
  incremental: { by: 'placed' },
})
export default defineLake({ name: 'shop', datasets: [week, zoned, years, cities] })
`

const golds = ['week', 'zoned', 'years', 'cities']

/** Orders of a minute each, from a time on. */
const orders = (first: number, from: string, count: number) =>
  Array.from({ length: count }, (_, i) => {
    const time = new Date(Date.parse(from) + i * 60_000).toISOString().slice(0, 19)
    return `${first + i},${1 + (i % 2)},${time.replace('T', ' ')}`
  })
const csv = (...rows: string[][]) => `id,shop,placed\n${rows.flat().join('\n')}\n`

/** What each of several days brings. */
const days = [
  {
    now: '2026-01-20',
    files: {
      'shops/1.csv': 'shop,city\n1,Bern\n2,Chur\n',
      'in/1.csv': csv(orders(1, '2025-12-30T10:00:00Z', 20), orders(21, '2026-01-05T10:00:00Z', 9)),
    },
  },
  {
    now: '2026-02-10',
    files: { 'in/2.csv': csv(orders(100, '2026-02-01T10:00:00Z', 1100)) },
  },
  // A city has another name: all that is not final is computed.
  { now: '2026-02-11', files: { 'shops/2.csv': 'shop,city\n2,Coire\n' } },
  // An old day is no part any more that could be computed.
  {
    now: '2027-01-10',
    files: {
      'in/3.csv': csv(
        orders(2000, '2027-01-01T10:00:00Z', 7),
        orders(3000, '2026-01-05T12:00:00Z', 3),
      ),
    },
  },
]

const contents = (project: Project) =>
  project.reading(async (rows) => {
    const found: Record<string, string[]> = {}
    for (const name of golds)
      found[name] = (await rows(`SELECT * FROM gold.${name}`))
        .map((row) => Object.values(row).join(' '))
        .sort()
    return found
  })

it('keeps what rows that have expired were made into, as DuckDB does', async () => {
  const [here, there] = [
    await Project.create({ 'lake.ts': lake }),
    await Project.create({ 'lake.ts': lake }),
  ]
  const said: string[] = []
  for (const { now, files } of days) {
    const at = new Date(`${now}T00:00:00Z`)
    for (const project of [here, there]) {
      await project.write(files)
      const run = await project.run({
        now: () => at,
        ...(project === there ? { worker: elsewhere } : {}),
      })
      expect(run.outcome, JSON.stringify(run)).toBe('done')
      for (const { dataset, notes = [] } of run.steps)
        if (project === there && dataset.startsWith('gold.'))
          said.push(...notes.map((note) => `${now} ${dataset}: ${note}`))
    }
    expect(await contents(there), now).toEqual(await contents(here))
  }
  const { week, cities } = await contents(there)
  expect(week?.filter((row) => row.includes('2026-01-05'))).toEqual(['2026-01-05 29'])
  expect(cities).toHaveLength(20 + 9 + 1100 + 7)
  expect(said.sort().join('\n')).toMatchInlineSnapshot(`
    "2026-01-20 gold.cities: on Trino, as a whole
    2026-01-20 gold.week: on Trino, as a whole
    2026-01-20 gold.years: on Trino, as a whole
    2026-01-20 gold.zoned: on Trino, as a whole
    2026-02-10 gold.cities: on Trino, all of 'placed' after 2026-01-10 23:59:59.999999 computed
    2026-02-10 gold.week: on Trino, all of 'day' after 2026-01-16 computed
    2026-02-10 gold.years: on Trino, 0 of 'year' computed
    2026-02-10 gold.zoned: on Trino, all of 'placed' after 2026-01-10 23:59:59.999999+00 computed
    2026-02-11 gold.cities: on Trino, all of 'placed' after 2026-01-10 23:59:59.999999 computed
    2027-01-10 gold.cities: on Trino, 7 of 'placed' computed
    2027-01-10 gold.week: on Trino, all of 'day' after 2026-12-16 computed
    2027-01-10 gold.years: on Trino, all of 'year' after 2026.0 computed
    2027-01-10 gold.zoned: on Trino, all of 'placed' after 2026-12-10 23:59:59.999999+00 computed"
  `)
})
