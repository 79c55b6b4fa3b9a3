import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'

const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int() }),
})
const total = gold('total', {
  query: sql`select count(*) as n from ${orders}`,
})

export default defineLake({ name: 'shop', datasets: [total] })
