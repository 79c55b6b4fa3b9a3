import type { Client } from 'pg'
import type { DatabaseSource } from '../../define/source.js'
import { relationOf } from './conditions.js'
import { counterKey } from './counters.js'
import { quote } from './postgres-remote.js'
import type { Mark, RemoteColumn } from './reader.js'

/** How our sessions are called, so that they do not wait for each other. */
export const NAME = 'moraine reads'

/** Sessions of a transaction that may still write rows: all that are open, as any of them may. */
const OPEN = `
  SELECT (extract(epoch FROM clock_timestamp()) * 1e6)::bigint AS now,
    (extract(epoch FROM least(min(xact_start), (SELECT min(prepared) FROM pg_prepared_xacts WHERE database = current_database()))) * 1e6)::bigint AS oldest,
    count(*) FILTER (WHERE query = '<insufficient privilege>') AS hidden
  FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> '${NAME}'
    AND backend_type NOT IN ('autovacuum worker', 'walsender', 'parallel worker')`

/** Milliseconds that short transactions are waited for. */
const PATIENCE = 1000

export interface Moment {
  /** Nobody who was at work when the snapshot was taken had begun before it; microseconds since 1970. */
  time: number
  notes: string[]
}

export const isCounter = ({ type }: RemoteColumn) => /^(smallint|integer|bigint)$/.test(type)

/** The newest values of cursors that count. They are looked at before the open transactions are. */
export async function countersOf(
  client: Client,
  sources: readonly DatabaseSource[],
): Promise<Map<string, Mark>> {
  const found = new Map<string, Mark>()
  for (const source of sources) {
    if (source.cursor === undefined || source.cursor === 'xmin') continue
    const name = quote(source.cursor)
    try {
      const [kind] = (
        await client.query(
          `SELECT pg_typeof(${name})::text AS type FROM (SELECT ${name} FROM ${relationOf(source)} LIMIT 1) AS q`,
        )
      ).rows
      if (!kind || !isCounter({ name, type: kind.type })) continue
      const [row] = (
        await client.query(
          `SELECT max(${name})::text AS newest, (extract(epoch FROM clock_timestamp()) * 1e6)::bigint AS at FROM ${relationOf(source)}`,
        )
      ).rows
      if (row.newest !== null) found.set(counterKey(source), [Number(row.at), row.newest])
    } catch {
      // What is wrong with a source is told when it is read.
    }
  }
  return found
}

/** Looks which transactions are open, and waits a moment for those that are soon done. */
export async function settle(client: Client): Promise<Moment> {
  const start = Date.now()
  let first: number | undefined
  for (;;) {
    const [row] = (await client.query(OPEN)).rows
    first ??= Number(row.now)
    const oldest = row.oldest === null ? undefined : Number(row.oldest)
    const hidden = Number(row.hidden)
    const notes =
      hidden > 0
        ? [
            "the open transactions of others can't be seen: rows that they commit late may be missed, unless lag covers them (GRANT pg_read_all_stats)",
          ]
        : []
    if (oldest === undefined || oldest > first) return { time: first, notes }
    if (Date.now() - start > PATIENCE) {
      const since = new Date(oldest / 1000).toISOString()
      return {
        time: oldest,
        notes: [
          ...notes,
          `rows from ${since} on are read again next time: a transaction has been open since then`,
        ],
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
