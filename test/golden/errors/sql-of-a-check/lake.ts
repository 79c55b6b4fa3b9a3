import { bronze, check, defineLake, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', { from: files('orders.csv', { columns: ['id', 'amount'] }) })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.bigint(), amount: t.int() }),
  key: 'id',
  checks: [check.sql('is positive', sql`select * from this_table where amont < 0`)],
})

export default defineLake({ name: 'shop', datasets: [orders] })
