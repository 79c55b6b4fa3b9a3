import type { OpenConnection } from '../../../define/source.js'
import { MoraineError } from '../../../errors.js'

/** What is asked for of encryption. */
export interface Encryption {
  ask: boolean | 'strict'
  /** Without it nothing is sent. */
  must: boolean
  verify: boolean
  ca?: string
}

/**
 * A URL or a connection string (`Server=…;Database=…`) as fields, and what they say of encryption.
 */
export function settingsOf(
  given: OpenConnection,
  parse: (text: string) => any,
): { connection: OpenConnection; encrypt: Encryption } {
  const { url, tls, ...fields } = given
  const isUrl = /^\w+:\/\//.test(url ?? '')
  const asked = url === undefined ? {} : isUrl ? fieldsOfUrl(url) : fieldsOfText(() => parse(url))
  const { encrypt, trust, ...named } = asked
  const connection = { ...named, ...fields }
  if (tls === false) return { connection, encrypt: { ask: false, must: false, verify: false } }
  if (tls !== undefined) {
    const { ca, verify = true } = tls === true ? {} : tls
    return { connection, encrypt: { ask: true, must: true, verify, ...(ca ? { ca } : {}) } }
  }
  if (encrypt === undefined || encrypt === false)
    return { connection, encrypt: { ask: encrypt ?? true, must: false, verify: false } }
  return { connection, encrypt: { ask: encrypt, must: true, verify: !trust } }
}

interface Named extends OpenConnection {
  encrypt?: boolean | 'strict'
  trust?: boolean
}

function fieldsOfUrl(url: string): Named {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    throw badUrl()
  }
  const { hostname, port, username, password, pathname, searchParams } = parsed
  const database = searchParams.get('database') ?? decodeURIComponent(pathname.slice(1))
  const encrypt = searchParams.get('encrypt')
  return {
    host: hostname,
    ...(port ? { port: Number(port) } : {}),
    ...(username ? { user: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
    ...(database ? { database } : {}),
    ...(encrypt === null ? {} : { encrypt: encrypt === 'strict' ? encrypt : encrypt === 'true' }),
    trust: searchParams.get('trustServerCertificate') === 'true',
  }
}

function fieldsOfText(parse: () => any): Named {
  let parsed: any
  try {
    parsed = parse()
  } catch {
    throw badUrl()
  }
  if (!parsed.server) throw badUrl()
  const { server, port, user, password, database, options = {} } = parsed
  return {
    host: server,
    ...(port ? { port } : {}),
    ...(user ? { user } : {}),
    ...(password ? { password } : {}),
    ...(database ? { database } : {}),
    ...(options.encrypt === undefined ? {} : { encrypt: options.encrypt }),
    trust: options.trustServerCertificate === true,
  }
}

function badUrl(): MoraineError {
  return new MoraineError('source', "The SQL Server's URL can't be read", {
    hint: 'It should look like sqlserver://user:password@host:1433/database, or Server=host,1433;Database=…;User Id=…;Password=…;Encrypt=true',
  })
}
