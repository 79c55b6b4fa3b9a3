import type { Readable } from 'node:stream'
import type { Client, ClientConfig, QueryArrayResult } from 'pg'
import type { OpenConnection } from '../../../define/source.js'
import { importPeer } from '../../../peers.js'
import { closing } from '../closing.js'
import { literal, relationOf, whereOf } from '../conditions.js'
import type { Ends, OpenTransactions, Rows, Snapshot, SourceSession } from '../dialect.js'
import { given, placeOf, secretsOf } from '../failures.js'
import { Mutex } from '../mutex.js'
import type { Extract, Extracted, Horizon, RemoteColumn } from '../reader.js'
import { microsText } from '../times.js'
import { streamToFile } from '../to-file.js'
import { joining, remoteColumn, remoteConnection } from './remote.js'

/** How our sessions are called, so that they do not wait for each other. */
const NAME = 'moraine reads'

/** SQL for the server's clock: microseconds since 1970. */
export const CLOCK = '(extract(epoch FROM clock_timestamp()) * 1e6)::bigint'

/** Texts that are the same whatever the server, the database or the role has set. */
const SETTINGS = `SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1;
  SET bytea_output = 'hex'; SET xmloption = 'content'; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0`

const BEGIN = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'

/**
 * Sessions of a transaction that may still write rows: all that are open, as any of them may. Of
 * those of others, a user without the right to see them is not even told what kind they are. Those
 * of a server that this one replicates are not among them.
 */
const OPEN = `
  SELECT ${CLOCK} AS now,
    (extract(epoch FROM least(min(xact_start), (SELECT min(prepared) FROM pg_prepared_xacts WHERE database = current_database()))) * 1e6)::bigint AS oldest,
    count(*) FILTER (WHERE query = '<insufficient privilege>') AS hidden,
    pg_is_in_recovery() OR EXISTS (SELECT FROM pg_subscription_rel) AS replicated
  FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> '${NAME}'
    AND usesysid IS NOT NULL AND coalesce(backend_type, '') NOT IN ('walsender', 'parallel worker')`

/**
 * The snapshot's name, the transaction before which all others are in it or were rolled back, and
 * the zone of times without one.
 */
const SNAPSHOT = `
  SELECT pg_export_snapshot(), pg_snapshot_xmin(pg_current_snapshot())::text, ${CLOCK},
    (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone')`

/**
 * Times in a zone. Where its clocks are about to be put back, the next window begins before what
 * they will show.
 */
const LOCAL = `
  SELECT ($1::timestamptz AT TIME ZONE $3)::text AS bound, ($4::timestamptz AT TIME ZONE $3)::text AS later,
    least($2::timestamptz AT TIME ZONE $3, ($2::timestamptz + interval '24 hours') AT TIME ZONE $3 - interval '24 hours')::text AS next`

/** The code of a lock that could not be had, and milliseconds that one is waited for. */
const LOCKED = '55P03'
const LOCK_PATIENCE = 2000

/** What the client libraries give. */
interface Access {
  client(): Promise<Client>
  copy(client: Client, sql: string): Readable
  /** How others connect, where they can. */
  remote(): Promise<Readonly<Record<string, string>> | undefined>
  place: string
  secrets: readonly string[]
}

export async function prepare(connection: OpenConnection): Promise<SourceSession> {
  const pg = (await importPeer('pg')).default
  const { to } = await importPeer('pg-copy-streams')
  const { url, host, port, user, database, password, tls } = connection
  const secrets = secretsOf(connection)
  // A token may not live as long as a run: each connection asks for its own.
  const fresh = async () => {
    const secret = typeof password === 'function' ? await password() : (password ?? '')
    secrets.push(secret)
    return secret
  }
  const ssl = tls && (tls === true || { ca: tls.ca, rejectUnauthorized: tls.verify ?? true })
  const config = {
    ...given({ connectionString: url, host, port, user, database }),
    ...(password === undefined ? {} : { password: fresh }),
    ...(ssl ? { ssl } : {}),
    application_name: NAME,
    connectionTimeoutMillis: 15_000,
    keepAlive: true,
    // Values stay the texts that the server sends.
    types: { getTypeParser: () => (text: string) => text } as never,
  } as ClientConfig
  return new PostgresSession({
    client: async () => {
      const client = new pg.Client(config)
      // A connection that is lost while nobody waits for it is told to who uses it next.
      client.on('error', () => {})
      await client.connect()
      await client.query(SETTINGS)
      return client
    },
    copy: (client, sql) => client.query(to(sql)) as unknown as Readable,
    remote: async () => {
      const found = remoteConnection(connection, await fresh())
      return found && { ...found, application_name: NAME, connect_timeout: '15' }
    },
    place: placeOf('PostgreSQL', connection),
    secrets,
  })
}

/** A leader that has the snapshot, and others that join it to read several ranges at once. */
class PostgresSession implements SourceSession {
  readonly place: string
  readonly secrets: readonly string[]
  private readonly all: Client[] = []
  private readonly idle: Client[] = []
  private readonly line = new Mutex()
  private snapshot: { name: string; xmin: string; zone: string } | undefined
  /**
   * Somebody waits to change a table until the leader is done, which has looked at all of them and
   * may read them; others wait.
   */
  private waitedFor = false

