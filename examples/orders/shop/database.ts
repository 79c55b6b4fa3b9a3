import { existsSync } from 'node:fs'
import pg from 'pg'
import { postgresPrograms, startPostgres } from '../../../test/support/servers.js'
import type { Order } from './orders.js'

/** The shop's database. */
export interface Database {
  url: string
  write(orders: readonly Order[]): Promise<void>
  stop(): Promise<void>
}

/**
 * The database that ORDERS_URL names, or one that is started where PostgreSQL is installed;
 * `undefined` without either.
 */
export async function openDatabase(): Promise<Database | undefined> {
  const given = process.env.ORDERS_URL
  if (!given && !existsSync(postgresPrograms ?? '')) return undefined
  const server = given ? undefined : await startPostgres()
  const url = given ?? (server?.url as string)
  const client = new pg.Client(url)
  await client.connect()
  await client.query('drop table if exists public.orders')
  await client.query(`create table public.orders (
    order_id bigint primary key, order_last_updated timestamp not null, customer_id int not null,
    order_status text not null, amount numeric not null)`)
  await client.query('create index on public.orders (order_last_updated)')
  return {
    url,
    write: async (orders) => {
      if (orders.length === 0) return
      const columns = [
        'order_id',
        'order_last_updated',
        'customer_id',
        'order_status',
        'amount',
      ] as const
      const types = ['bigint', 'timestamp', 'int', 'text', 'numeric']
      await client.query(
        `insert into public.orders select * from unnest(${types.map((type, i) => `$${i + 1}::${type}[]`).join(', ')})
         on conflict (order_id) do update set order_last_updated = excluded.order_last_updated,
           customer_id = excluded.customer_id, order_status = excluded.order_status, amount = excluded.amount`,
        columns.map((column) => orders.map((order) => order[column])),
      )
    },
    stop: async () => {
      await client.end()
      await server?.stop()
    },
  }
}
