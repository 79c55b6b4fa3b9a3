import type { config as Config, ConnectionPool, Request, Transaction } from 'mssql'
import type { Connection, DatabaseSource } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import { importPeer } from '../../peers.js'
import { closing } from './closing.js'
import {
  amongKeys,
  censusOf,
  censusSql,
  literal,
  relationOf,
  whereOf,
  windowOf,
} from './conditions.js'
import { counterHorizon, counterKey } from './counters.js'
import { dayAfter } from './cursor-text.js'
import { encryptedOnly } from './encrypted-only.js'
import { checkedConnection, databaseError, placeOf, secretsOf } from './failures.js'
import { InLine } from './in-line.js'
import { rangesByKey, type Spread, spreadOf } from './key-ranges.js'
import type {
  Census,
  Extract,
  Extracted,
  Horizon,
  Mark,
  Range,
  Reader,
  RemoteColumn,
  Window,
} from './reader.js'
import { settingsOf } from './sqlserver-settings.js'
import {
  COARSE,
  cursorText,
  cursorValue,
  describeSql,
  grainOfType,
  isCounter,
  isVersion,
  keyValue,
  kindOf,
  quote,
  recordsOf,
  textSql,
} from './sqlserver-types.js'
import { microsText, windowEnds } from './times.js'
import { streamToFile } from './to-file.js'

/** Milliseconds that short transactions are waited for. */
const PATIENCE = 1000
/** An hour in microseconds: so far clocks are put back. */
const HOUR = 3600e6

const NOW = "DATEDIFF_BIG(microsecond, '1970-01-01', SYSUTCDATETIME())"

/** When the oldest transaction began that may still write rows, in the server's own time; all of the server, as one may reach over databases. */
const OPEN = `
  SELECT CONVERT(varchar(26), DATEDIFF_BIG(microsecond, '1970-01-01', MIN(transaction_begin_time))) AS oldest
  FROM sys.dm_tran_active_transactions
  WHERE transaction_type IN (1, 4) AND transaction_id <> CURRENT_TRANSACTION_ID()`

interface Moment {
  /** Nobody who was at work when the snapshot was taken had begun before it; microseconds since 1970. */
  time: number
  /** The server's clock once the snapshot was taken. */
  now: number
  /** Microseconds that the server's own clock is ahead of UTC. */
  ahead: number
  /** All rows with earlier versions have been committed; the newest version there was. */
  version: bigint
  newest: bigint
  /** Whether rows come while others are read. */
  moving: boolean
  notes: string[]
}

/** @param sources what will be read: counters are looked at before the snapshot is taken. */
export async function openSqlServer(
  given: Connection,
  sources: readonly DatabaseSource[],
): Promise<Reader> {
  const sql = (await importPeer('mssql')).default
  const { connection, encrypt } = settingsOf(checkedConnection('SQL Server', given), (text) =>
    sql.ConnectionPool.parseConnectionString(text),
  )
  const { password } = connection
  const secret = typeof password === 'function' ? await password() : password
  const secrets = [...secretsOf(given), ...(secret ? [secret] : [])]
  const where = placeOf('SQL Server', connection)
  const config: Config & { arrayRowMode: boolean; validateConnection: boolean } = {
    server: connection.host ?? '',
    ...(connection.port === undefined ? {} : { port: connection.port }),
    ...(connection.user === undefined ? {} : { user: connection.user }),
    ...(secret === undefined ? {} : { password: secret }),
    ...(connection.database === undefined ? {} : { database: connection.database }),
    connectionTimeout: 15_000,
    requestTimeout: 0,
    pool: { max: 1, min: 0, idleTimeoutMillis: 1e9 },
    arrayRowMode: true,
    validateConnection: false,
    options: {
      appName: 'moraine reads',
      encrypt: encrypt.ask,
      trustServerCertificate: !encrypt.verify,
      ...(encrypt.ca ? { cryptoCredentialsDetails: { ca: encrypt.ca } } : {}),
      ...(encrypt.must && encrypt.ask === true ? { connector: encryptedOnly } : {}),
    } as NonNullable<Config['options']>,
  }
  const pool = new sql.ConnectionPool(config)
  // A connection that is lost while nobody waits for it is told to who uses it next.
  pool.on('error', () => {})
  const transaction = new sql.Transaction(pool)
  try {
    await pool.connect()
    const asks = new Asks(() => pool.request())
    const counters = await countersOf(asks, sources)
    const [[state]] = (await asks.rows(
      'SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()',
    )) as [[unknown]]
    const moment = await settle(asks, Number(state) === 1)
    await transaction.begin(
      Number(state) === 1 ? sql.ISOLATION_LEVEL.SNAPSHOT : sql.ISOLATION_LEVEL.READ_COMMITTED,
    )
    const begun = new Asks(() => transaction.request())
    const [[now] = []] = await begun.rows(`SELECT CONVERT(varchar(30), ${NOW})`)
    const seen = { ...moment, now: Number(now) }
    return new SqlServerReader(pool, transaction, seen, counters, where, secrets)
  } catch (error) {
    await closing(leave(transaction, pool))
    throw failed(where, error, secrets)
  }
}

