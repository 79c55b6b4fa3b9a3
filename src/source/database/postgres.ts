import type { Readable } from 'node:stream'
import type { Client, ClientConfig, QueryResult } from 'pg'
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
import { checkedConnection, databaseError, placeOf, secretsOf } from './failures.js'
import { InLine } from './in-line.js'
import { countersOf, isCounter, type Moment, NAME, settle } from './postgres-moment.js'
import { joining, quote, remoteColumn, remoteConnection } from './postgres-remote.js'
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

/** Texts that are the same whatever the server, the database or the role has set. */
const SETTINGS = `SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1;
  SET bytea_output = 'hex'; SET xmloption = 'content'; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0`

/** Times in a zone. Where its clocks are about to be put back, the next window begins before what they will show. */
const LOCAL = `
  SELECT ($1::timestamptz AT TIME ZONE $3)::text AS bound, ($4::timestamptz AT TIME ZONE $3)::text AS later,
    least($2::timestamptz AT TIME ZONE $3, ($2::timestamptz + interval '24 hours') AT TIME ZONE $3 - interval '24 hours')::text AS next`

/** The code of a lock that could not be had, and milliseconds that one is waited for. */
const LOCKED = '55P03'
const LOCK_PATIENCE = 2000

/** Servers that read a range of blocks without the others. */
const READS_RANGES = 140_000

/** @param sources what will be read: counters are looked at before the snapshot is taken. */
export async function openPostgres(
  given: Connection,
  sources: readonly DatabaseSource[],
): Promise<Reader> {
  const connection = checkedConnection('PostgreSQL', given)
  const pg = (await importPeer('pg')).default
  const { to } = await importPeer('pg-copy-streams')
  const { password, tls } = connection
  const secrets = secretsOf(connection)
  // A token may not live as long as a run: each connection asks for its own.
  const fresh = async () => {
    const secret = typeof password === 'function' ? await password() : (password ?? '')
    secrets.push(secret)
    return secret
  }
  const config: ClientConfig = {
    ...(connection.url === undefined ? {} : { connectionString: connection.url }),
    ...(connection.host === undefined ? {} : { host: connection.host }),
    ...(connection.port === undefined ? {} : { port: connection.port }),
    ...(connection.user === undefined ? {} : { user: connection.user }),
    ...(connection.database === undefined ? {} : { database: connection.database }),
    ...(password === undefined ? {} : { password: fresh }),
    ...(tls
      ? { ssl: tls === true ? true : { ca: tls.ca, rejectUnauthorized: tls.verify ?? true } }
      : {}),
    application_name: NAME,
    connectionTimeoutMillis: 15_000,
    keepAlive: true,
    // Values stay the texts that the server sends.
    types: { getTypeParser: () => (text: string) => text } as never,
  }
  const where = placeOf('PostgreSQL', connection)
  const connect = async () => {
    try {
      const client = new pg.Client(config)
      // A connection that is lost while nobody waits for it is told to who uses it next.
      client.on('error', () => {})
      await client.connect()
      await client.query(SETTINGS)
      return client
    } catch (error) {
      throw databaseError(where, error, secrets)
    }
  }
  const copy = (client: Client, sql: string) => client.query(to(sql)) as unknown as Readable
  const remote = async () => {
    const found = remoteConnection(connection, await fresh())
    return found && { ...found, application_name: NAME, connect_timeout: '15' }
  }
  return PostgresReader.begin({ connect, copy, remote, where, secrets }, sources)
}

interface Access {
  connect(): Promise<Client>
  copy(client: Client, sql: string): Readable
  /** How others connect, where they can. */
  remote(): Promise<Readonly<Record<string, string>> | undefined>
  where: string
  secrets: readonly string[]
}

interface Facts {
  /** Others join the leader's snapshot by this name. */
  snapshot: string
  /** All transactions before this number are in the snapshot or were rolled back. */
  xmin: string
  /** The server's clock once the snapshot was taken; microseconds since 1970. */
  now: number
  version: number
  /** The zone in which times without one are written. */
  zone: string
}

