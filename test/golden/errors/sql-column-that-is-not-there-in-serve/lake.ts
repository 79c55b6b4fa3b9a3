import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', { from: files('orders.csv', { columns: ['id', 'amount'] }) })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.bigint(), amount: t.int() }),
  key: 'id',
})
const daily = gold('daily', { query: sql`select sum(amonut) as revenue from ${orders}` })

export default defineLake({ name: 'shop', datasets: [orders, daily] })