/** A pool does not close while it is in use. */
async function leave(transaction: Transaction, pool: ConnectionPool): Promise<void> {
  await transaction.rollback().catch(() => {})
  await pool.close()
}

/** A connection, which does one thing after the other. */
class Asks {
  private readonly line = new InLine()

  constructor(private readonly request: () => Request) {}

  /** The rows of a statement. */
  rows(statement: string): Promise<unknown[][]> {
    return this.use(async (request) => {
      const { recordset } = await request.batch(statement)
      return (recordset ?? []) as unknown as unknown[][]
    })
  }

  use<T>(work: (request: Request) => Promise<T>): Promise<T> {
    return this.line.run(() => work(this.request()))
  }
}

class SqlServerReader implements Reader {
  readonly moving: boolean
  private readonly asks: Asks

  constructor(
    private readonly pool: ConnectionPool,
    private readonly transaction: Transaction,
    private readonly moment: Moment,
    private readonly counters: ReadonlyMap<string, Mark>,
    private readonly where: string,
    private readonly secrets: readonly string[],
  ) {
    this.moving = moment.moving
    this.asks = new Asks(() => transaction.request())
  }

  async columns(source: DatabaseSource): Promise<RemoteColumn[]> {
    const found = await this.ask(describeSql(`SELECT * FROM ${relationOf(source)}`), source)
    const [, , number, message] = found[0] ?? []
    if (message != null)
      throw this.failure(Object.assign(new Error(String(message)), { number }), source)
    const ids = new Map(
      'table' in source.reads
        ? (
            await this.ask(
              `SELECT name, column_id FROM sys.columns WHERE object_id = OBJECT_ID(N${literal(source.reads.table)})`,
              source,
            )
          ).map(([name, id]) => [String(name), Number(id)])
        : [],
    )
    return found.map(([name, type]) => {
      const id = ids.get(String(name))
      return { name: String(name), type: String(type), ...(id === undefined ? {} : { id }) }
    })
  }

  async horizon(
    source: DatabaseSource,
    cursor: RemoteColumn,
    marks: readonly Mark[],
  ): Promise<Horizon> {
    const { time, now, ahead, version, newest, notes } = this.moment
    const { type } = cursor
    if (isVersion(cursor)) {
      const next = String(version)
      const open = `rows from version ${version} on are read again next time: a transaction is open`
      return { bound: undefined, next, notes: version <= newest ? [open] : [] }
    }
    if (isCounter(cursor))
      return counterHorizon(source, this.counters.get(counterKey(source)), marks, time, notes)
    const kind = kindOf(type)
    const grain = grainOfType(kind, type)
    const ends = windowEnds(time, source.lag, grain)
    const after = windowEnds(now, 0, grain).until
    if (kind === 'datetimeoffset') {
      const [bound, next, later] = [ends.until, ends.next, after].map(microsText)
      return { bound, next, later: later as string, notes }
    }
    // Nobody says whether such columns are in UTC or in the server's zone: rows from the earlier of both on are read again each time.
    const bound = microsText(ends.until + Math.min(0, ahead))
    const next = microsText(ends.next + (ahead === 0 ? 0 : Math.min(0, ahead) - HOUR))
    const later = microsText(after + Math.max(0, ahead))
    if (kind.startsWith('datetime') || kind === 'smalldatetime')
      return { bound, next, later, notes }
    if (kind === 'date')
      return { bound: dayAfter(bound), next: next.slice(0, 10), later: dayAfter(later), notes }
    throw new MoraineError(
      'source',
      `The cursor ${cursor.name} is a ${type}, which does not tell what is new`,
      { hint: 'Choose a rowversion, a datetime, a date or a whole number.' },
    )
  }

