import { lookup, month, rule, sql, t } from 'moraine'
import * as returns from '../tables/returns.js'
import * as sales from '../tables/sales.js'
import { dateDim } from './dimensions.js'
import { refined } from './tables.js'

const date = t.date().nullable()

const sold = {
  added: { sold_date: date },
  partitionBy: [month('sold_date')],
}
const returned = {
  added: { returned_date: date },
  partitionBy: [month('returned_date')],
}

export const storeSales = refined(sales.storeSales, {
  ...sold,
  select: { sold_date: lookup(dateDim, 'd_date', 'ss_sold_date_sk') },
  rules: [rule('date exists', sql`ss_sold_date_sk is null or sold_date is not null`)],
})

export const catalogSales = refined(sales.catalogSales, {
  ...sold,
  select: { sold_date: lookup(dateDim, 'd_date', 'cs_sold_date_sk') },
  rules: [rule('date exists', sql`cs_sold_date_sk is null or sold_date is not null`)],
})

export const webSales = refined(sales.webSales, {
  ...sold,
  select: { sold_date: lookup(dateDim, 'd_date', 'ws_sold_date_sk') },
  rules: [rule('date exists', sql`ws_sold_date_sk is null or sold_date is not null`)],
})

export const inventory = refined(sales.inventory, {
  added: { counted_date: date },
  select: { counted_date: lookup(dateDim, 'd_date', 'inv_date_sk') },
  rules: [rule('date exists', sql`counted_date is not null`)],
  partitionBy: [month('counted_date')],
})

export const storeReturns = refined(returns.storeReturns, {
  ...returned,
  select: { returned_date: lookup(dateDim, 'd_date', 'sr_returned_date_sk') },
  rules: [rule('date exists', sql`sr_returned_date_sk is null or returned_date is not null`)],
})

export const catalogReturns = refined(returns.catalogReturns, {
  ...returned,
  select: { returned_date: lookup(dateDim, 'd_date', 'cr_returned_date_sk') },
  rules: [rule('date exists', sql`cr_returned_date_sk is null or returned_date is not null`)],
})

export const webReturns = refined(returns.webReturns, {
  ...returned,
  select: { returned_date: lookup(dateDim, 'd_date', 'wr_returned_date_sk') },
  rules: [rule('date exists', sql`wr_returned_date_sk is null or returned_date is not null`)],
})
