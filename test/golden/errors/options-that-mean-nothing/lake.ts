import { bronze, defineLake } from 'moraine'
import { files, inbox } from 'moraine/sources'

const visits = bronze('visits', { from: files('visits/*.json', { delimiter: ';', nulls: ['N/A'] }) })
const orders = bronze('orders', { from: files('orders.parquet', { header: true, rows: 'data' }) })
const events = bronze('events', {
  from: inbox({ format: 'jsonl', quote: "'" }),
})
const drops = bronze('drops', {
  from: inbox({ drift: 'freeze' }),
})
const logs = bronze('logs', {
  from: inbox({ format: 'jsonl', follow: true }),
})

export default defineLake({ name: 'shop', datasets: [visits, orders, events, drops, logs] })
