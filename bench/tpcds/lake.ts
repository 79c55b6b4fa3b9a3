import { defineLake, gold, lookup, rule, type Sql, sql, t, year } from 'moraine'
import * as dimensions from '../../examples/tpcds/datasets/dimensions.js'
import { refined } from '../../examples/tpcds/datasets/tables.js'
import * as returns from '../../examples/tpcds/tables/returns.js'
import * as sales from '../../examples/tpcds/tables/sales.js'
import type { Table } from '../../examples/tpcds/tables/table.js'

/*
 * The lake that is held against the script by hand: the same gold tables, facts partitioned by year
 * as there, with all checks of the example.
 */

const { customer, dateDim, item } = dimensions

function fact(table: Table<any>, key: string) {
  return refined(table, {
    added: { day: t.date().nullable() },
    select: { day: lookup(dateDim, 'd_date' as never, key) },
    rules: [
      rule(
        'date exists',
        sql`day is not null or ${{ kind: 'column', name: key } as const} is null`,
      ),
    ],
    partitionBy: [year('day')],
  })
}

const storeSales = fact(sales.storeSales, 'ss_sold_date_sk')
const catalogSales = fact(sales.catalogSales, 'cs_sold_date_sk')
const webSales = fact(sales.webSales, 'ws_sold_date_sk')
const others = [
  fact(sales.inventory, 'inv_date_sk'),
  fact(returns.storeReturns, 'sr_returned_date_sk'),
  fact(returns.catalogReturns, 'cr_returned_date_sk'),
  fact(returns.webReturns, 'wr_returned_date_sk'),
]

const allSales: Sql = sql`
  select 'store' as channel, ss_sold_date_sk as date_sk, ss_item_sk as item_sk, ss_customer_sk as customer_sk, ss_ticket_number as order_number, ss_quantity as quantity, ss_net_paid as net_paid, ss_net_profit as net_profit from ${storeSales}
  union all select 'catalog', cs_sold_date_sk, cs_item_sk, cs_bill_customer_sk, cs_order_number, cs_quantity, cs_net_paid, cs_net_profit from ${catalogSales}
  union all select 'web', ws_sold_date_sk, ws_item_sk, ws_bill_customer_sk, ws_order_number, ws_quantity, ws_net_paid, ws_net_profit from ${webSales}`

const daily = gold('daily_sales_summary', {
  query: sql`
    select d.d_date as sale_date, s.channel, count(*) as line_count, count(distinct s.order_number) as order_count,
      count(distinct s.customer_sk) as customer_count, sum(s.quantity) as quantity, sum(s.net_paid) as net_paid,
      sum(s.net_profit) as net_profit, d.d_year as year
    from (${allSales}) s join ${dateDim} d on s.date_sk = d.d_date_sk group by d.d_date, s.channel, d.d_year`,
  partitionBy: ['year'],
})

const lifetime = gold('customer_lifetime_value', {
  query: sql`
    select c.c_customer_sk as customer_sk, c.c_customer_id as customer_id, c.c_first_name as first_name, c.c_last_name as last_name,
      x.order_count, x.line_count, x.lifetime_value, x.lifetime_profit, x.first_purchase, x.last_purchase,
      x.lifetime_value / x.order_count as avg_order_value
    from (select s.customer_sk, count(distinct concat(s.channel, '-', s.order_number)) as order_count, count(*) as line_count,
        sum(s.net_paid) as lifetime_value, sum(s.net_profit) as lifetime_profit, min(d.d_date) as first_purchase, max(d.d_date) as last_purchase
      from (${allSales}) s left join ${dateDim} d on s.date_sk = d.d_date_sk where s.customer_sk is not null group by s.customer_sk) x
    join ${customer} c on x.customer_sk = c.c_customer_sk`,
})

const products = gold('product_performance', {
  query: sql`
    select i.i_item_sk as item_sk, i.i_item_id as item_id, i.i_product_name as product_name, i.i_brand as brand, x.quantity, x.revenue, x.profit,
      rank() over (partition by i.i_category order by x.revenue desc nulls last, i.i_item_sk) as category_rank, i.i_category as category
    from (select s.item_sk, sum(s.quantity) as quantity, sum(s.net_paid) as revenue, sum(s.net_profit) as profit
      from (${allSales}) s group by s.item_sk) x join ${item} i on x.item_sk = i.i_item_sk`,
  partitionBy: ['category'],
})

const trends = gold('monthly_trends', {
  query: sql`
    select channel, month, revenue, orders, lag(revenue) over (partition by channel order by year, month) as prev_revenue,
      (revenue - lag(revenue) over (partition by channel order by year, month)) / lag(revenue) over (partition by channel order by year, month) as growth, year
    from (select s.channel, d.d_year as year, d.d_moy as month, sum(s.net_paid) as revenue, count(distinct s.order_number) as orders
      from (${allSales}) s join ${dateDim} d on s.date_sk = d.d_date_sk group by s.channel, d.d_year, d.d_moy) m`,
  partitionBy: ['year'],
})

export default defineLake({
  name: 'tpcds-bench',
  datasets: [
    ...Object.values(dimensions),
    storeSales,
    catalogSales,
    webSales,
    ...others,
    daily,
    lifetime,
    products,
    trends,
  ],
})
