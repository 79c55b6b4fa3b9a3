import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Order } from './orders.js'

const known = new Set(
  readFileSync(join(import.meta.dirname, '../reference/statuses.csv'), 'utf8')
    .split('\n')
    .slice(1)
    .map((line) => line.split(',')[0]),
)

/** Whether a version of an order keeps to the rules, by code of its own. */
const isValid = ({ order_status, amount }: Order) =>
  known.has(order_status) && /^\d{1,10}(\.\d{1,2})?$/.test(amount) && Number(amount) <= 100_000

/** Every file that was archived, batch by batch, as it came. */
function archived(lake: string): { file: string; readable: boolean; orders: Order[] }[] {
  const found = readdirSync(join(lake, 'archive/orders'), { recursive: true, withFileTypes: true })
  return found
    .filter((entry) => entry.isFile() && entry.name.endsWith('.jsonl'))
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const text = readFileSync(path, 'utf8')
      // A file that is none of JSON lines can't be read as a whole.
      if (!text.startsWith('{')) return { file: path, readable: false, orders: [] }
      const lines = text.split('\n').filter(Boolean)
      const orders = lines.map((line) => JSON.parse(line) as Record<keyof Order, unknown>)
      return {
        file: path,
        readable: true,
        orders: orders.map((o) => ({
          order_id: Number(o.order_id),
          order_last_updated: String(o.order_last_updated),
          customer_id: Number(o.customer_id),
          order_status: String(o.order_status),
          amount: String(o.amount),
        })),
      }
    })
}

/** What the proof asks a lake, as `openLake` opens it. */
interface Opened {
  query(sql: string): Promise<Record<string, unknown>[]>
  state(): Promise<{
    tables: Readonly<
      Record<
        string,
        { counts?: { in: number; kept: number; discarded: number; superseded: number } }
      >
    >
    batches: Readonly<Record<string, readonly { rows: number }[]>>
  }>
}

export interface Proof {
  files: number
  versions: number
  keys: number
  invalid: number
  /** What does not hold, in words. */
  faults: string[]
}

/** Microseconds since 1970. */
function moment(text: string): number {
  const [, whole = '', part = ''] = /^([^.]*)\.?(\d*)/.exec(text.replace('T', ' ')) ?? []
  return Date.parse(`${whole.replace(' ', 'T')}Z`) * 1000 + Number(part.padEnd(6, '0').slice(0, 6))
}

/**
 * Holds the lake against what landed, by the archive: silver has the newest valid version of each
 * key, every invalid version is discarded, and rows in = kept + discarded + superseded.
 *
 * @param last the newest versions that the sources have: all of them must have landed.
 */
export async function prove(opened: Opened, lake: string, last: Iterable<Order>): Promise<Proof> {
  const faults: string[] = []
  const files = archived(lake)
  const versions = files.flatMap(({ orders }) => orders)
  const newest = new Map<number, Order>()
  const invalid = new Set<string>()
  const nameOf = (o: Order) => `${o.order_id} at ${moment(o.order_last_updated)}`
  const landed = new Set(versions.map(nameOf))
  for (const order of versions) {
    if (!isValid(order)) {
      invalid.add(nameOf(order))
      continue
    }
    const before = newest.get(order.order_id)
    if (!before || moment(order.order_last_updated) > moment(before.order_last_updated))
      newest.set(order.order_id, order)
  }
  for (const order of last)
    if (!landed.has(nameOf(order))) faults.push(`order ${nameOf(order)} never landed`)
  const silver = await opened.query(
    "select order_id, strftime(order_last_updated, '%Y-%m-%d %H:%M:%S.%f') as t, order_status, cast(amount as varchar) as amount from silver.orders",
  )
  const there = new Map(silver.map((row) => [Number(row.order_id), row]))
  if (there.size !== silver.length) faults.push('silver has a key twice')
  for (const [id, order] of newest) {
    const row = there.get(id)
    if (!row) faults.push(`order ${id} is not in silver`)
    else if (moment(String(row.t)) !== moment(order.order_last_updated))
      faults.push(
        `order ${id} is not in its newest valid version: ${row.t} instead of ${order.order_last_updated}`,
      )
    else if (row.order_status !== order.order_status || Number(row.amount) !== Number(order.amount))
      faults.push(`order ${id} has other values than what landed`)
  }
  for (const id of there.keys())
    if (!newest.has(id)) faults.push(`order ${id} never landed validly`)
  const discarded = await opened.query(
    "select distinct raw->>'order_id' as id, raw->>'order_last_updated' as t from discarded.orders where _source_line > 0",
  )
  const thrown = new Set(discarded.map(({ id, t }) => `${id} at ${moment(String(t))}`))
  for (const name of invalid)
    if (!thrown.has(name)) faults.push(`invalid order ${name} is not discarded`)
  for (const name of thrown)
    if (!invalid.has(name)) faults.push(`order ${name} is discarded, but valid`)
  const [whole] = await opened.query(
    'select count(*) as n from discarded.orders where _source_line = 0',
  )
  const { tables, batches } = await opened.state()
  const counts = tables['silver.orders']?.counts
  const taken = (batches['bronze.orders'] ?? []).reduce((sum, { rows }) => sum + rows, 0)
  if (!counts || counts.in !== counts.kept + counts.discarded + counts.superseded)
    faults.push(`the counts do not add up: ${JSON.stringify(counts)}`)
  const unreadable = files.filter(({ readable }) => !readable).length
  const rows = versions.length + unreadable
  if (Number(whole?.n) !== unreadable)
    faults.push(`${unreadable} files can't be read, but ${whole?.n} are discarded as a whole`)
  if (counts?.in !== rows || taken !== rows)
    faults.push(`${rows} rows were archived, ${taken} taken in, ${counts?.in} read`)
  return {
    files: files.length,
    versions: versions.length,
    keys: newest.size,
    invalid: invalid.size,
    faults,
  }
}
