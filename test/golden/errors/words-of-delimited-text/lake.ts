import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', {
  from: files('orders.csv', {
    delimiter: '\n',
    escape: '\\\\',
    skip: -1,
    footer: 1.5,
  }),
})
const twice = bronze('twice', { from: files('orders.csv', { header: 3, skip: 2 }) })
const rows = bronze('rows', { from: files('orders.jsonl', { comment: '#' }) })

export default defineLake({ name: 'shop', datasets: [raw, twice, rows] })
