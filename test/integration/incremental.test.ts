import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Project, step } from '../support/project.js'
import { seed } from '../support/seed.js'

/*
 * Whatever arrives, in whatever order: reading only what is new gives the same tables as reading
 * everything again.
 */

const lake = (options: string) => `
import { bronze, defineLake, gold, month, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in') }),
  schema: z.object({
    id: t.int(),
    amount: t.decimal(9, 2).min(0),
    changed: t.date().nullable(),
  }),
  ${options}
})
const totals = gold('totals', {
  query: sql\`select changed, count(*) as n, sum(amount) as amount from \${orders} group by 1\`,
})
export default defineLake({ name: 'property', datasets: [totals] })
`

const day = fc
  .integer({ min: 1, max: 28 })
  .map((d) => `2026-0${(d % 3) + 1}-${String(d).padStart(2, '0')}`)
const row = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 9 }),
        fc.oneof(day, fc.constant('')),
      )
      .map(([id, n, d]) => `${id},${n}.5,${d}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('x,1,2026-01-01', '1,-5,2026-01-01', '2,3', '"4,1,', ''),
  },
)
const file = fc.record({
  name: fc.constantFrom('a.csv', 'b.csv', 'c.csv', 'd.csv'),
  rows: fc.array(row, { minLength: 1, maxLength: 8 }),
})

it.each([
  ['with a key and a cursor', "key: 'id', cursor: 'changed', partitionBy: [month('changed')],"],
  ['with a key', "key: 'id',"],
  ['without a key', ''],
])(
  'loads %s equal a rebuild',
  async (_, options) => {
    await fc.assert(
      fc.asyncProperty(fc.array(file, { minLength: 2, maxLength: 5 }), async (loads) => {
        const project = await Project.create({ 'lake.ts': lake(options) })
        for (const { name, rows } of loads) {
          // One row that fits: a file without any is refused as a whole.
          const text = ['id,amount,changed', '50,1,2026-01-01', ...rows, ''].join('\n')
          await project.write({ [`in/${name}`]: text })
          const run = await project.run()
          expect([run.error, ...run.steps.map((s) => s.error)].filter(Boolean)).toEqual([])
        }
        const tables = async () => ({
          orders: await project.query(
            'select id, amount, changed, _batch from silver.orders order by all',
          ),
          discarded: await project.query(
            'select reasons, raw, _source_file, _source_line, _batch from discarded.orders order by all',
          ),
          totals: await project.query('from gold.totals order by all'),
          counts: (await project.state()).tables['silver.orders']?.counts,
        })
        const before = await tables()
        const full = await project.run({ full: true })
        expect(step(full, 'silver.orders').outcome).toBe('done')
        expect(await tables()).toEqual(before)
      }),
      { numRuns: process.env.CI ? 10 : 3, endOnFailure: true, seed },
    )
  },
  180_000,
)
