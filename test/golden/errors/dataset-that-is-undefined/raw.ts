import { bronze } from 'moraine'
import { files } from 'moraine/sources'

export const orders = bronze('orders', { from: files('orders.csv') })