  windowSql(cursor: RemoteColumn, window: Window): string {
    return windowOf(quote(cursor.name), window, (text) => cursorValue(cursor, text))
  }

  nullSql(cursor: RemoteColumn): string {
    return `${quote(cursor.name)} IS NULL`
  }

  keysSql(columns: readonly RemoteColumn[], keys: readonly (readonly string[])[]): string {
    return amongKeys(columns, keys, quote, keyValue)
  }

  async census(
    source: DatabaseSource,
    cursor: RemoteColumn,
    from: string | null,
    horizon: Horizon,
  ): Promise<Census> {
    const text = (name: string) => cursorText(cursor, name)
    const sql = censusSql(this, source, cursor, from, horizon, quote(cursor.name), text)
    return censusOf((await this.ask(sql, source))[0] ?? [])
  }

  async ranges(
    source: DatabaseSource,
    bytes: number,
    epoch?: string,
  ): Promise<{ ranges: Range[]; epoch: string }> {
    return rangesByKey(source, epoch, quote, (table) => this.spread(source, table, bytes))
  }

  /** How the first column of a table's primary key is spread. */
  private async spread(
    source: DatabaseSource,
    table: string,
    bytes: number,
  ): Promise<Spread | undefined> {
    const object = `OBJECT_ID(N${literal(table)})`
    const [[name] = []] = await this.ask(
      `SELECT c.name FROM sys.indexes i
         JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id AND k.key_ordinal = 1
         JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
       WHERE i.is_primary_key = 1 AND i.object_id = ${object}`,
      source,
    )
    const column = (await this.columns(source)).find((c) => c.name === name)
    if (!column || !isCounter(column)) return undefined
    const key = quote(column.name)
    const texts = ['MIN', 'MAX'].map((of) => `CONVERT(varchar(30), ${of}(${key}))`)
    const [ends = []] = await this.ask(`SELECT ${texts.join(', ')} FROM ${table}`, source)
    const [[pages] = []] = await this.ask(
      `SELECT SUM(a.used_pages) FROM sys.partitions p JOIN sys.allocation_units a ON a.container_id = p.partition_id
       WHERE p.object_id = ${object} AND p.index_id < 2`,
      source,
    )
    return spreadOf(column.name, ends as string[], Number(pages ?? 0) * 8192, bytes)
  }

  async extract(
    { source, columns, conditions }: Extract,
    path: string,
    signal: AbortSignal,
  ): Promise<Extracted> {
    const all = await this.columns(source)
    const chosen = columns.map((name) => all.find((c) => c.name === name) ?? { name, type: '' })
    const types = chosen.map(({ type }) => type)
    const list = chosen.map((column) => `${textSql(column)} AS ${quote(column.name)}`).join(', ')
    const sql = `SELECT ${list} FROM ${relationOf(source)}${whereOf(source, conditions)}`
    return this.asks.use(async (request) => {
      let ended: Promise<unknown> | undefined
      const text = () => {
        const records = recordsOf(request, sql, types)
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
        signal.throwIfAborted()
        throw this.failure(error, source)
      }
    })
  }

  async close(): Promise<void> {
    await closing(this.asks.use(() => leave(this.transaction, this.pool)))
  }

  private async ask(sql: string, source: DatabaseSource): Promise<unknown[][]> {
    try {
      return await this.asks.rows(sql)
    } catch (error) {
      throw this.failure(error, source)
    }
  }

