import type { Storage } from '../../storage/storage.js'
import { byDays } from './by-days.js'
import { columnsOf, type SystemTable } from './system-table.js'

/** What a query took. Figures grow until its rows were read. */
export interface QueryStatistics {
  /** Bytes of the columns that it names, in files that may have rows, by manifests. */
  bytesEstimated: number
  /** Bytes that its process did read, where the system tells (Linux); otherwise the estimate. */
  bytesRead: number
  rows: number
  /** Milliseconds that it waited for others. */
  queuedMs: number
  runMs: number
  /** US dollars that Athena would charge for these bytes. */
  price: number
  /** Whether rows of an earlier, equal query on the same snapshots were given. */
  reused: boolean
}

/** A query that is over, as its history keeps it. */
export interface PastQuery extends QueryStatistics {
  id: string
  /** When it was over: ISO, UTC. */
  time: string
  principal: string
  workgroup: string
  sql: string
  /**
   * Bytes that it has used of what its workgroup may read in a day; earlier servers did not say.
   */
  counted?: number
  /** Why it failed. */
  error?: { kind: string; message: string }
}

/** A folder a day, with objects of queries on lines. */
export const QUERIES_FOLDER = '_moraine/queries/'

/** The queries of an object; a line that is damaged hides no others. */
export async function pastQueriesIn(storage: Storage, path: string): Promise<PastQuery[]> {
  const bytes = await storage.readIfPresent(path)
  const lines = bytes ? new TextDecoder().decode(bytes).split('\n') : []
  return lines.flatMap((line) => {
    try {
      const one = JSON.parse(line) as PastQuery
      return typeof one?.time === 'string' ? [one] : []
    } catch {
      return []
    }
  })
}

/** `system.queries`: what was asked of servers of the lake. */
export const queriesTable: SystemTable = {
  columns: columnsOf({
    id: 'string',
    ended: 'timestamp',
    principal: 'string',
    workgroup: 'string',
    sql: 'string',
    bytes_estimated: 'bigint',
    bytes_read: 'bigint',
    rows: 'bigint',
    queued_ms: 'bigint',
    run_ms: 'bigint',
    price: 'double',
    reused: 'boolean',
    error_kind: 'string',
    error: 'string',
  }),
  plan: byDays('queries', 'ended', {
    days: (storage) => storage.folders(QUERIES_FOLDER),
    objects: (storage, day) => storage.list(`${QUERIES_FOLDER}${day}/`),
    rows: async (storage, { path }) => (await pastQueriesIn(storage, path)).map(rowOf),
  }),
}

const rowOf = ({ time, error, ...query }: PastQuery) => ({
  ...query,
  ended: time,
  bytes_estimated: query.bytesEstimated,
  bytes_read: query.bytesRead,
  queued_ms: query.queuedMs,
  run_ms: query.runMs,
  error_kind: error?.kind,
  error: error?.message,
})
