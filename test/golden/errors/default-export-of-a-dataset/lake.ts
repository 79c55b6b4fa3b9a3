import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', { from: files('orders.csv', { columns: ['id', 'amount'] }) })

export default raw
