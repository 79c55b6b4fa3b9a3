import type { RowValue } from '../../../engine/engine.js'
import { PgError } from '../pg-error.js'
import { Fields, textOf } from '../wire/fields.js'
import { EPOCH, LAST_INT8 } from './binary.js'
import { DAY } from './moments.js'
import { type PgType, pgTypes, typeOfOid } from './pg-type.js'
import { toText } from './text.js'

/** A parameter's value as it is bound, and the type that it is cast to in the statement. */
export interface Parameter {
  value: RowValue
  /** The engine's type; `undefined` where the value stands for what it is compared with. */
  cast: string | undefined
}

const casts: Readonly<Record<string, string>> = {
  bool: 'BOOLEAN',
  int2: 'SMALLINT',
  int4: 'INTEGER',
  int8: 'BIGINT',
  oid: 'BIGINT',
  float4: 'FLOAT',
  float8: 'DOUBLE',
  numeric: 'DECIMAL(38, 10)',
  date: 'DATE',
  time: 'TIME',
  timetz: 'TIMETZ',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMPTZ',
  interval: 'INTERVAL',
  uuid: 'UUID',
  bytea: 'BLOB',
}

/** The engine's type of a type of PostgreSQL; `undefined` for texts, and for what is not known. */
export function castOf(oid: number): string | undefined {
  const found = typeOfOid(oid)
  if (!found) return undefined
  if (found.isArray) return `${casts[found.type.name] ?? 'VARCHAR'}[]`
  return casts[found.type.name]
}

/**
 * The value of a parameter as a client sends it.
 *
 * @param oid its type; 0 where the client leaves it to the statement.
 * @param format 0 for a text, 1 for binary.
 * @throws PgError for what is no value of the type.
 */
export function parameterOf(oid: number, format: number, bytes: Buffer | null): Parameter {
  const found = typeOfOid(oid)
  const cast = castOf(oid)
  if (bytes === null) return { value: null, cast }
  if (format !== 0 && format !== 1) throw new PgError('08P01', `There is no format ${format}`)
  if (found?.isArray) {
    const items = format === 1 ? binaryItems(bytes) : textItems(textOf(bytes))
    // A list of texts, which the engine turns into one of the type.
    return { value: JSON.stringify(items), cast }
  }
  // What has no type and is no text can only be bytes.
  if (!found && format === 1) return { value: bytes, cast: 'BLOB' }
  const type = found?.type ?? pgTypes.unknown
  const text = format === 1 ? fromBinary(type, bytes) : textOf(bytes)
  if (type.name === 'bytea') return { value: format === 1 ? bytes : fromHex(textOf(bytes)), cast }
  if (type.name === 'numeric') return { value: text, cast: decimalFor(text) }
  return { value: type.name === 'bool' ? /^(t|true|y|yes|on|1)$/i.test(text) : text, cast }
}

/** The narrowest type that holds a number as it is; of numbers beyond all decimals, a double. */
function decimalFor(text: string): string {
  const found = /^\s*[+-]?0*(\d*)(?:\.(\d*))?\s*$/.exec(text)
  const [whole = '', fraction = ''] = found?.slice(1) ?? []
  const digits = whole.length + fraction.length
  return found && digits <= 38 ? `DECIMAL(${Math.max(1, digits)}, ${fraction.length})` : 'DOUBLE'
}

function fromHex(text: string): Uint8Array {
  if (!/^\\x([0-9a-f]{2})*$/i.test(text))
    throw new PgError('22P02', 'A bytea must be written in hexadecimal: \\x00ff')
  return Buffer.from(text.slice(2), 'hex')
}

/** The text of a value in binary. */
function fromBinary(type: PgType, bytes: Buffer): string {
  const fields = new Fields(bytes)
  const read = readers[type.name]
  const text = read ? read(fields) : textOf(fields.rest())
  fields.end()
  return text
}

const int8 = (fields: Fields) => fields.bytes(8).readBigInt64BE()

