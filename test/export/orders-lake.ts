/** A lake whose orders are exported to a target, by the command alone. */
export const lake = (target: string) => `
import { bronze, defineLake, duckdbFile, folder, silver, t, warehouse, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.bigint(), note: t.string() }),
  key: 'id',
})
export default defineLake({
  name: 'shop',
  datasets: [orders],
  exports: [warehouse(${target}, { tables: [orders], afterRuns: false })],
})`
