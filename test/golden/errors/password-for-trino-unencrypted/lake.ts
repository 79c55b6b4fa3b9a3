import { bronze, defineLake, gold, silver, sql, t, trino, z } from 'moraine'
import { files } from 'moraine/sources'

const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int() }),
})
const total = gold('total', {
  query: sql`select count(*) as n from ${orders}`,
})

export default defineLake({ name: 'shop', datasets: [total], engine: trino({ url: 'http://10.0.0.7:8080', password: () => 'hush', allowUnencrypted: true }) })
