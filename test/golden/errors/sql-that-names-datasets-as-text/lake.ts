import { bronze, check, defineLake, gold, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', { from: files('orders.csv', { columns: ['id', 'amount'] }) })
const people = silver('people', { from: raw, schema: z.object({ id: t.bigint() }) })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.bigint(), amount: t.int() }),
  rules: [rule('has its customer', sql`id in (select id from silver.people)`)],
  checks: [check.sql('has customers', sql`select id from this_table except from people`)],
})
const first = gold('first', {
  query: sql`
    select count(*) as n
    from silver.orders as o
    join ${people} as p on p.id = o.id`,
})
const second = gold('second', { query: sql`select orders.id from orders` })
const third = gold('third', { query: sql`select * from ref('orders')` })
const fourth = gold('fourth', { query: sql`select * from {{ ref('stg_orders') }}` })
const fifth = gold('fifth', { query: sql`select * from 'orders.csv'` })
const sixth = gold('sixth', { query: sql`select * from discarded.orders` })
const good = gold('good', { query: sql`with orders as (select 1 as id) from orders, range(3)` })

export default defineLake({ name: 'shop', datasets: [people, orders, first, second, third, fourth, fifth, sixth, good] })
