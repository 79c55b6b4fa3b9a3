/** The files of a new project, by their paths. `moraine` is how it depends on Moraine. */
export function starterFiles(name: string, moraine: string): Record<string, string> {
  return {
    'lake.ts': lake(name),
    'lake.tests.ts': tests,
    'data/orders.csv': orders,
    'package.json': `${JSON.stringify({ name, private: true, type: 'module', scripts: { run: 'moraine run' }, dependencies: { moraine } }, null, 2)}\n`,
    'tsconfig.json': `${JSON.stringify({ compilerOptions: { module: 'nodenext', target: 'es2023', strict: true, noEmit: true, allowImportingTsExtensions: true, skipLibCheck: true } }, null, 2)}\n`,
    '.gitignore': 'node_modules/\nlake/\nlake-dev/\n.moraine/\n',
  }
}

const lake = (
  name: string,
) => `import { bronze, defineLake, gold, month, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'

// Bronze: the raw rows.
export const rawOrders = bronze('orders', {
  description: 'Orders, as the shop exports them every night.',
  from: files('data/*.csv'),
})

// Silver: typed, validated, one row per order. Invalid rows are discarded, with their reasons.
export const orders = silver('orders', {
  from: rawOrders,
  schema: z.object({
    order_id: t.bigint(),
    customer: z.string().trim().min(1),
    status: z.enum(['pending', 'paid', 'shipped', 'cancelled']),
    amount: t.decimal(12, 2).min(0),
    ordered_at: t.timestamp(),
    shipped_at: t.timestamp().nullable(),
  }),
  key: 'order_id',
  cursor: 'ordered_at',
  rules: [rule('ships after it is ordered', sql\`shipped_at is null or shipped_at >= ordered_at\`)],
  partitionBy: [month('ordered_at')],
})

// Gold: results for the business.
export const dailyRevenue = gold('daily_revenue', {
  description: 'Orders and revenue per day, without cancelled orders.',
  query: sql\`
    select cast(ordered_at as date) as day, count(*) as orders, sum(amount) as revenue
    from \${orders}
    where status <> 'cancelled'
    group by day
    order by day\`,
  incremental: { by: 'day' }, // only days with new or changed orders are computed again
})

export default defineLake({ name: '${name}', datasets: [rawOrders, orders, dailyRevenue] })
`

const tests = `import { datasetTest, given } from 'moraine/testing'
import { dailyRevenue, orders, rawOrders } from './lake.js'

// Rows in, rows out, in memory: npx moraine test
export default [
  datasetTest('the newest version of an order wins', orders, {
    given: [
      given(rawOrders, [
        { order_id: '1', customer: ' Ada', status: 'paid', amount: '9.5', ordered_at: '2026-01-05 09:00:00' },
        { order_id: '1', customer: 'Ada', status: 'shipped', amount: '9.5', ordered_at: '2026-01-06 09:00:00' },
        { order_id: '2', customer: 'Alan', status: 'lost', amount: '1', ordered_at: '2026-01-06 10:00:00' },
      ]),
    ],
    expect: [{ order_id: 1n, customer: 'Ada', status: 'shipped', amount: '9.50' }],
    discarded: ['status: not one of pending, paid, shipped, cancelled'],
  }),
  datasetTest('cancelled orders add no revenue', dailyRevenue, {
    given: [
      given(orders, [
        { order_id: 1n, status: 'paid', amount: '10.00', ordered_at: '2026-01-05T09:00:00' },
        { order_id: 2n, status: 'cancelled', amount: '5.00', ordered_at: '2026-01-05T10:00:00' },
      ]),
    ],
    expect: [{ day: '2026-01-05', orders: 1n, revenue: '10.00' }],
  }),
]
`

const orders = `order_id,customer,status,amount,ordered_at,shipped_at
1,Ada,paid,120.00,2026-01-05 09:12:00,
2,Grace,shipped,75.50,2026-01-05 11:40:00,2026-01-06 08:00:00
3,Edsger,pending,19.99,2026-01-06 14:05:00,
4,Barbara,shipped,240.00,2026-01-06 16:30:00,2026-01-05 10:00:00
5,Donald,paid,twelve,2026-01-07 08:15:00,
6,Ada,cancelled,60.00,2026-01-07 09:45:00,
1,Ada,shipped,120.00,2026-01-07 10:00:00,2026-01-07 18:00:00
7,"Frances, E.",paid,310.25,2026-01-08 12:00:00,
8,Alan,paid,45.00
`
