import fc from 'fast-check'
import { expect, it } from 'vitest'
import { amount } from '../../support/effort.js'
import { Project, step } from '../../support/project.js'
import { seed } from '../../support/seed.js'

/*
 * Whatever arrives, in whatever order (new rows, late ones, corrections, deletions, invalid
 * versions of valid keys, files that are replaced, dimensions that change): reading only what is
 * new, and computing only the parts of gold that it touches, gives the same tables as computing
 * everything again.
 */

const lake = (options: string) => `
import { bronze, defineLake, gold, identity, month, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const shops = silver('shops', {
  from: bronze('shops', { from: files('shops/*.csv') }),
  schema: z.object({ shop: t.int(), city: z.string() }),
  key: 'shop',
})
const raw = bronze('orders', { from: files('in') })
const orders = silver('orders', {
  from: raw,
  schema: z.object({
    id: t.int(),
    amount: t.decimal(9, 2).min(0),
    changed: t.date().nullable(),
    shop: t.int().nullable(),
  }),
  ${options}
})
const events = silver('events', {
  from: raw,
  schema: z.object({ id: t.int(), changed: t.date() }),
  partitionBy: [month('changed')],
})
const both = gold('both', {
  query: sql\`select day, count(*) as n, count(distinct id) as ids
    from (select changed as day, id from \${orders} union all select changed, id from \${events}) group by day\`,
  incremental: { by: 'day' },
})
const totals = gold('totals', {
  query: sql\`select changed, count(*) as n, sum(amount) as amount from \${orders} group by 1\`,
})
const days = gold('days', {
  query: sql\`select changed as day, count(*) as n, sum(amount) as amount from \${orders} group by 1\`,
  incremental: { by: 'day' },
})
const months = gold('months', {
  query: sql\`
    with placed as (
      select date_trunc('month', o.changed) as month, coalesce(s.city, 'none') as city, o.amount
      from \${orders} as o left join \${shops} as s using (shop))
    select month, city, count(*) as n, sum(amount) as amount,
      rank() over (partition by month order by sum(amount) desc, city) as place
    from placed group by month, city\`,
  incremental: { by: 'month' },
  partitionBy: ['month'],
})
const running = gold('running', {
  query: sql\`select day, n, sum(n) over (order by day range between interval 3 days preceding and interval 1 day following) as around
    from (select changed as day, count(*) as n from \${orders} where changed is not null group by 1)\`,
  incremental: { by: 'day', affects: { before: 1, after: 3 } },
})
export default defineLake({ name: 'property', datasets: [totals, days, months, running, both] })
`

const day = fc
  .integer({ min: 1, max: 28 })
  .map((d) => `2026-0${(d % 3) + 1}-${String(d).padStart(2, '0')}`)
const row = fc.oneof(
  {
    weight: 10,
    arbitrary: fc
      .tuple(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: -1, max: 9 }),
        fc.oneof(day, fc.constant('')),
        fc.constantFrom('1', '2', '3', ''),
        fc.constantFrom('', '', '', 'D'),
      )
      .map(([id, n, d, shop, op]) => `${id},${n}.5,${d},${shop},${op}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('x,1,2026-01-01,,', '1,-5,2026-01-01,1,', '2,3', '"4,1,', ',,,,D'),
  },
)
const load = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      name: fc.constantFrom('in/a.csv', 'in/b.csv', 'in/c.csv', 'in/d.csv'),
      rows: fc.array(row, { minLength: 1, maxLength: 8 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      name: fc.constant('shops/shops.csv'),
      rows: fc.array(fc.constantFrom('1,Bern', '1,Chur', '2,Genf', '3,Bern'), { maxLength: 3 }),
    }),
  },
)
const header = (name: string) =>
  name.startsWith('in/')
    ? ['id,amount,changed,shop,op', '50,1,2026-01-01,1,']
    : ['shop,city', '9,Basel']

const loads = fc.array(load, { minLength: 2, maxLength: 6 })

/**
 * So many that a few which are replaced are listed as deleted, rather than their files written
 * again.
 */
const manyRows = Array.from(
  { length: 120 },
  (_, i) => `${i + 1},${i},2026-01-0${(i % 9) + 1},${i % 3},`,
)

it.each([
  ['with a key and a cursor', "key: 'id', cursor: 'changed', partitionBy: [month('changed')],"],
  ['with a key', "key: 'id',"],
  ['without a key', ''],
  ['with deletions', "key: 'id', cursor: 'changed', deleteWhen: sql`op = 'D'`,"],
  [
    'with deletions and keys that are removed when they become invalid',
    "key: 'id', cursor: 'changed', deleteWhen: sql`op = 'D'`, onInvalidUpdate: 'remove', partitionBy: [month('changed')],",
  ],
  ['with keys that are removed when they become invalid', "key: 'id', onInvalidUpdate: 'remove',"],
])('loads %s equal a rebuild', async (_, options) => {
  await fc.assert(
    fc.asyncProperty(loads, fc.boolean(), async (loads, large) => {
      const project = await Project.create({
        'lake.ts': lake(options),
        'shops/shops.csv': 'shop,city\n1,Bern\n',
      })
      for (const { name, rows } of [{ name: 'in/0.csv', rows: large ? manyRows : [] }, ...loads]) {
        // One row that fits: a file without any is refused as a whole.
        await project.write({ [name]: [...header(name), ...rows, ''].join('\n') })
        const run = await project.run(large ? { rewriteUpTo: 0 } : {})
        expect([run.error, ...run.steps.map((s) => s.error)].filter(Boolean)).toEqual([])
      }
      const tables = async () => ({
        ...(await project.reading(async (rows) => ({
          orders: await rows(
            'select id, amount, changed, shop, _batch from silver.orders order by all',
          ),
          discarded: await rows(
            'select reasons, raw, _source_file, _source_line, _batch from discarded.orders order by all',
          ),
          totals: await rows('from gold.totals order by all'),
          days: await rows('from gold.days order by all'),
          months: await rows('from gold.months order by all'),
          running: await rows('from gold.running order by all'),
          both: await rows('from gold.both order by all'),
          deleted: options.includes('deleteWhen')
            ? await rows('select id, changed, _kind, _batch from deleted.orders order by all')
            : [],
        }))),
        counts: (await project.state()).tables['silver.orders']?.counts,
      })
      const before = await tables()
      const full = await project.run({ full: true })
      expect(step(full, 'silver.orders').outcome).toBe('done')
      expect(await tables()).toEqual(before)
    }),
    { numRuns: amount(1, 3, 10), endOnFailure: true, seed },
  )
})
