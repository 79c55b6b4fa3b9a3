import { bronze, defineLake, gold, history, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', { from: files('orders.csv', { columns: ['id', 'amount'] }) })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.bigint(), amount: t.int() }),
  key: 'id',
})
const versions = gold('versions', { query: sql`from ${history(orders)}` })

export default defineLake({ name: 'shop', datasets: [versions] })
