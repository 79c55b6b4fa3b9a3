import type { RowValue } from '../../../engine/engine.js'
import { dateOf, type Interval, parseInterval, parseMoment, parseZonedTime } from './moments.js'
import type { PgType } from './pg-type.js'

/** A value as PostgreSQL writes it in texts of its protocol; never for NULL. */
export function toText({ name }: PgType, value: Exclude<RowValue, null>): string {
  switch (name) {
    case 'bool':
      return value ? 't' : 'f'
    case 'float4':
      return floatText(Number(value), 9)
    case 'float8':
      return floatText(Number(value), 17)
    case 'bytea':
      return `\\x${Buffer.from(value as Uint8Array).toString('hex')}`
    case 'date':
      return dateText(String(value))
    case 'timestamp':
      return momentText(String(value), '')
    case 'timestamptz':
      return momentText(String(value), '+00')
    case 'timetz':
      return zonedText(String(value))
    case 'interval':
      return intervalText(parseInterval(String(value)))
    default:
      return typeof value === 'object' ? jsonText(value) : String(value)
  }
}

/** Items as an array of PostgreSQL: `{1,NULL,"a b"}`. */
export function arrayText(type: PgType, items: readonly RowValue[]): string {
  const shown = items.map((item) => (item === null ? 'NULL' : quoted(toText(type, item))))
  return `{${shown.join(',')}}`
}

function quoted(text: string): string {
  const isPlain = text !== '' && !/[\s{}",\\]/.test(text) && text.toUpperCase() !== 'NULL'
  return isPlain ? text : `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** The shortest text that gives the number back; of single precision with as few digits. */
function floatText(value: number, digits: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity'
  if (Object.is(value, -0)) return '-0'
  const isSingle = digits === 9
  const shortest = isSingle ? shortestSingle(value) : value.toExponential()
  const [mantissa = '', power = '0'] = shortest.split('e')
  const exponent = Number(power)
  // Where PostgreSQL goes over to exponents.
  if (exponent >= -4 && exponent < (isSingle ? 6 : 15)) return fixedText(mantissa, exponent)
  const size = String(Math.abs(exponent)).padStart(2, '0')
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${size}`
}

function shortestSingle(value: number): string {
  for (let precision = 0; precision < 8; precision++) {
    const text = value.toExponential(precision)
    if (isSame(text, value)) return toEven(text, value, precision)
  }
  return value.toExponential(8)
}

const isSame = (text: string, value: number) => Math.fround(Number(text)) === value

/**
 * Of two texts that are as near, the one that ends in an even digit: `toExponential` gives the
 * larger one.
 */
function toEven(text: string, value: number, precision: number): string {
  const [mantissa = '', power = '0'] = value.toExponential(60).split('e')
  const digits = mantissa.slice(0, mantissa.indexOf('.') + 1 + precision)
  const isTie = /^50*$/.test(mantissa.slice(digits.length)) && /[02468]\.?$/.test(digits)
  const even = `${digits.replace(/\.$/, '')}e${power}`
  return isTie && isSame(even, value) ? even : text
}

/** `1.25` and an exponent, as a number without one. */
function fixedText(mantissa: string, exponent: number): string {
  const sign = mantissa.startsWith('-') ? '-' : ''
  const digits = mantissa.replace(/[-.]/g, '')
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  const part = digits.slice(exponent + 1)
  return `${sign}${whole}${part && `.${part}`}`
}

function dateText(text: string): string {
  const moment = parseMoment(text)
  if (typeof moment === 'string') return moment
  const { year, month, day } = dateOf(moment.days)
  const counted = year > 0 ? year : 1 - year
  const date = [String(counted).padStart(4, '0'), two(month), two(day)].join('-')
  return `${date}${year > 0 ? '' : ' BC'}`
}

function momentText(text: string, zone: string): string {
  const moment = parseMoment(text)
  if (typeof moment === 'string') return moment
  const [date = '', era] = dateText(text).split(' ')
  return `${date} ${timeText(moment.micros)}${zone}${era ? ` ${era}` : ''}`
}

function zonedText(text: string): string {
  const { micros, east } = parseZonedTime(text)
  const abs = Math.abs(east)
  const parts = [Math.floor(abs / 3600), Math.floor(abs / 60) % 60, abs % 60].map(two)
  while (parts.length > 1 && parts.at(-1) === '00') parts.pop()
  return `${timeText(micros)}${east < 0 ? '-' : '+'}${parts.join(':')}`
}

function timeText(micros: bigint): string {
  const seconds = micros / 1_000_000n
  const parts = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n].map(two)
  const fraction = String(micros % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '')
  return `${parts.join(':')}${fraction && `.${fraction}`}`
}

const two = (part: number | bigint) => String(part).padStart(2, '0')

/** As `IntervalStyle` `postgres` has it: `1 year 2 mons -3 days +04:05:06.5`. */
function intervalText({ months, days, micros }: Interval): string {
  const parts: string[] = []
  let isAfterNegative = false
  const add = (count: number, unit: string) => {
    if (count === 0) return
    const sign = isAfterNegative && count > 0 ? '+' : ''
    parts.push(`${sign}${count} ${unit}${count === 1 ? '' : 's'}`)
    isAfterNegative = count < 0
  }
  add(Math.trunc(months / 12), 'year')
  add(months % 12, 'mon')
  add(days, 'day')
  if (micros !== 0n || parts.length === 0) {
    const sign = micros < 0n ? '-' : isAfterNegative ? '+' : ''
    parts.push(`${sign}${timeText(micros < 0n ? -micros : micros)}`)
  }
  return parts.join(' ')
}

/** Values within values, should the engine not have written them itself. */
function jsonText(value: RowValue): string {
  return JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? String(item) : item))
}
