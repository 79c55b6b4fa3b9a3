import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Client, ClientConfig } from 'pg'
import type { OpenConnection } from '../../define/source.js'
import type { Field } from '../../define/types/column-type.js'
import { importPeer } from '../../peers.js'
import { closing } from '../../source/database/closing.js'
import { given, placeOf, secretsOf } from '../../source/database/failures.js'
import type { Rows, TargetSession } from '../dialect.js'
import { quote } from './types.js'

/** What a connection is called, for those who look who is connected. */
const NAME = 'moraine export'

/** Texts are read the same whatever the server, the database or the role has set. */
const SETTINGS = `SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET statement_timeout = 0;
  SET idle_in_transaction_session_timeout = 0; SET lock_timeout = 0; SET client_min_messages = warning; SET extra_float_digits = 1`

export async function connectPostgres(connection: OpenConnection): Promise<TargetSession> {
  const pg = (await importPeer('pg')).default
  const { from } = await importPeer('pg-copy-streams')
  const { url, host, port, user, database, password, tls } = connection
  const secret = typeof password === 'function' ? await password() : password
  const secrets = [...secretsOf(connection), ...(secret ? [secret] : [])]
  const ssl = tls && (tls === true || { ca: tls.ca, rejectUnauthorized: tls.verify ?? true })
  const client = new pg.Client({
    ...given({ connectionString: url, host, port, user, database, password: secret }),
    ...(ssl ? { ssl } : {}),
    application_name: NAME,
    connectionTimeoutMillis: 15_000,
    keepAlive: true,
    // Values stay the texts that the server sends.
    types: { getTypeParser: () => (text: string) => text } as never,
  } as ClientConfig)
  // A connection that is lost while nobody waits for it is told to who uses it next.
  client.on('error', () => {})
  await client.connect()
  await client.query(SETTINGS)
  return new PostgresTarget(client, placeOf('PostgreSQL', connection), secrets, (sql) =>
    client.query(from(sql)),
  )
}

class PostgresTarget implements TargetSession {
  constructor(
    private readonly client: Client,
    readonly place: string,
    readonly secrets: readonly string[],
    private readonly copy: (sql: string) => NodeJS.WritableStream & { rowCount: number },
  ) {}

  async ask(sql: string): Promise<Rows> {
    const { rows } = await this.client.query<(string | null)[]>({ text: sql, rowMode: 'array' })
    return rows
  }

  async change(sql: string): Promise<bigint> {
    const { rowCount } = await this.client.query(sql)
    return BigInt(rowCount ?? 0)
  }

  async fill(table: string, columns: readonly Field[], csv: Readable): Promise<bigint> {
    const names = columns.map(({ name }) => quote(name)).join(', ')
    const copy = this.copy(`COPY ${table} (${names}) FROM STDIN (FORMAT csv)`)
    await pipeline(csv, copy)
    return BigInt(copy.rowCount)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closing(this.client.end())
  }
}
