import type { config as Config, ConnectionPool } from 'mssql'
import type { OpenConnection } from '../../../define/source.js'
import { importPeer } from '../../../peers.js'
import { given, placeOf, secretsOf } from '../failures.js'
import { encryptedOnly } from './encrypted-only.js'
import { type Encryption, settingsOf } from './settings.js'

/** A pool of one connection, which is not connected yet, and what is said of it. */
export interface Pooled {
  sql: typeof import('mssql')
  pool: ConnectionPool
  place: string
  secrets: readonly string[]
}

interface PoolOptions {
  /** What the connection is called, for those who look who is connected. */
  appName: string
  /** Whether it is encrypted, with a certificate that holds, where nobody says otherwise. */
  secure?: boolean
}

export async function poolOf(
  asked: OpenConnection,
  { appName, secure = false }: PoolOptions,
): Promise<Pooled> {
  const sql = (await importPeer('mssql')).default
  const { connection, encrypt } = settingsOf(asked, (text) =>
    sql.ConnectionPool.parseConnectionString(text),
  )
  const { password } = connection
  const secret = typeof password === 'function' ? await password() : password
  const unsaid = encrypt.ask === true && !encrypt.must
  const asSaid = secure && unsaid ? { ...encrypt, must: true, verify: true } : encrypt
  const pool = new sql.ConnectionPool(configOf(connection, secret, { ...asSaid, appName }))
  // A connection that is lost while nobody waits for it is told to who uses it next.
  pool.on('error', () => {})
  const secrets = [...secretsOf(asked), ...(secret ? [secret] : [])]
  return { sql, pool, place: placeOf('SQL Server', connection), secrets }
}

function configOf(
  { host = '', port, user, database }: OpenConnection,
  password: string | undefined,
  { appName, ...encrypt }: Encryption & { appName: string },
): Config {
  const config: Config & { arrayRowMode: boolean; validateConnection: boolean } = {
    server: host,
    ...given({ port, user, password, database }),
    connectionTimeout: 15_000,
    requestTimeout: 0,
    pool: { max: 1, min: 0, idleTimeoutMillis: 1e9 },
    arrayRowMode: true,
    validateConnection: false,
    options: {
      appName,
      encrypt: encrypt.ask,
      trustServerCertificate: !encrypt.verify,
      ...(encrypt.ca ? { cryptoCredentialsDetails: { ca: encrypt.ca } } : {}),
      ...(encrypt.must && encrypt.ask === true ? { connector: encryptedOnly } : {}),
    } as NonNullable<Config['options']>,
  }
  return config
}
