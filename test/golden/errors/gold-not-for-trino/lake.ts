import { bronze, defineLake, gold, silver, sql, t, trino, z } from 'moraine'
import { files } from 'moraine/sources'

const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int(), amount: t.decimal(9, 2), weight: t.double(), status: z.string() }),
})

const means = gold('means', {
  query: sql`
    select status,
      avg(amount) as mean
    from ${orders} group by status`,
})

const labels = gold('labels', {
  query: sql`
    select id,
      concat(upper(status), '-', id) as label
    from ${orders}`,
})

const heavy = gold('heavy', {
  query: sql`select id, weight from ${orders} order by weight desc limit 3`,
})

const rounded = gold('rounded', {
  query: sql`select id, amount / 3 as third from ${orders}`,
  columns: { id: t.int(), third: t.double() },
})

const prices = gold('prices', {
  query: sql`select id, cast(weight * 2 as decimal(12, 2)) as price from ${orders}`,
})

export default defineLake({
  name: 'shop',
  engine: trino({ url: 'http://127.0.0.1:8080' }),
  datasets: [means, labels, heavy, rounded, prices],
})
