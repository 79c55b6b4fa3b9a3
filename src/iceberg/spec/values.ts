import { decimalOf } from './types.js'

/**
 * A value of a primitive type as the spec orders it: whole numbers, dates (days), timestamps
 * (microseconds), decimals (unscaled) and booleans as bigint.
 */
export type Value = bigint | number | string

const DAY_MS = 86_400_000

/**
 * Reads a value from the text an engine writes for it; `undefined` when it is none that the
 * type can hold, such as `infinity` for a date.
 */
export function parseValue(text: string, type: string): Value | undefined {
  const decimal = decimalOf(type)
  if (decimal) return parseDecimal(text, decimal.scale)
  switch (type) {
    case 'boolean':
      return /^(1|true)$/i.test(text) ? 1n : /^(0|false)$/i.test(text) ? 0n : undefined
    case 'int':
    case 'long':
      return /^[+-]?\d+$/.test(text) ? BigInt(text) : undefined
    case 'float':
    case 'double':
      return parseFloating(text, type)
    case 'date':
      return parseDay(text)
    case 'timestamp':
    case 'timestamptz':
      return parseMicros(text)
    case 'string':
      return text
    default:
      return undefined
  }
}

const comparable = [
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'date',
  'timestamp',
  'timestamptz',
  'string',
]

/** Whether values of a type are compared by what bounds say of them. */
export function isComparable(type: string): boolean {
  return comparable.includes(type) || decimalOf(type) !== undefined
}

/** A number of single precision is the nearest one that has it, not the text's. */
function parseFloating(text: string, type: 'float' | 'double'): number | undefined {
  const value = Number(text)
  if (Number.isNaN(value)) return undefined
  return type === 'float' ? Math.fround(value) : value
}

function parseDecimal(text: string, scale: number): bigint | undefined {
  const match = /^([+-]?)(\d*)\.?(\d*)$/.exec(text)
  if (!match) return undefined
  const fraction = (match[3] ?? '').padEnd(scale, '0')
  if (/[1-9]/.test(fraction.slice(scale))) return undefined
  const digits = BigInt(`${match[2]}${fraction.slice(0, scale)}` || '0')
  return match[1] === '-' ? -digits : digits
}

function parseDay(text: string): bigint | undefined {
  const match = /^(\d{4,6})-(\d{2})-(\d{2})( \(BC\))?$/.exec(text)
  if (!match) return undefined
  const year = match[4] ? 1 - Number(match[1]) : Number(match[1])
  // Date.UTC takes years below 100 as those of the 20th century.
  const date = new Date(0)
  date.setUTCFullYear(year, Number(match[2]) - 1, Number(match[3]))
  const days = date.getTime() / DAY_MS
  return Number.isNaN(days) ? undefined : BigInt(Math.floor(days))
}

function parseMicros(text: string): bigint | undefined {
  const bc = text.endsWith(' (BC)') ? ' (BC)' : ''
  const match =
    /^(\d{4,6}-\d{2}-\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?(Z|[+-]\d{2}(?::?\d{2})?)?$/.exec(
      text.slice(0, text.length - bc.length),
    )
  const days = match ? parseDay(`${match[1]}${bc}`) : undefined
  if (!match || days === undefined) return undefined
  const seconds = Number(match[2] ?? 0) * 3600 + Number(match[3] ?? 0) * 60 + Number(match[4] ?? 0)
  const micros = BigInt((match[5] ?? '').padEnd(6, '0') || '0')
  const local = (days * 86_400n + BigInt(seconds)) * 1_000_000n + micros
  return local - BigInt(offsetSeconds(match[6])) * 1_000_000n
}

function offsetSeconds(zone: string | undefined): number {
  const match = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone ?? '')
  if (!match) return 0
  const seconds = Number(match[2]) * 3600 + Number(match[3] ?? 0) * 60
  return match[1] === '-' ? -seconds : seconds
}

