import {
  alert,
  bronze,
  check,
  day,
  defineLake,
  every,
  gold,
  history,
  rule,
  silver,
  sql,
  t,
  z,
} from 'moraine'
import { files, inbox, postgres } from 'moraine/sources'

/** The shop's database; without one, orders arrive as files in bronze/landing/orders. */
const url = process.env.ORDERS_URL
const shop = url
  ? postgres({ url, concurrency: 1 }).table('public.orders', {
      key: 'order_id',
      cursor: 'order_last_updated',
      // The shop's programs write the time themselves, and their rows appear a little later.
      lag: process.env.ORDERS_LAG ?? '30s',
    })
  : undefined

/**
 * Every few minutes, new and changed orders arrive as files; every file is ingested at once, and
 * archived unchanged.
 */
export const landedOrders = bronze('orders', {
  description: 'Orders as they landed.',
  from: inbox({
    format: 'jsonl',
    columns: ['order_id', 'order_last_updated', 'customer_id', 'order_status', 'amount'],
    ...(shop ? { feed: shop } : {}),
  }),
  archive: true,
  schedule: every(process.env.ORDERS_EVERY ?? '5m', { jitter: '1s', timeout: '10m' }),
  freshWithin: '1h',
})

/** The valid statuses of an order. */
export const statuses = silver('order_statuses', {
  from: bronze('order_statuses', { from: files('reference/statuses.csv') }),
  schema: z.object({ status: z.string(), is_final: z.boolean(), meaning: z.string() }),
  key: 'status',
})

/** Validated orders: the latest valid version of each, and every version as history. */
export const orders = silver('orders', {
  description: 'The newest valid version of each order.',
  from: landedOrders,
  schema: z.object({
    order_id: t.bigint().positive(),
    order_last_updated: t.timestamp(),
    customer_id: t.int().positive(),
    order_status: z.string(),
    amount: t.decimal(12, 2).min(0).max(100_000),
  }),
  key: 'order_id',
  cursor: 'order_last_updated',
  rules: [rule('status is known', sql`order_status in (select status from ${statuses})`)],
  checks: [check.discarded({ max: '25%', severity: 'warn' })],
  partitionBy: [day('order_last_updated')],
  history: true,
})

/** Orders by status by day. */
export const ordersByDay = gold('orders_by_day', {
  query: sql`
    select cast(order_last_updated as date) as day, order_status, count(*) as orders, sum(amount) as amount
    from ${orders} group by 1, 2`,
})

/** Revenue per customer so far. */
export const customerValue = gold('customer_value', {
  query: sql`
    select customer_id, count(*) as orders, sum(amount) as lifetime_value,
      min(order_last_updated) as first_seen, max(order_last_updated) as last_seen
    from ${orders} where order_status not in ('CANCELED', 'SUSPECTED_FRAUD') group by 1`,
})

/** Transitions between statuses, and how long they take. */
export const statusFunnel = gold('status_funnel', {
  query: sql`
    select order_status as from_status, following as to_status, count(*) as orders,
      cast(median(date_diff('second', valid_from, valid_to)) as bigint) as median_seconds
    from (
      select *, lead(order_status) over (partition by order_id order by valid_from) as following
      from ${history(orders)})
    where following is not null and following <> order_status group by 1, 2`,
})

export default defineLake({
  name: 'orders',
  datasets: [orders, ordersByDay, customerValue, statusFunnel],
  folders: { silver: 'silver/staging' },
  ...(process.env.ORDERS_SLACK ? { alerts: [alert.slack(process.env.ORDERS_SLACK)] } : {}),
})
