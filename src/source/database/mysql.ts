import { Readable } from 'node:stream'
import type { Connection as Client, ConnectionOptions, FieldPacket } from 'mysql2'
import type { Connection, DatabaseSource } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import { importPeer } from '../../peers.js'
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
import { checkedConnection, databaseError, placeOf, secretsOf } from './failures.js'
import { InLine } from './in-line.js'
import { rangesByKey, type Spread, spreadOf } from './key-ranges.js'
import {
  digitsOf,
  type Field,
  fieldsOf,
  isCounter,
  keyValue,
  kindOf,
  quote,
  recordSql,
  typeOf,
} from './mysql-types.js'
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
import { grainOf, microsText, windowEnds } from './times.js'
import { streamToFile } from './to-file.js'

/** The character sets of a table's texts. */
const CHARSETS = `SELECT column_name, character_set_name FROM information_schema.columns
  WHERE table_schema = coalesce(?, database()) AND table_name = ? AND character_set_name IS NOT NULL`

/** Milliseconds that short transactions are waited for. */
const PATIENCE = 1000
/** Milliseconds after which InnoDB looks again which transactions are open. */
const FRESH = 120
/** Bytes that are collected before they are handed on. */
const CHUNK = 1 << 18

/** Microseconds since 1970 before which nobody began who was at work when the snapshot was taken. */
interface Moment {
  time: number
  /** The server's clock once the snapshot was taken. */
  now: number
  /** Microseconds that the server's own clock is ahead of UTC, now and in a day. */
  ahead: number
  tomorrow: number
  notes: string[]
}

/** @param sources what will be read: counters are looked at before the snapshot is taken. */
export async function openMysql(
  given: Connection,
  sources: readonly DatabaseSource[],
): Promise<Reader> {
  const connection = checkedConnection('MySQL', given)
  const mysql = (await importPeer('mysql2')).default
  const { password, tls } = connection
  const secret = typeof password === 'function' ? await password() : password
  const options: ConnectionOptions = {
    ...(connection.url === undefined ? {} : { uri: connection.url }),
    ...(connection.host === undefined ? {} : { host: connection.host }),
    ...(connection.port === undefined ? {} : { port: connection.port }),
    ...(connection.user === undefined ? {} : { user: connection.user }),
    ...(connection.database === undefined ? {} : { database: connection.database }),
    ...(secret === undefined ? {} : { password: secret }),
    ...(tls
      ? {
          ssl:
            tls === true
              ? { rejectUnauthorized: true }
              : { ...(tls.ca ? { ca: tls.ca } : {}), rejectUnauthorized: tls.verify ?? true },
        }
      : {}),
    charset: 'utf8mb4',
    connectTimeout: 15_000,
    rowsAsArray: true,
    // Values stay the texts that the server sends.
    typeCast: false,
  }
  const secrets = [...secretsOf(connection), ...(secret ? [secret] : [])]
  const where = placeOf('MySQL', connection)
  const client = mysql.createConnection(options)
  // A connection that is lost while nobody waits for it is told to who uses it next.
  client.on('error', () => {})
  try {
    await new Promise<void>((resolve, reject) =>
      client.connect((error) => (error ? reject(error) : resolve())),
    )
    const found = await countersOf(client, sources)
    const moment = await settle(client)
    await ask(client, "SET SESSION time_zone = '+00:00'")
    await ask(client, 'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ')
    await ask(client, 'START TRANSACTION WITH CONSISTENT SNAPSHOT')
    const now = await clockOf(client)
    return new MysqlReader(client, { ...moment, now }, found, where, secrets)
  } catch (error) {
    client.destroy()
    throw databaseError(where, error, secrets)
  }
}

interface Answer {
  rows: (string | null)[][]
  fields: FieldPacket[]
}

/** The rows of a statement, their values as texts. */
function ask(client: Client, sql: string, values: readonly unknown[] = []): Promise<Answer> {
  return new Promise((resolve, reject) =>
    client.query(sql, [...values], (error, rows, fields) => {
      if (error) return reject(error)
      const texts = Array.isArray(rows)
        ? (rows as unknown as (Buffer | null)[][]).map((row) =>
            row.map((value) => (value === null ? null : value.toString('utf8'))),
          )
        : []
      resolve({ rows: texts, fields: (fields ?? []) as FieldPacket[] })
    }),
  )
}

class MysqlReader implements Reader {
  /** A connection does one thing after the other. */
  private readonly line = new InLine()

  constructor(
    private readonly client: Client,
    private readonly moment: Moment,
    private readonly counters: ReadonlyMap<string, Mark>,
    private readonly where: string,
    private readonly secrets: readonly string[],
  ) {}

  async columns(source: DatabaseSource): Promise<RemoteColumn[]> {
    const { fields } = await this.ask(`SELECT * FROM ${relationOf(source)} LIMIT 0`, source)
    return fields.map((field) => ({ name: field.name, type: typeOf(field) }))
  }

