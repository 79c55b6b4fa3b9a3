import { bronze, defineLake, gold, sql } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', { from: files('orders.csv', { columns: ['id', 'amount'] }) })
const daily = gold('daily', { query: sql`select * from ${weekly}` })
const weekly = gold('weekly', { query: sql`select * from ${raw} union all from ${daily}` })

export default defineLake({ name: 'shop', datasets: [daily, weekly] })
