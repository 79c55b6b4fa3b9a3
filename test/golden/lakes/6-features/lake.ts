import { bronze, defineLake, gold, month, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('sales', { from: files('in/*.csv') })
const sales = silver('sales', {
  from: raw,
  key: 'id',
  cursor: 'sold_at',
  deleteWhen: sql`op = 'D'`,
  history: true,
  partitionBy: [month('sold_at')],
  schema: z.object({ id: t.int(), amount: t.decimal(9, 2).nullable(), sold_at: t.timestamp() }),
  rules: [rule('amounts are not negative', sql`amount is null or amount >= 0`)],
})
const days = gold('days', {
  query: sql`select cast(sold_at as date) as day, count(*) as sales, sum(amount) as amount from ${sales} group by 1`,
  incremental: { by: 'day' },
})
const best = gold('best', { query: sql`select max(amount) as amount from ${days}`, view: true })
export default defineLake({ name: 'shop', datasets: [days, best] })