  private async fields(source: DatabaseSource): Promise<Field[]> {
    const { fields } = await this.ask(`SELECT * FROM ${relationOf(source)} LIMIT 0`, source)
    const { rows } =
      'table' in source.reads
        ? await this.ask(CHARSETS, source, namesOf(source.reads.table))
        : { rows: [] }
    const charsets = new Map(rows.map(([name, charset]) => [name ?? '', charset ?? '']))
    return fieldsOf(fields, charsets)
  }

  async horizon(
    source: DatabaseSource,
    cursor: RemoteColumn,
    marks: readonly Mark[],
  ): Promise<Horizon> {
    const { time, now, ahead, tomorrow, notes } = this.moment
    if (isCounter(cursor.type))
      return counterHorizon(source, this.counters.get(counterKey(source)), marks, time, notes)
    const kind = kindOf(cursor.type)
    const grain = grainOf(digitsOf(cursor.type))
    const ends = windowEnds(time, source.lag, grain)
    const after = windowEnds(now, 0, grain).until
    if (kind === 'timestamp') {
      const [bound, next, later] = [ends.until, ends.next, after].map(microsText)
      return { bound, next, later: later as string, notes }
    }
    // Where clocks are about to be put back, the next window begins before what they will show.
    const bound = microsText(ends.until + ahead)
    const next = microsText(ends.next + Math.min(ahead, tomorrow))
    const later = microsText(after + ahead)
    if (kind === 'datetime') return { bound, next, later, notes }
    // A day goes on: it is read again until it is over.
    if (kind === 'date')
      return { bound: dayAfter(bound), next: next.slice(0, 10), later: dayAfter(later), notes }
    throw new MoraineError(
      'source',
      `The cursor ${cursor.name} is a ${cursor.type}, which does not tell what is new`,
      { hint: 'Choose a timestamp, a datetime, a date or a whole number.' },
    )
  }

  windowSql(cursor: RemoteColumn, window: Window): string {
    return windowOf(quote(cursor.name), window, literal)
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
    const sql = censusSql(this, source, cursor, from, horizon, quote(cursor.name), (v) => v)
    return censusOf((await this.ask(sql, source)).rows[0] ?? [])
  }

  async ranges(
    source: DatabaseSource,
    bytes: number,
    epoch?: string,
  ): Promise<{ ranges: Range[]; epoch: string }> {
    return rangesByKey(source, epoch, quote, (table) => this.spread(source, table, bytes))
  }

  /** How the column that orders a table's rows on disk is spread. */
  private async spread(
    source: DatabaseSource,
    table: string,
    bytes: number,
  ): Promise<Spread | undefined> {
    const keys = await this.ask(`SHOW KEYS FROM ${table} WHERE Key_name = 'PRIMARY'`, source).catch(
      () => undefined,
    )
    const name = keys?.rows[0]?.[4]
    const column = (await this.columns(source)).find((c) => c.name === name)
    if (!column || !isCounter(column.type)) return undefined
    const key = quote(column.name)
    const { rows } = await this.ask(`SELECT min(${key}), max(${key}) FROM ${table}`, source)
    const size = await this.ask(
      'SELECT data_length FROM information_schema.tables WHERE table_schema = coalesce(?, database()) AND table_name = ?',
      undefined,
      namesOf(table),
    )
    return spreadOf(column.name, rows[0] ?? [], Number(size.rows[0]?.[0] ?? 0), bytes)
  }

  async extract(
    { source, columns, conditions }: Extract,
    path: string,
    signal: AbortSignal,
  ): Promise<Extracted> {
    const all = await this.fields(source)
    const chosen = columns.map(
      (name) =>
        all.find((c) => c.name === name) ?? { name, type: '', required: false, plain: false },
    )
    const sql = `SELECT ${recordSql(chosen)} FROM ${relationOf(source)}${whereOf(source, conditions)}`
    return this.line.run(async () => {
      try {
        return await streamToFile(() => recordsOf(this.client, sql), path, signal)
      } catch (error) {
        this.client.destroy()
        signal.throwIfAborted()
        throw this.failure(error, source)
      }
    })
  }

  async close(): Promise<void> {
    this.client.destroy()
  }

  private ask(
    sql: string,
    source?: DatabaseSource,
    values: readonly unknown[] = [],
  ): Promise<Answer> {
    return this.line.run(async () => {
      try {
        return await ask(this.client, sql, values)
      } catch (error) {
        throw this.failure(error, source)
      }
    })
  }

  private failure(error: unknown, source: DatabaseSource | undefined): MoraineError {
    const { where, secrets } = this
    const what = source && 'table' in source.reads ? `${where}, ${source.reads.table}` : where
    const code = (error as { code?: string }).code
    const hint =
      code === 'ER_NO_SUCH_TABLE'
        ? 'Check the name, with its database: shop.orders'
        : code === 'ER_TABLEACCESS_DENIED_ERROR'
          ? 'Grant the user SELECT on it.'
          : code === 'ER_BAD_FIELD_ERROR'
            ? 'The source has no such column (any more).'
            : undefined
    return databaseError(what, error, secrets, hint)
  }
}

