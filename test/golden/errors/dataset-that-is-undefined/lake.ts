import { defineLake, silver, t, z } from 'moraine'
import * as raw from './raw.js'

const orders = silver('orders', {
  from: raw.order,
  schema: z.object({ id: t.bigint() }),
})

export default defineLake({ name: 'shop', datasets: [orders] })