const readers: Readonly<Record<string, (fields: Fields) => string>> = {
  bool: (fields) => (fields.bytes(1)[0] ? 'true' : 'false'),
  int2: (fields) => String(fields.int16()),
  int4: (fields) => String(fields.int32()),
  oid: (fields) => String(fields.int32() >>> 0),
  int8: (fields) => String(int8(fields)),
  float4: (fields) => String(fields.bytes(4).readFloatBE()),
  float8: (fields) => String(fields.bytes(8).readDoubleBE()),
  bytea: (fields) => fields.rest().toString('hex'),
  uuid: (fields) =>
    fields
      .bytes(16)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
  date: (fields) => {
    const days = fields.int32()
    if (days === 2 ** 31 - 1) return 'infinity'
    return days === -(2 ** 31) ? '-infinity' : iso(BigInt(days) * DAY).slice(0, -16)
  },
  time: (fields) => timeOf(int8(fields)),
  timetz: (fields) => {
    const micros = int8(fields)
    const east = -fields.int32()
    const minutes = Math.trunc(Math.abs(east) / 60)
    return `${timeOf(micros)}${east < 0 ? '-' : '+'}${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`
  },
  timestamp: (fields) => momentOf(int8(fields), ''),
  timestamptz: (fields) => momentOf(int8(fields), '+00'),
  interval: (fields) => {
    const micros = int8(fields)
    const days = fields.int32()
    const sign = micros < 0n ? '-' : ''
    return `${fields.int32()} months ${days} days ${sign}${timeOf(micros < 0n ? -micros : micros)}`
  },
  numeric: numericText,
}

const two = (part: number | bigint) => String(part).padStart(2, '0')

function timeOf(micros: bigint): string {
  const seconds = micros / 1_000_000n
  const clock = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n].map(two).join(':')
  return `${clock}.${String(micros % 1_000_000n).padStart(6, '0')}`
}

function momentOf(micros: bigint, zone: string): string {
  if (micros === LAST_INT8) return 'infinity'
  return micros === -LAST_INT8 - 1n ? '-infinity' : `${iso(micros)}${zone}`
}

/** A date and time so many microseconds after 2000, as the engine reads it. */
function iso(micros: bigint): string {
  const days = micros >= 0n ? micros / DAY : -((DAY - 1n - micros) / DAY)
  const at = days + BigInt(EPOCH)
  const text = toText(pgTypes.date, dateTextOf(at))
  const [date = '', era] = text.split(' ')
  return `${date}${era ? ' (BC)' : ''} ${timeOf(micros - days * DAY)}`
}

function dateTextOf(days: bigint): string {
  const iso = new Date(Number(days) * 86_400_000)
  if (Number.isNaN(iso.getTime())) throw new PgError('22008', 'The date is out of range')
  return iso.toISOString().replace(/T.*/, '')
}

/** A numeric from its groups of four digits. */
function numericText(fields: Fields): string {
  const count = fields.count()
  const weight = fields.int16()
  const sign = fields.count()
  const scale = fields.count()
  const digits = Array.from({ length: count }, () => fields.count())
  if (sign === 0xc0_00) return 'NaN'
  if (sign !== 0 && sign !== 0x40_00) return sign === 0xd0_00 ? 'Infinity' : '-Infinity'
  if (Math.abs(weight) > 1000 || scale > 1000)
    throw new PgError('22003', 'The number has more digits than the engine can hold')
  const group = (at: number) => String(digits[at] ?? 0).padStart(4, '0')
  const whole = Array.from({ length: Math.max(0, weight + 1) }, (_, i) => group(i)).join('')
  const groups = Math.ceil(scale / 4)
  const fraction = Array.from({ length: groups }, (_, i) => group(weight + 1 + i)).join('')
  const text = `${whole.replace(/^0+(?=\d)/, '') || '0'}${scale > 0 ? `.${fraction.slice(0, scale)}` : ''}`
  return sign === 0 ? text : `-${text}`
}

/** The items of an array in binary, as texts. */
function binaryItems(bytes: Buffer): (string | null)[] {
  const fields = new Fields(bytes)
  const dimensions = fields.int32()
  fields.int32()
  const type = typeOfOid(fields.int32() >>> 0)?.type ?? pgTypes.text
  if (dimensions === 0) return []
  if (dimensions !== 1) throw manyDimensions()
  const length = fields.int32()
  fields.int32()
  const items: (string | null)[] = []
  while (items.length < length) {
    const size = fields.int32()
    items.push(size === -1 ? null : fromBinary(type, fields.bytes(size)))
  }
  return items
}

/** The items of `{1,NULL,"a b"}`. */
function textItems(text: string): (string | null)[] {
  const inside = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1]
  if (inside === undefined) throw new PgError('22P02', 'An array must be written in braces: {1,2}')
  if (inside.trim() === '') return []
  const form = /\s*(?:"((?:[^"\\]|\\.)*)"|([^,{}"]*?))\s*(,|$)/gsy
  const items: (string | null)[] = []
  for (let found = form.exec(inside); found; found = form.exec(inside)) {
    const [, quoted, plain = ''] = found
    const isNull = quoted === undefined && plain.toUpperCase() === 'NULL'
    items.push(isNull ? null : (quoted?.replace(/\\(.)/gs, '$1') ?? plain))
    if (found[3] === '') return items
  }
  throw manyDimensions()
}

const manyDimensions = () =>
  new PgError('0A000', 'Arrays of more than one dimension are not supported as parameters')
