import { bronze, defineLake, principal, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'

const raw = bronze('orders', { from: files('orders.csv', { columns: ['id', 'status', 'amount', 'ordered_at'] }) })
const orders = silver('orders', { from: raw, schema: z.object({ id: t.int() }) })

export default defineLake({
  name: 'shop',
  datasets: [orders],
  access: [
    principal('analysts', {
      token: 'one that should not be here',
      read: ['sliver.*', 'silver.ordres'],
    }),
    principal('ml', { clientSecret: 'one that should not be here', write: ['ml.*', 'gold.*'] }),
    principal('ml', { token: '', read: ['ml'] }),
  ],
})
