import { bronze, defineLake, gold, rule, silver, sql, t, z } from 'moraine'
import { files, postgres } from 'moraine/sources'

const raw = bronze('orders', {
  from: files('orders.csv', { columns: 'id', header: 'false' }),
  schedule: '0 6 * * *',
})
const people = bronze('people', { from: postgres({ port: '5432' }) })
const orders = silver('orders', {
  from: 'orders',
  schema: { id: t.bigint() },
  key: 3,
  rules: 'amount > 0',
  partitionBy: 'day',
  history: 'true',
})
const lines = silver('lines', {
  from: raw,
  schema: z.object({ id: t.bigint, amount: 'int' }),
  rules: [rule('is positive', 'amount > 0')],
})
const daily = gold('daily', {
  query: 'select 1 as one',
  incremental: 'day',
  columns: z.object({ one: t.int() }),
})

export default defineLake({ name: 'shop', datasets: { raw, people, orders, lines, daily } })
