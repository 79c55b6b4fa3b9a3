import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders')
const orders = silver('orders', { from: raw })

export default defineLake({ name: 'shop', datasets: [orders] })
