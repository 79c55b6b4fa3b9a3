import type { PgError } from '../pg-error.js'

/** A column as clients are told of it. */
export interface ColumnDescription {
  name: string
  /** The table and column it is of, by their numbers in the catalog; 0 where it is computed. */
  table: number
  column: number
  oid: number
  size: number
  modifier: number
  /** 0 for texts, 1 for binary. */
  format: number
}

const cstring = (text: string) => Buffer.from(`${text.replaceAll('\0', '')}\0`)

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value & 0xff_ff)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value | 0)
  return bytes
}

function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 4)
  return Buffer.concat([Buffer.from(type), int32(length), ...parts], length + 1)
}

/**
 * What the server says.
 *
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export const write = {
  authenticationOk: () => message('R', int32(0)),
  sasl: (mechanisms: readonly string[]) =>
    message('R', int32(10), ...mechanisms.map(cstring), Buffer.from([0])),
  saslContinue: (text: string) => message('R', int32(11), Buffer.from(text)),
  saslFinal: (text: string) => message('R', int32(12), Buffer.from(text)),
  /** For a client that asks for a later version of the protocol, or for options of it. */
  negotiateVersion: (options: readonly string[]) =>
    message('v', int32(0), int32(options.length), ...options.map(cstring)),
  parameterStatus: (name: string, value: string) => message('S', cstring(name), cstring(value)),
  backendKeyData: (process: number, secret: number) => message('K', int32(process), int32(secret)),
  readyForQuery: (status: 'I' | 'T' | 'E') => message('Z', Buffer.from(status)),
  parseComplete: () => message('1'),
  bindComplete: () => message('2'),
  closeComplete: () => message('3'),
  noData: () => message('n'),
  portalSuspended: () => message('s'),
  emptyQuery: () => message('I'),
  commandComplete: (tag: string) => message('C', cstring(tag)),
  parameterDescription: (oids: readonly number[]) =>
    message('t', int16(oids.length), ...oids.map(int32)),
  copyOut: (columns: number) =>
    message('H', Buffer.from([0]), int16(columns), Buffer.alloc(columns * 2)),
  copyData: (text: string) => message('d', Buffer.from(text)),
  copyDone: () => message('c'),
  rowDescription: (columns: readonly ColumnDescription[]) =>
    message(
      'T',
      int16(columns.length),
      ...columns.flatMap(({ name, table, column, oid, size, modifier, format }) => [
        cstring(name),
        int32(table),
        int16(column),
        int32(oid),
        int16(size),
        int32(modifier),
        int16(format),
      ]),
    ),
  dataRow,
  error: (error: PgError) => message('E', ...report(error.fatal ? 'FATAL' : 'ERROR', error)),
  notice: (severity: 'NOTICE' | 'WARNING', code: string, text: string) =>
    message('N', ...report(severity, { code, message: text })),
}

/** A row, in one piece of memory. */
function dataRow(values: readonly (Buffer | string | null)[]): Buffer {
  let length = 6
  for (const value of values)
    length +=
      4 + (value === null ? 0 : typeof value === 'string' ? Buffer.byteLength(value) : value.length)
  const bytes = Buffer.allocUnsafe(length + 1)
  bytes[0] = 0x44
  bytes.writeInt32BE(length, 1)
  bytes.writeUInt16BE(values.length, 5)
  let at = 7
  for (const value of values) {
    if (value === null) {
      bytes.writeInt32BE(-1, at)
      at += 4
      continue
    }
    const size = typeof value === 'string' ? bytes.write(value, at + 4) : value.copy(bytes, at + 4)
    bytes.writeInt32BE(size, at)
    at += 4 + size
  }
  return bytes
}

type Reported = Pick<PgError, 'code' | 'message'> &
  Partial<Pick<PgError, 'hint' | 'detail' | 'position' | 'routine'>>

function report(severity: string, said: Reported) {
  const { code, message: text, hint, detail, position, routine } = said
  const field = (letter: string, value: string | number | undefined) =>
    value === undefined || value === '' ? [] : [Buffer.from(letter), cstring(String(value))]
  return [
    ...field('S', severity),
    ...field('V', severity),
    ...field('C', code),
    ...field('M', text),
    ...field('D', detail),
    ...field('H', hint),
    ...field('P', position),
    ...field('R', routine),
    Buffer.from([0]),
  ]
}