/** The records of a query, each with its line end, in larger pieces; the server waits while nobody reads. */
function recordsOf(client: Client, sql: string): Readable {
  const end = Buffer.from('\n')
  let parts: Buffer[] = []
  let size = 0
  const text = new Readable({ read: () => client.resume(), highWaterMark: 4 * CHUNK })
  const flush = () => {
    const more = size === 0 || text.push(Buffer.concat(parts, size))
    parts = []
    size = 0
    return more
  }
  const fail = (error?: Error) => {
    settled()
    text.destroy(error ?? new Error('connection lost'))
  }
  // The driver does not tell a query that its connection is gone.
  const settled = () => client.off('error', fail).off('end', fail)
  client.once('error', fail).once('end', fail)
  const query = client.query({ sql, rowsAsArray: true, typeCast: false })
  query.on('result', (row: unknown) => {
    const [record] = row as [Buffer | null]
    if (!record) return fail(tooLarge())
    parts.push(record, end)
    size += record.length + 1
    if (size >= CHUNK && !flush()) client.pause()
  })
  query.on('error', fail)
  query.on('end', () => {
    settled()
    flush()
    text.push(null)
  })
  return text
}

function tooLarge(): MoraineError {
  return new MoraineError('source', 'A row is larger than the server lets it be as one text', {
    hint: "Raise the server's max_allowed_packet, or leave its largest columns out with columns: […].",
  })
}

/** The database, if one is named, and the name of a table. */
function namesOf(table: string): [string | null, string] {
  const [, database, name] = /^(?:`?([^`.]+)`?\.)?`?([^`.]+)`?$/.exec(table) ?? []
  return [database ?? null, name ?? table]
}

/** The newest values of cursors that count. They are looked at before the open transactions are. */
async function countersOf(
  client: Client,
  sources: readonly DatabaseSource[],
): Promise<Map<string, Mark>> {
  const found = new Map<string, Mark>()
  for (const source of sources) {
    if (source.cursor === undefined) continue
    const name = quote(source.cursor)
    try {
      const { fields } = await ask(client, `SELECT ${name} FROM ${relationOf(source)} LIMIT 0`)
      if (!fields[0] || !isCounter(typeOf(fields[0]))) continue
      const { rows } = await ask(
        client,
        `SELECT max(${name}), CAST(UNIX_TIMESTAMP(sysdate(6)) * 1e6 AS SIGNED) FROM ${relationOf(source)}`,
      )
      const [newest, at] = rows[0] ?? []
      if (newest != null) found.set(counterKey(source), [Number(at), newest])
    } catch {
      // What is wrong with a source is told when it is read.
    }
  }
  return found
}

const BLIND =
  "the open transactions of others can't be seen: rows that they commit late may be missed, unless lag covers them (GRANT PROCESS)"

/** SQL for the microseconds that the clocks of the session's zone are ahead of UTC in so many seconds. */
function aheadSql(seconds: number): string {
  const time = `unix_timestamp() + ${seconds}`
  return `TIMESTAMPDIFF(MICROSECOND, DATE_ADD('1970-01-01', INTERVAL ${time} SECOND), FROM_UNIXTIME(${time}))`
}

/** Microseconds since 1970 by the server's clock. */
async function clockOf(client: Client): Promise<number> {
  const sql = 'SELECT CAST(UNIX_TIMESTAMP(sysdate(6)) * 1e6 AS SIGNED)'
  return Number((await ask(client, sql)).rows[0]?.[0])
}

/** Looks which transactions are open, and waits a moment for those that are soon done. */
async function settle(client: Client): Promise<Omit<Moment, 'now'>> {
  const start = Date.now()
  // InnoDB says in the zone of the machine when a transaction began, to the second.
  await ask(client, "SET SESSION time_zone = 'SYSTEM'")
  const first = await clockOf(client)
  await ask(client, 'SET SESSION time_zone = @@global.time_zone')
  const { rows: zone } = await ask(client, `SELECT ${[0, 86_400].map(aheadSql).join(', ')}`)
  await ask(client, "SET SESSION time_zone = 'SYSTEM'")
  const [ahead, tomorrow] = [0, 1].map((i) => Number(zone[0]?.[i] ?? 0)) as [number, number]
  for (;;) {
    // InnoDB answers from memory for a tenth of a second after somebody asked.
    await new Promise((resolve) => setTimeout(resolve, FRESH))
    let oldest: number | undefined
    try {
      const { rows } = await ask(
        client,
        'SELECT CAST(UNIX_TIMESTAMP(min(trx_started)) * 1e6 AS SIGNED) FROM information_schema.innodb_trx WHERE trx_mysql_thread_id <> connection_id()',
      )
      oldest = rows[0]?.[0] == null ? undefined : Number(rows[0][0])
    } catch {
      return { time: first, ahead, tomorrow, notes: [BLIND] }
    }
    if (oldest === undefined || oldest > first) return { time: first, ahead, tomorrow, notes: [] }
    if (Date.now() - start > PATIENCE) {
      const since = new Date(oldest / 1000).toISOString()
      const notes = [
        `rows from ${since} on are read again next time: a transaction has been open since then`,
      ]
      return { time: oldest, ahead, tomorrow, notes }
    }
  }
}
