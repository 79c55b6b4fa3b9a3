import type { Client, ClientConfig } from 'pg'
import type { OpenConnection } from '../../define/source.js'
import { importPeer } from '../../peers.js'
import { closing } from '../../source/database/closing.js'
import { given, placeOf, secretsOf } from '../../source/database/failures.js'
import type { Rows, TargetSession } from '../dialect.js'

/** What a connection is called, for those who look who is connected. */
const NAME = 'moraine export'

/** A client that is connected, and what is said of it. */
export interface Connected {
  readonly client: Client
  readonly place: string
  readonly secrets: readonly string[]
}

/** What all targets have that speak the protocol of PostgreSQL; how tables are filled differs. */
export class PostgresSession implements TargetSession {
  protected readonly client: Client
  readonly place: string
  readonly secrets: readonly string[]

  constructor({ client, place, secrets }: Connected) {
    this.client = client
    this.place = place
    this.secrets = secrets
  }

  async ask(sql: string): Promise<Rows> {
    const { rows } = await this.client.query<(string | null)[]>({ text: sql, rowMode: 'array' })
    return rows
  }

  async change(sql: string): Promise<bigint> {
    const { rowCount } = await this.client.query(sql)
    return BigInt(rowCount ?? 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closing(this.client.end())
  }
}

/**
 * Connects to what speaks the protocol of PostgreSQL; values stay the texts that it sends.
 *
 * @param name of such databases, for people.
 */
export async function openClient(name: string, connection: OpenConnection): Promise<Connected> {
  const pg = (await importPeer('pg')).default
  const { url, host, port, user, database, password, tls } = connection
  const secret = typeof password === 'function' ? await password() : password
  const ssl = tls && (tls === true || { ca: tls.ca, rejectUnauthorized: tls.verify ?? true })
  const client = new pg.Client({
    ...given({ connectionString: url, host, port, user, database, password: secret }),
    ...(ssl ? { ssl } : {}),
    application_name: NAME,
    connectionTimeoutMillis: 15_000,
    keepAlive: true,
    types: { getTypeParser: () => (text: string) => text } as never,
  } as ClientConfig)
  // A connection that is lost while nobody waits for it is told to who uses it next.
  client.on('error', () => {})
  await client.connect()
  const secrets = [...secretsOf(connection), ...(secret ? [secret] : [])]
  return { client, place: placeOf(name, connection), secrets }
}
