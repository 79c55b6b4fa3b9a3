import type { RowValue } from '../../../engine/engine.js'
import { isFloat, type TrinoType } from '../../../sql/trino/types.js'
import { resultType } from './types.js'

/**
 * Values of a column as Athena writes them in results; `null` for NULL.
 *
 * @param stated its type, as the statement has it.
 */
export function writerOf(
  engineType: string,
  stated?: TrinoType,
): (value: RowValue | undefined) => string | null {
  const type = resultType(engineType, stated)
  return (value) => (value === null || value === undefined ? null : textOf(value, type))
}

function textOf(value: Exclude<RowValue, null>, type: TrinoType | undefined): string {
  if (typeof value === 'number')
    return type === undefined || isFloat(type) ? floatText(value, type) : String(value)
  if (value instanceof Uint8Array)
    return [...value].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
  // Seen in a zone, it is a text already.
  if (type?.zone !== undefined) return String(value)
  if (type && /^time/.test(type.name)) return timeText(String(value), type)
  if (Array.isArray(value)) {
    const [of, to] = type?.of ?? []
    if (type?.name === 'map') return `{${value.map((pair) => entryText(pair, of, to)).join(', ')}}`
    return `[${value.map((one) => inner(one, of)).join(', ')}]`
  }
  if (typeof value === 'object') {
    const parts = Object.entries(value).map(
      ([name, one], i) =>
        `${name}=${inner(one, type?.name === 'map' ? type.of?.[1] : type?.of?.[i])}`,
    )
    return `{${parts.join(', ')}}`
  }
  return String(value)
}

const inner = (value: RowValue, type: TrinoType | undefined) =>
  value === null ? 'null' : textOf(value, type)

function entryText(pair: RowValue, key: TrinoType | undefined, to: TrinoType | undefined): string {
  const { key: k = null, value = null } = (pair ?? {}) as Record<string, RowValue>
  return `${inner(k, key)}=${inner(value, to)}`
}

/** A number as Java writes it: 1.0, 1.0E10. */
function floatText(value: number, type: TrinoType | undefined): string {
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  const least = type?.name === 'real' ? shortest(value) : value
  if (size >= 1e-3 && size < 1e7) {
    const text = String(least)
    return text.includes('.') ? text : `${text}.0`
  }
  const [digits = '', exponent = ''] = least.toExponential().split('e')
  return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`
}

/** Of numbers of 32 bits, that with the fewest digits. */
function shortest(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const found = Number(value.toPrecision(digits))
    if (Math.fround(found) === Math.fround(value)) return found
  }
  return value
}

/** Times with three digits of a second, or with six where they need them. */
function timeText(value: string, type: TrinoType): string {
  if (type.name === 'timetz') return zonedText(value)
  const plain = value.replace('T', ' ').replace(/(Z|\+00(:00)?)$/, '')
  const [seconds = '', fraction = ''] = plain.split('.')
  const digits = fraction.padEnd(6, '0')
  const shown = digits.endsWith('000') ? digits.slice(0, 3) : digits
  return `${seconds}.${shown}${type.name === 'timestamptz' ? ' UTC' : ''}`
}

/** A time of a day with its difference to UTC, as in 10:00:00.000+02:00. */
function zonedText(value: string): string {
  const [, clock = value, zone = '+00'] = /^(.*?)([+-]\d\d(?::\d\d)?)?$/.exec(value) ?? []
  const time = timeText(clock, { name: 'time' })
  return `${time}${zone.length === 3 ? `${zone}:00` : zone}`
}
