import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', { from: files('orders.csv') })

export default defineLake({ name: 'shop', datasets: [raw] })
