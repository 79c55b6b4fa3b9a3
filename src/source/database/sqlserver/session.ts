import type { ConnectionPool, Request, Transaction } from 'mssql'
import type { OpenConnection } from '../../../define/source.js'
import { closing } from '../closing.js'
import { literal } from '../conditions.js'
import {
  type Ends,
  type OpenTransactions,
  REPLICATED,
  type Rows,
  type Snapshot,
  type SourceSession,
} from '../dialect.js'
import { Mutex } from '../mutex.js'
import type { Extracted, Horizon, RemoteColumn } from '../reader.js'
import { microsText } from '../times.js'
import { streamToFile } from '../to-file.js'
import { poolOf } from './pool.js'
import { COARSE, describeSql, isVersion, recordsOf } from './types.js'

/** An hour in microseconds: so far clocks are put back. */
const HOUR = 3600e6

const NOW = "DATEDIFF_BIG(microsecond, '1970-01-01', SYSUTCDATETIME())"
/** SQL for the server's clock: microseconds since 1970. */
export const CLOCK = `CONVERT(varchar(30), ${NOW})`

/**
 * When the oldest transaction began that may still write rows, in the server's own time; all of the
 * server, as one may reach over databases.
 */
const OPEN = `
  SELECT CONVERT(varchar(26), DATEDIFF_BIG(microsecond, '1970-01-01', MIN(transaction_begin_time))) AS oldest
  FROM sys.dm_tran_active_transactions
  WHERE transaction_type IN (1, 4) AND transaction_id <> CURRENT_TRANSACTION_ID()`

/** Whether a database that others write to can only be read here. */
const REPLICA = `
  SELECT CASE WHEN CONVERT(varchar(20), DATABASEPROPERTYEX(DB_NAME(), 'Updateability')) = 'READ_ONLY'
    AND (is_read_only = 0 OR is_in_standby = 1) THEN '1' ELSE '0' END
  FROM sys.databases WHERE database_id = DB_ID()`

const MOVING =
  'the database has no snapshot isolation, so its tables are read one after the other (ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON)'

export async function prepare(asked: OpenConnection): Promise<SourceSession> {
  const { sql, pool, place, secrets } = await poolOf(asked, { appName: 'moraine reads' })
  const { SNAPSHOT, READ_COMMITTED } = sql.ISOLATION_LEVEL
  const transaction = new sql.Transaction(pool)
  return new SqlServerSession(
    { pool, transaction, isolation: (snapshot) => (snapshot ? SNAPSHOT : READ_COMMITTED) },
    place,
    secrets,
  )
}

/** What the client library gives. */
interface Access {
  pool: ConnectionPool
  transaction: Transaction
  isolation(snapshot: boolean): number
}

class SqlServerSession implements SourceSession {
  /** A connection does one thing after the other. */
  private readonly line = new Mutex()
  private begun = false
  /** Its clock when that was first asked, and by how much it is ahead of UTC; microseconds. */
  private clock: { now: number; ahead: number } | undefined
  /** All rows with earlier versions have been committed; the newest version there was. */
  private versions = { settled: 0n, newest: 0n }
  private replicated: boolean | undefined

  constructor(
    private readonly access: Access,
    readonly place: string,
    readonly secrets: readonly string[],
  ) {}

  async connect(): Promise<void> {
    await this.access.pool.connect()
  }

  readonly ask = (statement: string): Promise<Rows> =>
    this.use(async (request) => {
      const { recordset } = await request.batch(statement)
      const rows = (recordset ?? []) as unknown as unknown[][]
      return rows.map((row) => row.map((value) => (value == null ? null : String(value))))
    })

