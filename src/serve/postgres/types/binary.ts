import type { RowValue } from '../../../engine/engine.js'
import { DAY, parseInterval, parseMoment, parseTime, parseZonedTime } from './moments.js'
import type { PgType } from './pg-type.js'
import { toText } from './text.js'

/** Days from 1970-01-01 to 2000-01-01, from which PostgreSQL counts. */
export const EPOCH = 10_957
export const LAST_INT8 = 2n ** 63n - 1n
const LAST_INT4 = 2 ** 31 - 1

type Present = Exclude<RowValue, null>

/** How values are written in binary; what is not here is so in its text. */
const writers: Readonly<Record<string, (value: Present) => Buffer>> = {
  bool: (value) => Buffer.from([value ? 1 : 0]),
  int2: (value) => fixed(2, (bytes) => bytes.writeInt16BE(Number(value))),
  int4: (value) => fixed(4, (bytes) => bytes.writeInt32BE(Number(value))),
  int8: (value) => int8(BigInt(value as bigint)),
  oid: (value) => fixed(4, (bytes) => bytes.writeUInt32BE(Number(value))),
  float4: (value) => fixed(4, (bytes) => bytes.writeFloatBE(Number(value))),
  float8: (value) => fixed(8, (bytes) => bytes.writeDoubleBE(Number(value))),
  numeric: (value) => numericBinary(String(value)),
  bytea: (value) => Buffer.from(value as Uint8Array),
  uuid: (value) => Buffer.from(String(value).replaceAll('-', ''), 'hex'),
  date: (value) => fixed(4, (bytes) => bytes.writeInt32BE(dateBinary(String(value)))),
  time: (value) => int8(parseTime(String(value))),
  timetz: (value) => {
    const { micros, east } = parseZonedTime(String(value))
    const zone = fixed(4, (bytes) => bytes.writeInt32BE(-east))
    return Buffer.concat([int8(micros), zone])
  },
  timestamp: (value) => int8(momentBinary(String(value))),
  timestamptz: (value) => int8(momentBinary(String(value))),
  interval: (value) => {
    const { months, days, micros } = parseInterval(String(value))
    const rest = fixed(8, (bytes) => {
      bytes.writeInt32BE(days)
      bytes.writeInt32BE(months, 4)
    })
    return Buffer.concat([int8(micros), rest])
  },
  varbit: (value) => bitsBinary(String(value)),
}

/** A value as PostgreSQL sends it in binary; never for NULL. */
export function toBinary(type: PgType, value: Present): Buffer {
  const write = writers[type.name]
  return write ? write(value) : Buffer.from(toText(type, value))
}

/** Items as an array of one dimension, from 1; one of no items has none. */
export function arrayBinary(type: PgType, items: readonly RowValue[]): Buffer {
  const head = (dimensions: number) => int4s(dimensions, items.includes(null) ? 1 : 0, type.oid)
  if (items.length === 0) return head(0)
  const parts = items.flatMap((item) => {
    if (item === null) return [int4s(-1)]
    const bytes = toBinary(type, item)
    return [int4s(bytes.length), bytes]
  })
  return Buffer.concat([head(1), int4s(items.length, 1), ...parts])
}

function fixed(size: number, write: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.alloc(size)
  write(bytes)
  return bytes
}

function int4s(...values: number[]): Buffer {
  return fixed(values.length * 4, (bytes) => {
    values.forEach((value, i) => {
      bytes.writeInt32BE(value, i * 4)
    })
  })
}

const int8 = (value: bigint) => fixed(8, (bytes) => bytes.writeBigInt64BE(value))

function dateBinary(text: string): number {
  const moment = parseMoment(text)
  if (typeof moment !== 'string') return moment.days - EPOCH
  return moment === 'infinity' ? LAST_INT4 : -LAST_INT4 - 1
}

function momentBinary(text: string): bigint {
  const moment = parseMoment(text)
  if (typeof moment !== 'string') return BigInt(moment.days - EPOCH) * DAY + moment.micros
  return moment === 'infinity' ? LAST_INT8 : -LAST_INT8 - 1n
}

/** Digits in groups of four, with the weight of the first and the digits after the point. */
function numericBinary(text: string): Buffer {
  const isNegative = text.startsWith('-')
  const [whole = '', fraction = ''] = text.replace(/^[+-]/, '').split('.')
  const left = whole.replace(/^0+/, '')
  const groupsLeft = Math.ceil(left.length / 4)
  const right = fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0')
  const all = left.padStart(groupsLeft * 4, '0') + right
  const digits = (all.match(/\d{4}/g) ?? []).map(Number)
  let weight = groupsLeft - 1
  while (digits[0] === 0) {
    digits.shift()
    weight--
  }
  while (digits.at(-1) === 0) digits.pop()
  if (digits.length === 0) weight = 0
  return fixed(8 + digits.length * 2, (bytes) => {
    bytes.writeInt16BE(digits.length)
    bytes.writeInt16BE(weight, 2)
    bytes.writeUInt16BE(isNegative && digits.length > 0 ? 0x40_00 : 0, 4)
    bytes.writeInt16BE(fraction.length, 6)
    digits.forEach((digit, i) => {
      bytes.writeInt16BE(digit, 8 + i * 2)
    })
  })
}

function bitsBinary(text: string): Buffer {
  const bytes = text.match(/.{1,8}/g) ?? []
  return Buffer.concat([
    int4s(text.length),
    Buffer.from(bytes.map((bits) => Number.parseInt(bits.padEnd(8, '0'), 2))),
  ])
}
