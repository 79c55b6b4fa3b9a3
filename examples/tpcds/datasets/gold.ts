import { divide, gold, month, sql, t, z } from 'moraine'
import { customer, dateDim, item } from './dimensions.js'
import {
  catalogReturns,
  catalogSales,
  storeReturns,
  storeSales,
  webReturns,
  webSales,
} from './facts.js'

/** The sales of all channels, a line of an order a row. Sales are what was paid, without tax. */
const allSales = sql`
  select 'store' as channel, sold_date, ss_item_sk as item_sk, ss_customer_sk as customer_sk,
    ss_ticket_number as order_number, ss_quantity as quantity, ss_net_paid as net_paid, ss_net_profit as net_profit
  from ${storeSales}
  union all
  select 'catalog', sold_date, cs_item_sk, cs_bill_customer_sk,
    cs_order_number, cs_quantity, cs_net_paid, cs_net_profit
  from ${catalogSales}
  union all
  select 'web', sold_date, ws_item_sk, ws_bill_customer_sk,
    ws_order_number, ws_quantity, ws_net_paid, ws_net_profit
  from ${webSales}`

const money = t.decimal(38, 2).nullable()

export const dailySalesSummary = gold('daily_sales_summary', {
  description: 'What each channel sold on each day.',
  query: sql`
    select sold_date as date, channel, count(*) as sales_lines, sum(net_paid) as sales,
      sum(quantity) as quantity, count(distinct order_number) as transactions,
      ${divide(sql`sum(net_paid)`, sql`sum(quantity)`, 2)} as average_price,
      count(distinct customer_sk) as unique_customers, sum(net_profit) as profit
    from (${allSales})
    where sold_date is not null
    group by sold_date, channel`,
  columns: {
    date: t.date(),
    channel: z.string(),
    sales_lines: t.bigint(),
    sales: money,
    quantity: t.decimal(38, 0).nullable(),
    transactions: t.bigint(),
    average_price: t.decimal(18, 2).nullable(),
    unique_customers: t.bigint(),
    profit: money,
  },
  partitionBy: [month('date')],
  incremental: { by: 'date' },
})

export const customerLifetimeValue = gold('customer_lifetime_value', {
  description: 'What each customer has brought, and how they compare: scores from 1 (low) to 5.',
  query: sql`
    with orders as (
      select customer_sk, sum(net_paid) as lifetime_value,
        count(distinct concat(channel, '-', order_number)) as orders,
        min(sold_date) as first_purchase, max(sold_date) as last_purchase
      from (${allSales})
      where customer_sk is not null
      group by customer_sk)
    select c.c_customer_sk as customer_sk, c.c_customer_id as customer_id, c.full_name, c.email, c.birth_country,
      o.lifetime_value, o.orders, ${divide(sql`o.lifetime_value`, sql`o.orders`, 2)} as average_order,
      o.first_purchase, o.last_purchase,
      cast(ntile(5) over (order by o.last_purchase nulls first, c.c_customer_sk) as integer) as recency_score,
      cast(ntile(5) over (order by o.orders, c.c_customer_sk) as integer) as frequency_score,
      cast(ntile(5) over (order by o.lifetime_value nulls first, c.c_customer_sk) as integer) as monetary_score,
      case when o.lifetime_value > 10000 then 'Premium' when o.lifetime_value > 5000 then 'Gold'
        when o.lifetime_value > 1000 then 'Silver' else 'Bronze' end as segment
    from orders as o join ${customer} as c on c.c_customer_sk = o.customer_sk`,
  columns: {
    customer_sk: t.bigint(),
    customer_id: z.string().nullable(),
    full_name: z.string().nullable(),
    email: z.string().nullable(),
    birth_country: z.string().nullable(),
    lifetime_value: money,
    orders: t.bigint(),
    average_order: t.decimal(18, 2).nullable(),
    first_purchase: t.date().nullable(),
    last_purchase: t.date().nullable(),
    recency_score: t.int(),
    frequency_score: t.int(),
    monetary_score: t.int(),
    segment: z.enum(['Premium', 'Gold', 'Silver', 'Bronze']),
  },
  partitionBy: ['segment'],
})

