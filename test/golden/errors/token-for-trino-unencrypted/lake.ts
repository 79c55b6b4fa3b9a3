import { bronze, defineLake, gold, silver, sql, t, trino, z } from 'moraine'
import { files } from 'moraine/sources'

const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int() }),
})
const total = gold('total', {
  query: sql`select count(*) as n from ${orders}`,
  engine: trino({ url: 'http://trino.example.com:8080' }),
})

export default defineLake({ name: 'shop', datasets: [total] })
