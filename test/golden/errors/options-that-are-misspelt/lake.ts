import { bronze, check, cron, defineLake, gold, rule, silver, sql, t, z } from 'moraine'
import { files, http, postgres } from 'moraine/sources'

const shop = postgres({ hots: 'db' })
const raw = bronze('orders', {
  from: files('orders.csv', { delimeter: ';', columns: ['id', 'amount', 'day'] }),
  tag: ['raw'],
  schedule: cron('0 6 * * *', { timeZone: 'Europe/Berlin' }),
})
const people = bronze('people', { from: shop.table('people', { curser: 'updated_at' }) })
const rates = bronze('rates', {
  from: http('https://api.example/rates', { paging: { pgae: 'page' } }),
})
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.bigint(), amount: t.int(), day: t.date({ fromat: '%d.%m.%Y' }) }),
  keys: 'id',
  rule: [rule('is positive', sql`amount > 0`, { severitty: 'warn' })],
  checks: [check.fresh('day', { withing: '2d' })],
})
const daily = gold('daily', {
  query: sql`select day, sum(amount) as amount from ${orders} group by day`,
  incrementall: { by: 'day' },
})

export default defineLake({ name: 'shop', dataset: [people, rates, daily] })