class PostgresReader implements Reader {
  private readonly idle: Client[] = []
  /** The columns of what was asked for already. */
  private readonly described = new Map<string, Promise<RemoteColumn[]>>()
  private readonly line = new InLine()
  /** Somebody waits to change a table until the leader is done, which has looked at all of them and may read them; others wait. */
  private waitedFor = false
  private readonly all: Client[]

  private constructor(
    private readonly access: Access,
    private readonly leader: Client,
    private readonly moment: Moment,
    /** The newest counters before the moment, by relation and column. */
    private readonly counters: ReadonlyMap<string, Mark>,
    private readonly facts: Facts,
  ) {
    this.all = [leader]
  }

  static async begin(access: Access, sources: readonly DatabaseSource[]): Promise<PostgresReader> {
    const leader = await access.connect()
    try {
      const counters = await countersOf(leader, sources)
      const moment = await settle(leader)
      await leader.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
      const { rows } = await leader.query(`
        SELECT pg_export_snapshot() AS snapshot, pg_snapshot_xmin(pg_current_snapshot())::text AS xmin,
          (extract(epoch FROM clock_timestamp()) * 1e6)::bigint AS now,
          current_setting('server_version_num') AS version, (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone') AS zone`)
      const { snapshot, xmin, now, version, zone } = rows[0]
      const facts = { snapshot, xmin, now: Number(now), version: Number(version), zone }
      return new PostgresReader(access, leader, moment, counters, facts)
    } catch (error) {
      await closing(leader.end())
      throw databaseError(access.where, error, access.secrets)
    }
  }

  columns(source: DatabaseSource): Promise<RemoteColumn[]> {
    const key = relationOf(source)
    const found = this.described.get(key) ?? this.describe(source)
    this.described.set(key, found)
    found.catch(() => this.described.delete(key))
    return found
  }

