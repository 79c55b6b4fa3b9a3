import { divide, gold, sql, t, z } from 'moraine'
import { consolidatedSales } from './consolidated.js'

export const topSellers = gold('top_sellers', {
  description: 'Which sellers sold the most tickets?',
  query: sql`
    with sellers as (
      select sellerid, seller, seller_name as name, seller_city as city,
        sum(qtysold) as tickets, count(*) as sales, sum(pricepaid) as revenue
      from ${consolidatedSales}
      group by all
    )
    select rank() over (order by tickets desc) as rank, *
    from sellers
    qualify rank <= ${100}
    order by rank, sellerid`,
  columns: {
    rank: t.int(),
    sellerid: t.int(),
    seller: z.string(),
    name: z.string(),
    city: z.string(),
    tickets: t.int(),
    sales: t.int(),
    revenue: t.decimal(18, 2),
  },
})

export const salesByRegion = gold('sales_by_region', {
  description: 'Which region of the country saw the most sales in the year?',
  query: sql`
    select year, region, count(*) as sales, sum(qtysold) as tickets, sum(pricepaid) as revenue
    from ${consolidatedSales} group by all order by sales desc`,
})

export const commissionByRegion = gold('commission_by_region', {
  description: 'Which region brought in the most commission in the year?',
  query: sql`
    with regions as (
      select year, region, sum(commission) as commission from ${consolidatedSales} group by all
    )
    select *, ${divide(sql`100 * commission`, sql`sum(commission) over (partition by year)`, 2)} as percent
    from regions
    order by commission desc`,
})

export const salesByCategory = gold('sales_by_category', {
  description: 'Sales of each kind of event, by month.',
  query: sql`
    select catgroup, catname, year, month, count(*) as sales, sum(qtysold) as tickets,
      sum(pricepaid) as revenue, sum(commission) as commission
    from ${consolidatedSales} group by all`,
  partitionBy: ['catgroup', 'catname'],
})

export const salesByDate = gold('sales_by_date', {
  description: 'Sales of each day.',
  query: sql`
    select year, month, caldate, count(*) as sales, sum(qtysold) as tickets,
      sum(pricepaid) as revenue, sum(commission) as commission
    from ${consolidatedSales} group by all`,
  partitionBy: ['year', 'month'],
})

export const salesByMonth = gold('sales_by_month', {
  description: 'Sales, commission and number of orders of each month.',
  query: sql`
    select year, month, sum(pricepaid) as sales, sum(commission) as commission, count(*) as orders
    from ${consolidatedSales} group by all order by year, month`,
})