  async describe(query: string, table: string | undefined): Promise<RemoteColumn[]> {
    const found = await this.ask(describeSql(query))
    const [, , number, message] = found[0] ?? []
    if (message != null) throw Object.assign(new Error(message), { number })
    const idsSql = `SELECT name, column_id FROM sys.columns WHERE object_id = OBJECT_ID(N${literal(table ?? '')})`
    const ids = new Map(
      table === undefined ? [] : (await this.ask(idsSql)).map(([n, id]) => [n, id]),
    )
    return found.map(([name = null, type]) => {
      const id = ids.get(name)
      return { name: String(name), type: String(type), ...(id == null ? {} : { id: Number(id) }) }
    })
  }

  async openTransactions(): Promise<OpenTransactions> {
    this.clock ??= await this.lookAtClock()
    const { now, ahead } = this.clock
    const open = await this.ask(OPEN).catch(() => undefined)
    const at = open?.[0]?.[0]
    const oldest = at == null ? undefined : Number(at) - ahead - COARSE
    const [[settled, newest] = []] = await this.ask(
      'SELECT CONVERT(varchar(30), CONVERT(bigint, MIN_ACTIVE_ROWVERSION())), CONVERT(varchar(30), CONVERT(bigint, @@DBTS))',
    )
    this.versions = { settled: BigInt(settled ?? 0), newest: BigInt(newest ?? 0) }
    this.replicated ??= (await this.ask(REPLICA))[0]?.[0] === '1'
    return { now, oldest, hidden: open === undefined, replicated: this.replicated }
  }

  private async lookAtClock(): Promise<{ now: number; ahead: number }> {
    const [[now, minutes] = []] = await this.ask(
      `SELECT ${CLOCK}, DATEPART(tzoffset, SYSDATETIMEOFFSET())`,
    )
    return { now: Number(now), ahead: Number(minutes) * 60e6 }
  }

  async begin(): Promise<Snapshot> {
    const [[state] = []] = await this.ask(
      'SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()',
    )
    const snapshot = Number(state) === 1
    await this.access.transaction.begin(this.access.isolation(snapshot))
    this.begun = true
    const [[now] = []] = await this.ask(`SELECT ${CLOCK}`)
    return { now: Number(now), moving: !snapshot, notes: snapshot ? [] : [MOVING] }
  }

  horizon(cursor: RemoteColumn): Horizon | undefined {
    if (!isVersion(cursor)) return undefined
    const { settled, newest } = this.versions
    const open = `rows from version ${settled} on are read again next time: a transaction is open`
    const notes = [...(settled <= newest ? [open] : []), ...(this.replicated ? [REPLICATED] : [])]
    return { bound: undefined, next: String(settled), notes }
  }

  /**
   * Nobody says whether such columns are in UTC or in the server's zone: rows from the earlier of
   * both on are read again each time.
   */
  async onClock({ bound, next, later }: Ends<number>): Promise<Ends<string>> {
    const ahead = this.clock?.ahead ?? 0
    const earlier = Math.min(0, ahead)
    return {
      bound: microsText(bound + earlier),
      next: microsText(next + (ahead === 0 ? 0 : earlier - HOUR)),
      later: microsText(later + Math.max(0, ahead)),
    }
  }

  extract(
    query: string,
    columns: readonly RemoteColumn[],
    path: string,
    signal: AbortSignal,
  ): Promise<Extracted> {
    const types = columns.map(({ type }) => type)
    return this.use(async (request) => {
      let ended: Promise<unknown> | undefined
      const text = () => {
        const records = recordsOf(request, query, types)
        ended = records.ended
        return records.text
      }
      try {
        return await streamToFile(text, path, signal)
      } catch (error) {
        if (ended) {
          request.cancel()
          request.resume()
          await ended
        }
        throw error
      }
    })
  }

  async close(): Promise<void> {
    await closing(this.line.run(() => leave(this.access)))
  }

  private use<T>(work: (request: Request) => Promise<T>): Promise<T> {
    return this.line.run(() => work(this.access[this.begun ? 'transaction' : 'pool'].request()))
  }
}

/** A pool does not close while it is in use. */
async function leave({ transaction, pool }: Access): Promise<void> {
  await transaction.rollback().catch(() => {})
  await pool.close()
}
