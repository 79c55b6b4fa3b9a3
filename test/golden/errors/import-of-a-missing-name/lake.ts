import { bronzes } from 'moraine'
import { bronze, check, cron, day, defineLake, every, gold, hour, month, rule, silver, sql, sqlFile, t, z } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronzes('x', {})

export default defineLake({ name: 'shop', datasets: [raw] })
