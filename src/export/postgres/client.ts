import type { Client, ClientConfig } from 'pg'
import type { OpenConnection } from '../../define/source.js'
import { importPeer } from '../../peers.js'
import { given, secretsOf } from '../../source/database/failures.js'

/** What a connection is called, for those who look who is connected. */
const NAME = 'moraine export'

/** Connects to what speaks the protocol of PostgreSQL; values stay the texts that it sends. */
export async function openClient(
  connection: OpenConnection,
): Promise<{ client: Client; secrets: readonly string[] }> {
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
  return { client, secrets: [...secretsOf(connection), ...(secret ? [secret] : [])] }
}
