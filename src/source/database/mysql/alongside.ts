import type { Ask } from '../dialect.js'
import { STREAMS } from '../streams.js'
import { dataLength } from './tables.js'

/** Bytes of tables from which on several connections read them. */
const LARGE = 16 << 20

/** Times that connections try to begin between two commits of others. */
const TRIES = 5

/** Whether all that is committed stands in the server's binary log. */
const LOGGED =
  "SELECT @@log_bin = 1 AND (@@log_slave_updates = 1 OR coalesce(@@gtid_slave_pos, '') = '')"

/** Where in the binary log a transaction's snapshot was taken. MySQL does not say it. */
const POSITION = "SHOW SESSION STATUS LIKE 'binlog_snapshot%'"

/** A transaction that was under way ends. */
export const BEGIN = 'START TRANSACTION WITH CONSISTENT SNAPSHOT'

/**
 * How many connections beside the first one are worth having: tables are large, and the server can
 * say that snapshots are the same.
 */
export async function othersFor(ask: Ask, tables: readonly string[]): Promise<number> {
  try {
    const [[logged] = []] = await ask(LOGGED)
    if (logged !== '1' || (await ask(POSITION)).length === 0) return 0
    let bytes = 0
    for (const table of tables) {
      bytes += await dataLength(ask, table)
      if (bytes >= LARGE) return STREAMS - 1
    }
  } catch {
    // A server of another kind; what is wrong with a table is told when it is read.
  }
  return 0
}

/**
 * Begins transactions that all see one snapshot: between them nothing was committed, as the place
 * in the binary log says.
 *
 * @returns whether that came about; else only the first one has begun.
 */
export async function beginTogether(leader: Ask, others: readonly Ask[]): Promise<boolean> {
  for (let tries = 0; tries < TRIES; tries++) {
    const places = await Promise.all([leader, ...others].map(begun))
    if (new Set(places).size === 1) return true
  }
  return false
}

/** Begins, and says where. */
async function begun(ask: Ask): Promise<string> {
  await ask(BEGIN)
  return JSON.stringify(await ask(POSITION))
}
