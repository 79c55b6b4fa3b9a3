import { bronze, defineLake, gold, month, rule, silver, sql, t, z } from 'moraine'
import { files, inbox } from 'moraine/sources'

const sales = silver('sales', {
  from: bronze('sales', { from: inbox(), archive: true, keep: '1s' }),
  key: 'id',
  cursor: 'sold_at',
  deleteWhen: sql`op = 'D'`,
  history: true,
  partitionBy: [month('sold_at')],
  schema: z.object({ id: t.int(), amount: t.decimal(9, 2).nullable(), sold_at: t.timestamp() }),
  rules: [rule('amounts are not negative', sql`amount is null or amount >= 0`)],
})
const visits = silver('visits', {
  from: bronze('visits', { from: files('visits/*.csv') }),
  key: 'id',
  cursor: 'seen_at',
  keep: '3650 days',
  partitionBy: [month('seen_at')],
  schema: z.object({ id: t.int(), pages: t.int(), seen_at: t.timestamp() }),
})
const days = gold('days', {
  query: sql`select cast(seen_at as date) as day, count(*) as visits, sum(pages) as pages from ${visits} group by 1`,
  incremental: { by: 'day' },
})
const stock = silver('stock', {
  from: bronze('stock', { from: files('stock/*.csv', { full: true }) }),
  key: 'item',
  schema: z.object({ item: z.string(), pieces: t.int() }),
})
const things = silver('things', {
  from: bronze('things', { from: files('things/*.jsonl') }),
  key: 'id',
  schema: z.object({ id: t.int(), name: z.string() }),
})
const busiest = gold('busiest', {
  query: sql`select max(visits) as visits from ${days}`,
  view: true,
})
export default defineLake({ name: 'shop', datasets: [sales, days, stock, things, busiest] })