  private failure(error: unknown, source: DatabaseSource): MoraineError {
    const what = 'table' in source.reads ? `${this.where}, ${source.reads.table}` : this.where
    return failed(what, error, this.secrets)
  }
}

/** What an error's number means to who reads. */
const hints: Readonly<Record<number, string>> = {
  207: 'The source has no such column (any more).',
  208: 'Check the name, with its schema: dbo.orders',
  229: 'Grant the user SELECT on it.',
  3961: 'The table was changed while it was read. Run again: what was taken in stays.',
  4060: 'Check the name at the end of its URL.',
}

function failed(where: string, error: unknown, secrets: readonly string[]): MoraineError {
  if (error instanceof MoraineError) return error
  const hint = hints[(error as { number?: number }).number ?? 0]
  return databaseError(where, innermost(error), secrets, hint)
}

/** The error that the others are about, where it has a code. */
function innermost(error: unknown): unknown {
  const { originalError, cause, errors } = error as {
    originalError?: unknown
    cause?: unknown
    errors?: unknown[]
  }
  const inner = originalError ?? cause ?? errors?.[0]
  if (!(inner instanceof Error)) return error
  const found = innermost(inner)
  return (found as { code?: string }).code ? found : error
}

/** The newest values of cursors that count. They are looked at before the open transactions are. */
async function countersOf(
  asks: Asks,
  sources: readonly DatabaseSource[],
): Promise<Map<string, Mark>> {
  const found = new Map<string, Mark>()
  for (const source of sources) {
    if (source.cursor === undefined) continue
    const name = quote(source.cursor)
    try {
      const described = describeSql(`SELECT ${name} FROM ${relationOf(source)}`)
      const [[, type] = []] = await asks.rows(described)
      if (!isCounter({ type: String(type) })) continue
      const [[newest, at] = []] = await asks.rows(
        `SELECT CONVERT(varchar(30), MAX(${name})), CONVERT(varchar(30), ${NOW}) FROM ${relationOf(source)}`,
      )
      if (newest != null) found.set(counterKey(source), [Number(at), String(newest)])
    } catch {
      // What is wrong with a source is told when it is read.
    }
  }
  return found
}

const BLIND =
  "the open transactions of others can't be seen: rows that they commit late may be missed, unless lag covers them (GRANT VIEW SERVER STATE)"
const MOVING =
  'the database has no snapshot isolation: its tables are read one after the other (ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON)'

/** Looks which transactions are open, and waits a moment for those that are soon done. */
async function settle(asks: Asks, snapshot: boolean): Promise<Omit<Moment, 'now'>> {
  const start = Date.now()
  const moving = snapshot ? [] : [MOVING]
  const [clock] = (await asks.rows(
    `SELECT CONVERT(varchar(30), ${NOW}), DATEPART(tzoffset, SYSDATETIMEOFFSET())`,
  )) as [unknown[]]
  const [first, ahead] = [Number(clock[0]), Number(clock[1]) * 60e6]
  for (;;) {
    const oldest = await asks.rows(OPEN).then(
      ([[at] = [] as unknown[]]) => (at == null ? undefined : Number(at) - ahead - COARSE),
      () => null,
    )
    const [versions] = (await asks.rows(
      'SELECT CONVERT(varchar(30), CONVERT(bigint, MIN_ACTIVE_ROWVERSION())), CONVERT(varchar(30), CONVERT(bigint, @@DBTS))',
    )) as [string[]]
    const [version, newest] = versions.map(BigInt) as [bigint, bigint]
    const moment = { time: first, ahead, version, newest, moving: !snapshot }
    if (oldest === null) return { ...moment, notes: [...moving, BLIND] }
    if (oldest === undefined || oldest > first) return { ...moment, notes: moving }
    if (Date.now() - start > PATIENCE) {
      const since = new Date(oldest / 1000).toISOString()
      const notes = [
        `rows from ${since} on are read again next time: a transaction has been open since then`,
      ]
      return { ...moment, time: oldest, notes: [...moving, ...notes] }
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