  private async describe(source: DatabaseSource): Promise<RemoteColumn[]> {
    const { fields } = await this.query(`SELECT * FROM ${relationOf(source)} LIMIT 0`, source)
    if (fields.length === 0) return []
    const types = fields.map((f) => `format_type(${f.dataTypeID}, ${f.dataTypeModifier})`)
    const { rows } = await this.query(`SELECT ARRAY[${types.join(', ')}]::text[] AS t`)
    const names =
      String(rows[0].t)
        .slice(1, -1)
        .match(/"(?:[^"\\]|\\.)*"|[^,]+/g) ?? []
    return fields.map((field, i) => ({
      name: field.name,
      type: (names[i] ?? '').replace(/^"|"$/g, ''),
      ...(field.columnID > 0 ? { id: field.columnID } : {}),
    }))
  }

  async horizon(
    source: DatabaseSource,
    cursor: RemoteColumn,
    marks: readonly Mark[],
  ): Promise<Horizon> {
    const { time, notes } = this.moment
    const { xmin, now, zone } = this.facts
    if (cursor.name === 'xmin') return { bound: undefined, next: xmin, notes: [] }
    if (isCounter(cursor))
      return counterHorizon(source, this.counters.get(counterKey(source)), marks, time, notes)
    const grain = grainOf(Number(/\((\d)\)/.exec(cursor.type)?.[1] ?? 6))
    const ends = windowEnds(time, source.lag, grain)
    const after = windowEnds(now, 0, grain).until
    const [bound, next, later] = [ends.until, ends.next, after].map(
      (micros) => `${microsText(micros)}+00`,
    ) as [string, string, string]
    if (cursor.type.startsWith('timestamp') && cursor.type.endsWith('with time zone'))
      return { bound, next, later, notes }
    const { rows } = await this.query(LOCAL, undefined, [bound, next, zone, later])
    const local: { bound: string; next: string; later: string } = rows[0]
    if (cursor.type.startsWith('timestamp')) return { ...local, notes }
    // A day goes on: it is read again until it is over.
    if (cursor.type === 'date') {
      const [bound, later] = [local.bound, local.later].map(dayAfter) as [string, string]
      return { bound, next: local.next.slice(0, 10), later, notes }
    }
    throw new MoraineError(
      'source',
      `The cursor ${cursor.name} is a ${cursor.type}, which does not tell what is new`,
      {
        hint: 'Choose a timestamp, a date or a whole number, or xmin.',
      },
    )
  }

  windowSql(cursor: RemoteColumn, window: Window): string {
    if (cursor.name === 'xmin') {
      const { from, until } = window
      const parts = [
        ...(from === undefined ? [] : [writtenSince(BigInt(from))]),
        ...(until === undefined ? [] : [`NOT (${writtenSince(BigInt(until))})`]),
      ]
      return parts.join(' AND ') || 'true'
    }
    return windowOf(quote(cursor.name), window, (text) => `${literal(text)}::${cursor.type}`)
  }

  nullSql(cursor: RemoteColumn): string {
    return cursor.name === 'xmin' ? 'false' : `${quote(cursor.name)} IS NULL`
  }

  keysSql(columns: readonly RemoteColumn[], keys: readonly (readonly string[])[]): string {
    return amongKeys(columns, keys, quote, (text, { type }) => `${stringOf(text)}::${type}`)
  }

  async census(
    source: DatabaseSource,
    cursor: RemoteColumn,
    from: string | null,
    horizon: Horizon,
  ): Promise<Census> {
    const sql = censusSql(
      this,
      source,
      cursor,
      from,
      horizon,
      quote(cursor.name),
      (v) => `${v}::text`,
    )
    const { rows } = await this.query(sql, source)
    const { n, l, e, b, m } = rows[0]
    return censusOf([n, l, e, b, m])
  }

  async ranges(source: DatabaseSource, bytes: number): Promise<{ ranges: Range[]; epoch: string }> {
    const none = { ranges: [{}], epoch: '' }
    if (!('table' in source.reads) || this.facts.version < READS_RANGES) return none
    const { rows } = await this.query(
      `SELECT relkind, coalesce(pg_relation_filenode(oid)::text, '') AS epoch,
         pg_relation_size(oid) / current_setting('block_size')::int AS blocks, current_setting('block_size') AS size
       FROM pg_class WHERE oid = to_regclass($1)`,
      source,
      [source.reads.table],
    )
    const [{ relkind, epoch, blocks, size } = {} as any] = rows
    if (relkind !== 'r' && relkind !== 'm') return none
    const step = Math.max(1, Math.floor(bytes / Number(size)))
    const starts = Array.from(
      { length: Math.max(1, Math.ceil(Number(blocks) / step)) },
      (_, i) => i * step,
    )
    const ranges = starts.map((start, i) => {
      const end = starts[i + 1]
      const parts = [
        ...(i > 0 ? [`ctid >= '(${start},0)'`] : []),
        ...(end === undefined ? [] : [`ctid < '(${end},0)'`]),
      ]
      return parts.length > 0 ? { condition: parts.join(' AND ') } : {}
    })
    return { ranges, epoch }
  }

  async extract(
    { source, columns, conditions }: Extract,
    path: string,
    signal: AbortSignal,
  ): Promise<Extracted> {
    const all = await this.columns(source)
    const list = columns.map((name) =>
      columnSql(all.find((c) => c.name === name) ?? { name, type: '' }),
    )
    const sql = `COPY (SELECT ${list.join(', ')} FROM ${relationOf(source)}${whereOf(source, conditions)}) TO STDOUT (FORMAT csv)`
    let client: Client | undefined
    try {
      client = this.idle.pop() ?? (await this.join())
      const done = await this.copy(client, sql, path, signal)
      this.idle.push(client)
      return done
    } catch (error) {
      // In the middle of a COPY there is nothing else to do with a connection.
      void client?.end().catch(() => {})
      signal.throwIfAborted()
      throw this.failure(error, source)
    }
  }

  private async copy(
    client: Client,
    sql: string,
    path: string,
    signal: AbortSignal,
  ): Promise<Extracted> {
    const alone = () =>
      this.line.run(() => streamToFile(() => this.access.copy(this.leader, sql), path, signal))
    if (this.waitedFor) return alone()
    try {
      return await streamToFile(() => this.access.copy(client, sql), path, signal)
    } catch (error) {
      if ((error as { code?: string }).code !== LOCKED) throw error
      this.waitedFor = true
      await client.query('ROLLBACK')
      await this.adopt(client)
      return alone()
    }
  }

  async remote(
    {
      source,
      columns,
      conditions,
    }: Omit<Extract, 'columns'> & { columns: readonly RemoteColumn[] },
    values: ReadonlySet<string>,
  ) {
    const connection = await this.access.remote()
    if (!connection) return undefined
    const list = columns.map((column) => remoteColumn(column, values.has(column.name)))
    return {
      session: {
        kind: 'postgres' as const,
        connection,
        begin: joining(this.facts.snapshot, SETTINGS, LOCK_PATIENCE),
      },
      query: `SELECT ${list.join(', ')} FROM ${relationOf(source)}${whereOf(source, conditions)}`,
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((client) => closing(client.end())))
  }

  /** Another session that sees the same rows. */
  private async join(): Promise<Client> {
    const client = await this.access.connect()
    this.all.push(client)
    await client.query(`SET lock_timeout = ${LOCK_PATIENCE}`)
    await this.adopt(client)
    return client
  }

  /** Lets a session see what the leader sees. */
  private async adopt(client: Client): Promise<void> {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    await client.query(`SET TRANSACTION SNAPSHOT ${literal(this.facts.snapshot)}`)
  }

  private async query(
    sql: string,
    source?: DatabaseSource,
    values: unknown[] = [],
  ): Promise<QueryResult> {
    // One after the other: a mistake in one source must not end the transaction that others are read in.
    return this.line.run(async () => {
      try {
        await this.leader.query('SAVEPOINT asked')
        const result = await this.leader.query(sql, values)
        await this.leader.query('RELEASE SAVEPOINT asked')
        return result
      } catch (error) {
        await this.leader.query('ROLLBACK TO SAVEPOINT asked').catch(() => {})
        throw this.failure(error, source)
      }
    })
  }

  private failure(error: unknown, source: DatabaseSource | undefined): MoraineError {
    const { where, secrets } = this.access
    const what = source && 'table' in source.reads ? `${where}, ${source.reads.table}` : where
    const code = (error as { code?: string }).code
    const hint =
      code === '42P01' || code === '3F000'
        ? 'Check the name, with its schema: public.orders'
        : code === '42501'
          ? 'Grant the user SELECT on it.'
          : code === '42703'
            ? 'The source has no such column (any more).'
            : undefined
    return databaseError(what, error, secrets, hint)
  }
}

/** The condition that a row was written by a transaction from a number on; rows carry the number's lower half alone. */
function writtenSince(from: bigint): string {
  const next = 'pg_snapshot_xmax(pg_current_snapshot())::text::numeric'
  const low = 'xmin::text::numeric'
  const half = '4294967296'
  const whole = `(floor(${next} / ${half}) * ${half} + ${low})`
  return `CASE WHEN ${whole} < ${next} THEN ${whole} ELSE ${whole} - ${half} END >= ${from}`
}

/** A column as it is read: money as a number, as its text depends on the server's language. */
function columnSql({ name, type }: RemoteColumn): string {
  const column = quote(name)
  return /^money(\[\])?$/.test(type) ? `${column}::numeric${type.slice(5)} AS ${column}` : column
}

/** A text in SQL, whatever the server thinks of backslashes. */
const stringOf = (text: string) => `E${literal(text.replaceAll('\\', '\\\\'))}`
