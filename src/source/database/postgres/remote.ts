import type { OpenConnection } from '../../../define/source.js'
import { literal } from '../conditions.js'
import type { RemoteColumn } from '../reader.js'

/**
 * Types whose values cast to text as the server writes them; `true` for most is not what it writes
 * for booleans.
 */
const CASTS =
  /^(smallint|integer|bigint|numeric|real|double precision|uuid|json|jsonb|date|timestamp)\b/
const TEXTS = /^(text|character varying)\b(?!.*\[)/

/**
 * What the engine's own client needs to connect, where that is certain to be the same connection:
 * not when it is encrypted, as certificates are checked differently, nor when parts of it come from
 * elsewhere.
 */
export function remoteConnection(
  { url, host, port, user, database, tls }: OpenConnection,
  password: string,
): Readonly<Record<string, string>> | undefined {
  if (tls) return undefined
  const given = url !== undefined && URL.canParse(url) ? new URL(url) : undefined
  if (url !== undefined && given?.search !== '') return undefined
  const found = {
    host: given?.hostname || host,
    port: given?.port || port?.toString() || '5432',
    user: decodeURIComponent(given?.username ?? '') || user,
    password: decodeURIComponent(given?.password ?? '') || password,
    dbname: decodeURIComponent(given?.pathname.slice(1) ?? '') || database,
  }
  const { host: where, user: who, dbname } = found
  if (!where || where.startsWith('/') || !who || !dbname) return undefined
  return { ...found, host: where, user: who, dbname }
}

/** A transaction that sees what a snapshot shows, with the settings of all our sessions. */
export function joining(snapshot: string, settings: string, lockTimeout: number): string[] {
  return [
    `SET TRANSACTION SNAPSHOT ${literal(snapshot)}`,
    'SET TRANSACTION READ ONLY',
    ...settings.split(';'),
    `SET lock_timeout = ${lockTimeout}`,
  ]
}

/** A column as the engine gets it: a value, or the text that the server writes. */
export function remoteColumn({ name, type }: RemoteColumn, asValue: boolean): string {
  const column = quote(name)
  if (asValue || TEXTS.test(type)) return column
  if (type === 'money') return `${column}::numeric::text AS ${column}`
  if (CASTS.test(type) && !type.endsWith('[]')) return `${column}::text AS ${column}`
  return `CASE WHEN ${column} IS NOT DISTINCT FROM NULL THEN NULL ELSE format('%s', ${column}) END AS ${column}`
}

export const quote = (name: string) => `"${name.replaceAll('"', '""')}"`
