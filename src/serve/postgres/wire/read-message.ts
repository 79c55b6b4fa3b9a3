import { PgError } from '../pg-error.js'
import { Fields } from './fields.js'
import type { Frame } from './frames.js'

/** What a client asks, once it has shown who it is. */
export type Message =
  | { type: 'query'; sql: string }
  | { type: 'parse'; name: string; sql: string; types: number[] }
  | {
      type: 'bind'
      portal: string
      statement: string
      formats: number[]
      values: (Buffer | null)[]
      results: number[]
    }
  | { type: 'describe'; of: 'statement' | 'portal'; name: string }
  | { type: 'close'; of: 'statement' | 'portal'; name: string }
  | { type: 'execute'; portal: string; rows: number }
  | { type: 'sync' | 'flush' | 'terminate' | 'copy' }
  | { type: 'password'; body: Buffer }

/**
 * A message of a client.
 *
 * @throws PgError for one that is broken, or that no client should send.
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export function readMessage({ type, body }: Frame): Message {
  const fields = new Fields(body)
  const message = read(type, fields)
  fields.end()
  return message
}

function read(type: string, fields: Fields): Message {
  switch (type) {
    case 'Q':
      return { type: 'query', sql: fields.text() }
    case 'P':
      return readParse(fields)
    case 'B':
      return readBind(fields)
    case 'D':
      return { type: 'describe', of: kindOf(fields.byte()), name: fields.text() }
    case 'C':
      return { type: 'close', of: kindOf(fields.byte()), name: fields.text() }
    case 'E':
      return { type: 'execute', portal: fields.text(), rows: fields.int32() }
    case 'S':
      return { type: 'sync' }
    case 'H':
      return { type: 'flush' }
    case 'X':
      return { type: 'terminate' }
    case 'p':
      return { type: 'password', body: fields.rest() }
    case 'd':
    case 'c':
    case 'f':
      // What is still on its way when a copy has failed is passed over.
      fields.rest()
      return { type: 'copy' }
    case 'F':
      throw new PgError('0A000', 'Function calls of the protocol are not supported', {
        hint: 'Call the function in a SELECT.',
      })
    default:
      throw new PgError('08P01', `There is no message of type ${JSON.stringify(type)}`, {
        fatal: true,
      })
  }
}

function readParse(fields: Fields): Message {
  const name = fields.text()
  const sql = fields.text()
  const types = Array.from({ length: fields.count() }, () => fields.int32() >>> 0)
  return { type: 'parse', name, sql, types }
}

function readBind(fields: Fields): Message {
  const portal = fields.text()
  const statement = fields.text()
  const formats = Array.from({ length: fields.count() }, () => fields.int16())
  const values = Array.from({ length: fields.count() }, () => {
    const length = fields.int32()
    return length === -1 ? null : fields.bytes(length)
  })
  const results = Array.from({ length: fields.count() }, () => fields.int16())
  return { type: 'bind', portal, statement, formats, values, results }
}

function kindOf(letter: string): 'statement' | 'portal' {
  if (letter === 'S') return 'statement'
  if (letter === 'P') return 'portal'
  throw new PgError(
    '08P01',
    `${JSON.stringify(letter)} is neither a statement (S) nor a portal (P)`,
    { fatal: true },
  )
}