  constructor(private readonly access: Access) {
    this.place = access.place
    this.secrets = access.secrets
  }

  async connect(): Promise<void> {
    this.all.push(await this.access.client())
  }

  readonly ask = async (sql: string, values: readonly unknown[] = []): Promise<Rows> =>
    (await this.query(sql, values)).rows

  async describe(query: string): Promise<RemoteColumn[]> {
    const { fields } = await this.query(`${query} LIMIT 0`)
    if (fields.length === 0) return []
    const types = fields.map((f) => `format_type(${f.dataTypeID}, ${f.dataTypeModifier})`)
    const [[list] = []] = await this.ask(`SELECT ARRAY[${types.join(', ')}]::text[]`)
    const names =
      String(list)
        .slice(1, -1)
        .match(/"(?:[^"\\]|\\.)*"|[^,]+/g) ?? []
    return fields.map((field, i) => ({
      name: field.name,
      type: (names[i] ?? '').replace(/^"|"$/g, ''),
      ...(field.columnID > 0 ? { id: field.columnID } : {}),
    }))
  }

  async openTransactions(): Promise<OpenTransactions> {
    const [[now, oldest, hidden, replicated] = []] = await this.ask(OPEN)
    return {
      now: Number(now),
      oldest: oldest == null ? undefined : Number(oldest),
      hidden: Number(hidden) > 0,
      replicated: replicated === 't',
    }
  }

  async begin(): Promise<Snapshot> {
    await this.leader.query(BEGIN)
    const { rows } = await this.leader.query({ text: SNAPSHOT, rowMode: 'array' })
    const [name, xmin, now, zone] = rows[0] as [string, string, string, string]
    this.snapshot = { name, xmin, zone }
    return { now: Number(now) }
  }

  horizon({ name }: RemoteColumn): Horizon | undefined {
    if (name !== 'xmin') return undefined
    return { bound: undefined, next: this.snapshot?.xmin, notes: [] }
  }

  async onClock({ bound, next, later }: Ends<number>): Promise<Ends<string>> {
    const [b, n, l] = [bound, next, later].map((micros) => `${microsText(micros)}+00`)
    const [row = []] = await this.ask(LOCAL, [b, n, this.snapshot?.zone, l])
    return { bound: row[0] ?? '', later: row[1] ?? '', next: row[2] ?? '' }
  }

  async extract(
    query: string,
    _columns: readonly RemoteColumn[],
    path: string,
    signal: AbortSignal,
  ): Promise<Extracted> {
    let client: Client | undefined
    try {
      client = this.idle.pop() ?? (await this.join())
      const done = await this.copy(client, query, path, signal)
      this.idle.push(client)
      return done
    } catch (error) {
      // In the middle of a COPY there is nothing else to do with a connection.
      void client?.end().catch(() => {})
      throw error
    }
  }

  private async copy(
    client: Client,
    query: string,
    path: string,
    signal: AbortSignal,
  ): Promise<Extracted> {
    const by = (reads: Client) => {
      const sql = `COPY (${query}) TO STDOUT (FORMAT csv)`
      return streamToFile(() => this.access.copy(reads, sql), path, signal)
    }
    const alone = () => this.line.run(() => by(this.leader))
    if (this.waitedFor) return alone()
    try {
      return await by(client)
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
    if (!connection || !this.snapshot) return undefined
    const list = columns.map((column) => remoteColumn(column, values.has(column.name)))
    return {
      session: {
        kind: 'postgres' as const,
        connection,
        begin: joining(this.snapshot.name, SETTINGS, LOCK_PATIENCE),
      },
      query: `SELECT ${list.join(', ')} FROM ${relationOf(source)}${whereOf(source, conditions)}`,
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((client) => closing(client.end())))
  }

  private get leader(): Client {
    return this.all[0] as Client
  }

  /** Another session that sees the same rows. */
  private async join(): Promise<Client> {
    const client = await this.access.client()
    this.all.push(client)
    await client.query(`SET lock_timeout = ${LOCK_PATIENCE}`)
    await this.adopt(client)
    return client
  }

  /** Lets a session see what the leader sees. */
  private async adopt(client: Client): Promise<void> {
    await client.query(BEGIN)
    await client.query(`SET TRANSACTION SNAPSHOT ${literal(this.snapshot?.name ?? '')}`)
  }

  private query(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<QueryArrayResult<(string | null)[]>> {
    const ask = () =>
      this.leader.query<(string | null)[]>({ text, values: [...values], rowMode: 'array' })
    if (!this.snapshot) return ask()
    // One after the other: a mistake in one source must not end the transaction that others are
    // read in.
    return this.line.run(async () => {
      try {
        await this.leader.query('SAVEPOINT asked')
        const result = await ask()
        await this.leader.query('RELEASE SAVEPOINT asked')
        return result
      } catch (error) {
        await this.leader.query('ROLLBACK TO SAVEPOINT asked').catch(() => {})
        throw error
      }
    })
  }
}
