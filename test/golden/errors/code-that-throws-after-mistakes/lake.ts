import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', { from: files('orders.csv', { sep: ';' }) })
if (!process.env.SHOP_REGION_NOT_SET) throw new Error('Set SHOP_REGION_NOT_SET')

export default defineLake({ name: 'shop', datasets: [raw] })