export const productPerformance = gold('product_performance', {
  description:
    'What each item brought in each year, its place in its category, and how much came back.',
  query: sql`
    with sold as (
      select item_sk, year(sold_date) as year, sum(net_paid) as revenue, sum(quantity) as units,
        count(distinct concat(channel, '-', order_number)) as transactions
      from (${allSales})
      where sold_date is not null
      group by item_sk, year(sold_date)),
    returned as (
      select item_sk, year(returned_date) as year, sum(quantity) as units
      from (
        select sr_item_sk as item_sk, returned_date, sr_return_quantity as quantity from ${storeReturns}
        union all select cr_item_sk, returned_date, cr_return_quantity from ${catalogReturns}
        union all select wr_item_sk, returned_date, wr_return_quantity from ${webReturns})
      where returned_date is not null
      group by item_sk, year(returned_date))
    select s.item_sk, i.i_item_id as item_id, i.product_name, i.brand, i.category, s.year,
      s.revenue, s.units, s.transactions,
      ${divide(sql`s.revenue`, sql`s.units`, 2)} as average_price,
      rank() over (partition by i.category, s.year order by s.revenue desc nulls last, s.item_sk) as category_rank,
      ${divide(sql`100 * s.revenue`, sql`sum(s.revenue) over (partition by i.category, s.year)`, 4)} as category_share,
      ${divide(sql`100 * coalesce(r.units, 0)`, sql`s.units`, 2)} as return_rate
    from sold as s
    join ${item} as i on i.i_item_sk = s.item_sk
    left join returned as r on r.item_sk = s.item_sk and r.year = s.year`,
  columns: {
    item_sk: t.bigint(),
    item_id: z.string().nullable(),
    product_name: z.string().nullable(),
    brand: z.string().nullable(),
    category: z.string().nullable(),
    year: t.bigint(),
    revenue: money,
    units: t.decimal(38, 0).nullable(),
    transactions: t.bigint(),
    average_price: t.decimal(18, 2).nullable(),
    category_rank: t.bigint(),
    category_share: t
      .decimal(9, 4)
      .nullable()
      .describe('Percent of the revenue of its category and year.'),
    return_rate: t
      .decimal(18, 2)
      .nullable()
      .describe('Units returned in the year, percent of those sold.'),
  },
  partitionBy: ['year', 'category'],
})

export const monthlyTrends = gold('monthly_trends', {
  description: 'Each channel by month, beside the month before and the same month a year before.',
  query: sql`
    with months as (
      select d.d_year as year, d.d_moy as month, s.channel, sum(s.net_paid) as revenue, sum(s.quantity) as quantity,
        count(distinct s.order_number) as transactions, count(distinct s.customer_sk) as customers
      from (${allSales}) as s join ${dateDim} as d on d.d_date = s.sold_date
      group by d.d_year, d.d_moy, s.channel)
    select year, month, channel, revenue, quantity, transactions, customers,
      ${divide(sql`revenue`, sql`transactions`, 2)} as average,
      lag(revenue) over months as previous_month,
      ${divide(sql`100 * (revenue - lag(revenue) over months)`, sql`lag(revenue) over months`, 2)} as growth,
      lag(revenue) over years as same_month_last_year,
      ${divide(sql`100 * (revenue - lag(revenue) over years)`, sql`lag(revenue) over years`, 2)} as year_on_year,
      sum(revenue) over months as running_total
    from months
    window months as (partition by channel order by year, month),
      years as (partition by channel, month order by year)`,
  columns: {
    year: t.bigint(),
    month: t.bigint(),
    channel: z.string(),
    revenue: money,
    quantity: t.decimal(38, 0).nullable(),
    transactions: t.bigint(),
    customers: t.bigint(),
    average: t.decimal(18, 2).nullable(),
    previous_month: money,
    growth: t.decimal(18, 2).nullable().describe('Percent.'),
    same_month_last_year: money,
    year_on_year: t.decimal(18, 2).nullable().describe('Percent.'),
    running_total: money,
  },
  partitionBy: ['year'],
})
