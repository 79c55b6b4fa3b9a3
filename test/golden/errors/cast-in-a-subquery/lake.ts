import { bronze, defineLake, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'

const shops = silver('shops', {
  from: bronze('shops', { from: files('shops.csv') }),
  schema: z.object({ code: t.int(), city: z.string() }),
  key: 'code',
})

const sales = silver('sales', {
  from: bronze('sales', { from: files('sales.csv') }),
  select: {
    city: sql`(select city from ${shops} where code = cast(shop as integer))`,
  },
  schema: z.object({ id: t.int(), city: z.string().nullable() }),
})

export default defineLake({ name: 'shop', datasets: [sales] })
