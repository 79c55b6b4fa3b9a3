import type { OpenConnection } from '../../define/source.js'
import { MoraineError, messageOf, type SourceLocation } from '../../errors.js'
import { OwnSecrets, shownUrl } from '../../secrets.js'
import { databaseOfTitle, databaseUrlProblem } from '../declare/database-url.js'

/** A server that keeps bytes of any kind hands none of the rows over where one holds no text. */
export const NO_TEXT =
  'A string in it is not in the encoding of the database, so the server returns no rows. Exclude its column with columns: […], or fix the rows there; nothing was ingested.'

/** What a database's or a socket's error code means to people. */
const meanings: Readonly<Record<string, { what: string; hint: string; retryable?: boolean }>> = {
  ECONNREFUSED: {
    what: 'connection refused',
    hint: 'Is it running, and are host and port correct?',
    retryable: true,
  },
  ENOTFOUND: { what: 'unknown host', hint: 'Check the host in its URL.' },
  ETIMEDOUT: {
    what: 'it does not respond',
    hint: 'Is it reachable from this machine?',
    retryable: true,
  },
  ECONNRESET: {
    what: 'the connection was lost',
    hint: 'Run again: what was already ingested is kept.',
    retryable: true,
  },
  PROTOCOL_CONNECTION_LOST: {
    what: 'the connection was lost',
    hint: 'Run again: what was already ingested is kept.',
    retryable: true,
  },
  '57P01': {
    what: 'it was shut down',
    hint: 'Run again once it is up: what was already ingested is kept.',
    retryable: true,
  },
  '57P03': { what: 'it is starting up', hint: 'Run again in a moment.', retryable: true },
  ETIMEOUT: {
    what: 'it does not respond',
    hint: 'Is it reachable from this machine?',
    retryable: true,
  },
  ELOGIN: {
    what: 'it refused the user or the password',
    hint: 'Check both, and the name of the database, in the URL or the options.',
  },
  '28P01': {
    what: 'it refused the user or the password',
    hint: 'Check both, in the URL or the options.',
  },
  '28000': {
    what: 'it refused the user',
    hint: 'Check the user, and how the database authenticates it.',
  },
  '3D000': { what: 'unknown database', hint: 'Check the name at the end of its URL.' },
  ER_ACCESS_DENIED_ERROR: {
    what: 'it refused the user or the password',
    hint: 'Check both, in the URL or the options.',
  },
  ER_DBACCESS_DENIED_ERROR: {
    what: 'the user may not use this database',
    hint: 'Grant it SELECT there.',
  },
  ER_BAD_DB_ERROR: {
    what: 'unknown database',
    hint: 'Check the name at the end of its URL.',
  },
}

/** What clients say where a server wants a password and none was given. */
const NO_PASSWORD = /password must be a (non-empty )?string/i

/** An error of a database in our words, without anything secret. */
export function databaseError(
  where: string,
  error: unknown,
  secrets: readonly string[],
  hint?: string,
): MoraineError {
  if (error instanceof MoraineError) return error
  const code = (error as { code?: string }).code ?? ''
  if (NO_PASSWORD.test(messageOf(error)))
    return new MoraineError('source', `${where}: it requires a password, but none is given`, {
      hint: "Put it into the URL, or set password: secret('env:NAME'); the environment variable may be missing.",
    })
  const message = hidden(messageOf(error), secrets)
  const lost =
    /terminated|connection (is )?(lost|closed)|closed state|not queryable|LoggedIn state|socket hang up|invalid snapshot identifier|import the requested snapshot/i.test(
      message,
    )
  const known = meanings[code] ?? (lost ? meanings.ECONNRESET : undefined)
  const what = known ? `${known.what}${message ? ` (${message})` : ''}` : message
  const isNoText = code === '22021' || /invalid byte sequence for encoding/.test(message)
  const advice = hint ?? (isNoText ? NO_TEXT : known?.hint)
  return new MoraineError('source', `${where}: ${what}`, {
    ...(advice ? { hint: advice } : {}),
    retryable: known?.retryable ?? false,
    // The cause may carry the connection's settings.
  })
}

function hidden(text: string, secrets: readonly string[]): string {
  const own = new OwnSecrets()
  own.hide(...secrets)
  return own.redact(text)
}

/**
 * The secrets in a connection's settings, as they may appear in texts: also of a URL that can't be
 * parsed.
 */
export function secretsOf({ url, password }: OpenConnection): string[] {
  const [, whole = url ?? ''] = /^\w[\w+.-]*:\/\/(.*)$/s.exec(url ?? '') ?? []
  // A password may hold what ends one in a URL that is well formed: all ends are tried.
  const ends = [...whole.matchAll(/@/g)].map(({ index }) =>
    whole.slice(whole.indexOf(':') + 1, index),
  )
  const named = [...(url ?? '').matchAll(SETTING)].map(([, quoted, plain]) => quoted ?? plain ?? '')
  const found = [typeof password === 'string' ? password : '', ...ends, ...named]
  return [...new Set([...found, ...found.map(decoded)].filter((secret) => secret !== ''))]
}

/** A password as a parameter of a URL, or in a list of settings. */
const SETTING =
  /\b(?:password|pwd|passphrase|secret|token)\s*=\s*(?:'([^']*)'|"[^"]*"|([^&;\s]*))/gi

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}

/** Where a database is, for messages: its kind, host and name, nothing else. */
export function placeOf(kind: string, { url, host, port, database }: OpenConnection): string {
  let from: { host?: string; path?: string } = {}
  try {
    const parsed = new URL(url ?? '')
    from = { host: parsed.host, path: parsed.pathname.slice(1) }
  } catch {
    // Fields alone, or a URL that is none: the client will say so.
  }
  const at = host ? `${host}${port ? `:${port}` : ''}` : (from.host ?? '')
  const name = database ?? from.path ?? ''
  return `${kind}${at || name ? ` at ${at}${name ? `/${name}` : ''}` : ''}`
}

/** The settings, once it is sure that there are any. */
export function checkedConnection(
  kind: string,
  connection: OpenConnection,
  place?: SourceLocation | undefined,
): OpenConnection {
  const { url } = connection
  if (url && /^\w+:\/\//.test(url) && !URL.canParse(url))
    throw new MoraineError('source', `The URL of the ${kind} database can't be read`, {
      hint: `It should look like ${shownUrl(url).replace('…', '')}user:password@host/database. Percent-encode special characters in the password: / as %2F, @ as %40, : as %3A, # as %23.`,
      place,
    })
  const database = databaseOfTitle(kind)
  const problem = url && database ? databaseUrlProblem(database, url) : undefined
  if (problem) throw new MoraineError('source', problem.message, { hint: problem.hint, place })
  if (url || connection.host) return connection
  throw new MoraineError('source', `The address of the ${kind} database is missing`, {
    hint: 'Set its url or its host; the environment variable for it may be missing.',
    place,
  })
}

/** Settings without those that nobody gave. */
export function given<T extends object>(
  settings: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const known = Object.entries(settings).filter(([, value]) => value !== undefined)
  return Object.fromEntries(known) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
