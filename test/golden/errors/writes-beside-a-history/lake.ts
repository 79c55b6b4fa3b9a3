import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', {
  from: raw,
  key: 'id',
  cursor: 'at',
  history: true,
  writes: 'allow',
  schema: z.object({ id: t.int(), at: t.date() }),
})

export default defineLake({ name: 'shop', datasets: [orders] })
