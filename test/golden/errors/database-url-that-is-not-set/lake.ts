import { bronze, defineLake, silver, t, z } from 'moraine'
import { postgres } from 'moraine/sources'

const shop = postgres({ url: process.env.NO_SUCH_URL })
const raw = bronze('orders', { from: shop.table('orders', { key: 'id' }) })
const orders = silver('orders', { from: raw, schema: z.object({ id: t.int() }), key: 'id' })

export default defineLake({ name: 'shop', datasets: [orders] })