/** Orders two values of one type; texts by code point, as UTF-8 bytes are ordered. */
export function compareValues(a: Value, b: Value): number {
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(a, b)
  return a < b ? -1 : a > b ? 1 : 0
}

function compareTexts(a: string, b: string): number {
  for (let i = 0; i < Math.min(a.length, b.length); ) {
    const [x, y] = [a.codePointAt(i) as number, b.codePointAt(i) as number]
    if (x !== y) return x - y
    i += x > 0xffff ? 2 : 1
  }
  return a.length - b.length
}

/** Single-value serialisation (Iceberg spec, Appendix D). */
export function encodeValue(value: Value, type: string): Uint8Array {
  if (decimalOf(type)) return minimalBigEndian(value as bigint)
  switch (type) {
    case 'boolean':
      return Uint8Array.of(Number(value))
    case 'int':
    case 'date':
      return fixed(4, (view) => view.setInt32(0, Number(value), true))
    case 'float':
      return fixed(4, (view) => view.setFloat32(0, Number(value), true))
    case 'double':
      return fixed(8, (view) => view.setFloat64(0, Number(value), true))
    case 'string':
      return new TextEncoder().encode(value as string)
    default:
      return fixed(8, (view) => view.setBigInt64(0, value as bigint, true))
  }
}

function fixed(bytes: number, set: (view: DataView) => void): Uint8Array {
  const array = new Uint8Array(bytes)
  set(new DataView(array.buffer))
  return array
}

/** Two's complement, most significant byte first, as few bytes as possible. */
export function minimalBigEndian(value: bigint): Uint8Array {
  const bytes: number[] = []
  let rest = value
  do {
    bytes.unshift(Number(rest & 0xffn))
    rest >>= 8n
  } while (
    !(rest === 0n && (bytes[0] as number) < 128) &&
    !(rest === -1n && (bytes[0] as number) >= 128)
  )
  return Uint8Array.from(bytes)
}

export function decodeValue(bytes: Uint8Array, type: string): Value {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (decimalOf(type))
    return bytes.reduce(
      (n, byte, i) => (i ? (n << 8n) | BigInt(byte) : BigInt.asIntN(8, BigInt(byte))),
      0n,
    )
  switch (type) {
    case 'boolean':
      return BigInt(bytes[0] as number)
    case 'int':
    case 'date':
      return BigInt(view.getInt32(0, true))
    case 'float':
      return view.getFloat32(0, true)
    case 'double':
      // As a long column's: see below.
      return bytes.length === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true)
    case 'string':
      return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
    default:
      // A long column may hold bounds that were written while it was an int.
      return bytes.length === 4 ? BigInt(view.getInt32(0, true)) : view.getBigInt64(0, true)
  }
}

const MAX_TEXT = 16

/** A lower bound as manifests store it: texts are cut to 16 code points. */
export function lowerBound(value: Value, type: string): Uint8Array {
  if (typeof value === 'string') return encodeValue([...value].slice(0, MAX_TEXT).join(''), type)
  return encodeValue(value === 0 ? -0 : value, type)
}

/**
 * An upper bound: a cut text is increased so that it still lies above; `undefined` if none does.
 */
export function upperBound(value: Value, type: string): Uint8Array | undefined {
  if (typeof value !== 'string') return encodeValue(value === 0 ? 0 : value, type)
  const points = [...value]
  if (points.length <= MAX_TEXT) return encodeValue(value, type)
  const cut = increased(points.slice(0, MAX_TEXT))
  return cut === undefined ? undefined : encodeValue(cut, type)
}

function increased(points: string[]): string | undefined {
  for (let i = points.length - 1; i >= 0; i--) {
    let next = ((points[i] as string).codePointAt(0) as number) + 1
    if (next >= 0xd800 && next <= 0xdfff) next = 0xe000
    if (next <= 0x10ffff) return [...points.slice(0, i), String.fromCodePoint(next)].join('')
  }
  return undefined
}
