import { type Raw, unknown } from './json.js'
import type { BoundType, Expression, Offset } from './tree.js'
import { classOf, digitsOf, nameOf, readType } from './types.js'

/** A constant of the binder's JSON. */
export function constantOf({ type: rawType, is_null: isNull, value }: Raw, at: Offset): Expression {
  const type = readType(rawType)
  if (isNull) return { is: 'constant', value: null, type, at }
  switch (classOf(type)) {
    case 'boolean':
      return { is: 'constant', value: Boolean(value), type, at }
    case 'integer':
    case 'hugeint':
      return { is: 'constant', value: String(wholeOf(value)), type, at }
    case 'decimal': {
      const { scale } = type as Extract<BoundType, { id: 'decimal' }>
      return { is: 'constant', value: withPoint(wholeOf(value), scale), type, at }
    }
    case 'double':
      if (typeof value === 'number') return { is: 'constant', value: digits(value), type, at }
      break
    case 'text':
      if (typeof value === 'string' && !value.includes('\0'))
        return { is: 'constant', value, type, at }
  }
  throw unknown(`a constant of type ${nameOf(type)}`, at)
}

/** 64 bits are a number, 128 two. */
function wholeOf(value: unknown): bigint {
  if (typeof value !== 'object' || value === null) return BigInt(value as number | bigint)
  const { upper, lower } = value as { upper: number | bigint; lower: number | bigint }
  return (BigInt(upper) << 64n) + BigInt(lower)
}

function withPoint(unscaled: bigint, scale: number): string {
  const minus = unscaled < 0n ? '-' : ''
  const all = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  return scale === 0
    ? `${minus}${all}`
    : `${minus}${all.slice(0, -scale)}.${all.slice(all.length - scale)}`
}

/** All digits, without letters where SQL would take the number for a decimal. */
const digits = (value: number) => (Object.is(value, -0) ? '-0.0' : String(value))

/**
 * A cast; that of a constant is done here, where it has but one meaning: engines read texts
 * differently.
 */
export function foldCast(of: Expression, type: BoundType, at: Offset): Expression {
  if (of.is === 'constant') {
    const from = of.type
    if (of.value === null || nameOf(from) === nameOf(type)) return { ...of, type }
    const read = from.id === 'varchar' ? readText(String(of.value), type) : undefined
    if (read !== undefined) return { is: 'constant', value: read, type, at: of.at ?? at }
    const whole = classOf(from) === 'integer' || from.id === 'hugeint'
    if (whole && fits(String(of.value), type))
      return { is: 'constant', value: asType(String(of.value), type), type, at: of.at ?? at }
  }
  return { is: 'cast', of, type, at: at ?? of.at }
}

const DATE = /^(?!0000)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/
const TIME = /^(?!0000)\d{4}-\d\d-\d\d ([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?$/

/** What a text gives as a type, where every engine would agree. */
function readText(text: string, type: BoundType): string | boolean | undefined {
  switch (classOf(type)) {
    case 'boolean':
      return { t: true, true: true, f: false, false: false }[text]
    case 'date':
      return DATE.test(text) && isDay(text) ? text : undefined
    case 'timestamp':
      if (DATE.test(text) && isDay(text)) return `${text} 00:00:00`
      return TIME.test(text) && isDay(text.slice(0, 10)) ? text : undefined
    case 'integer':
    case 'hugeint':
    case 'decimal':
      return /^-?\d+(\.\d+)?$/.test(text) && fits(text, type) ? asType(text, type) : undefined
    default:
      return undefined
  }
}

/** Whether a calendar has the day: the 30th of February is none. */
function isDay(day: string): boolean {
  const time = new Date(`${day}T00:00:00Z`)
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(day)
}

/** Whether a number is one of a type, with all of its digits. */
function fits(number: string, type: BoundType): boolean {
  const [whole = '', fraction = ''] = number.replace('-', '').split('.')
  const most = digitsOf(type)
  if (most === undefined) return false
  if (type.id === 'decimal')
    return fraction.length <= type.scale && whole.replace(/^0+/, '').length <= most
  const bits = { tinyint: 7n, smallint: 15n, integer: 31n, bigint: 63n }[type.id as 'bigint']
  const value = BigInt(whole)
  const end = bits === undefined ? 10n ** 38n : 1n << bits
  return fraction === '' && value < end
}

function asType(number: string, type: BoundType): string {
  if (type.id !== 'decimal') return String(BigInt(number))
  const [whole = '', fraction = ''] = number.split('.')
  return withPoint(BigInt(whole + fraction.padEnd(type.scale, '0')), type.scale)
}
