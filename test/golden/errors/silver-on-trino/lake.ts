import { bronze, defineLake, silver, t, trino, z } from 'moraine'
import { files } from 'moraine/sources'

const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int() }),
  engine: trino({ url: 'http://localhost:8080' }),
})

export default defineLake({ name: 'shop', datasets: [orders] })
