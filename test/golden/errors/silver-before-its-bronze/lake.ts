import { bronze, check, cron, day, defineLake, every, gold, hour, month, rule, silver, sql, sqlFile, t, z } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', { from: files('orders.csv') })
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

export default defineLake({ name: 'shop', datasets: [orders] })
