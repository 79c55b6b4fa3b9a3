import { bronze, check, cron, day, defineLake, every, gold, hour, month, rule, silver, sql, sqlFile, t, z } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', { from: files('orders.csv') })

export default defineLake({ name: 'shop', datasets: [raw] })
