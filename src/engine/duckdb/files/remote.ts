import { quoteName, quoteText } from '../../../define/sql/sql.js'
import { MoraineError } from '../../../errors.js'
import { sha256 } from '../../../storage/checksum.js'
import type { ObjectAccess } from '../../../storage/staging.js'
import type { RemoteSession } from '../../engine.js'

/** What a database is called in the engine. */
export function remoteName({ connection }: RemoteSession): string {
  return `remote_${sha256(JSON.stringify(connection)).slice(0, 16)}`
}

/**
 * Makes a database known under a name. What goes wrong is told without the password that the SQL
 * has.
 */
export async function attach(
  { kind, connection }: RemoteSession,
  name: string,
  run: (sql: string) => Promise<unknown>,
): Promise<void> {
  const fields = Object.entries(connection).map(
    ([field, value]) => `${field}='${value.replace(/['\\]/g, '\\$&')}'`,
  )
  try {
    await run(`ATTACH ${quoteText(fields.join(' '))} AS ${quoteName(name)} (TYPE ${kind})`)
  } catch {
    throw new MoraineError('engine', `The engine cannot connect to ${connection.host} directly`)
  }
}

/** What lets the engine read objects below a bucket's root. Only in memory: it has credentials. */
export function secretSql(access: ObjectAccess): string {
  const { url, keyId, secret, token, region, endpoint, pathStyle } = access
  const parts = [
    'TYPE s3',
    `SCOPE ${quoteText(`${url}/`)}`,
    `KEY_ID ${quoteText(keyId)}`,
    `SECRET ${quoteText(secret)}`,
    ...(token === undefined ? [] : [`SESSION_TOKEN ${quoteText(token)}`]),
    `REGION ${quoteText(region)}`,
    `URL_STYLE ${pathStyle ? "'path'" : "'vhost'"}`,
    ...(endpoint ? [`ENDPOINT ${quoteText(endpoint.host)}`, `USE_SSL ${endpoint.encrypted}`] : []),
  ]
  return `CREATE OR REPLACE TEMPORARY SECRET ${quoteName(`s3_${sha256(url).slice(0, 16)}`)} (${parts.join(', ')})`
}
