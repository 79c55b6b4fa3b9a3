import { bronze, check, cron, day, defineLake, every, gold, hour, month, rule, silver, sql, sqlFile, t, z } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', { from: files('orders.csv', { columns: ['id', 'status', 'amount', 'ordered_at'] }) })
const orders = silver('orders', {
  from: raw,
  schema: z.object({
    id: t.int(),
    status: z.string(),
    amount: t.decimal(9, 2),
    ordered_at: t.timestamp(),
  }),
  key: 'id',
})
const totals = gold('totals', {
  query: sql`
    select status, (select count(*) from read_csv('/etc/passwd')) as n
    from ${orders}
  `,
})
const rates = gold('rates', { query: sql`select * from 'rates.csv'` })
const settings = silver('settings', {
  from: raw,
  schema: z.object({ id: t.int(), place: z.string() }),
  select: { place: sql`current_setting('temp_directory')` },
  rules: [rule('is there', sql`id in (select t.id from (with x as (select 1 as id) from x) y, x t)`)],
  checks: [check.sql('no users', sql`select 1 from glob('/home/*')`)],
})

export default defineLake({ name: 'shop', datasets: [totals, rates, settings] })
