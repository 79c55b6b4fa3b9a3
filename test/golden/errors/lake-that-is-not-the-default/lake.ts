import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', { from: files('orders.csv', { columns: ['id', 'amount'] }) })

export const shop = defineLake({ name: 'shop', datasets: [raw] })
