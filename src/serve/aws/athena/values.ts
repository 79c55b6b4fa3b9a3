import type { RowValue } from '../../../engine/engine.js'
import { isFloat, type TrinoType, typeOfEngine } from '../../../sql/trino/types.js'

/** Values of a column as Athena writes them in results; `null` for NULL. */
export function writerOf(engineType: string): (value: RowValue | undefined) => string | null {
  const type = typeOfEngine(engineType)
  return (value) => (value === null || value === undefined ? null : textOf(value, type))
}

function textOf(value: Exclude<RowValue, null>, type: TrinoType | undefined): string {
  if (typeof value === 'number')
    return type === undefined || isFloat(type) ? doubleText(value) : String(value)
  if (value instanceof Uint8Array)
    return [...value].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
  if (type?.name === 'timestamp' || type?.name === 'timestamptz')
    return timeText(String(value), type)
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

/** A double as Java writes it: 1.0, 1.0E10. */
function doubleText(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  if (size >= 1e-3 && size < 1e7) {
    const text = String(value)
    return text.includes('.') ? text : `${text}.0`
  }
  const [digits = '', exponent = ''] = value.toExponential().split('e')
  return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`
}

/** Times with three digits of a second, or with six where they need them. */
function timeText(value: string, type: TrinoType): string {
  const plain = value.replace('T', ' ').replace(/(Z|\+00(:00)?)$/, '')
  const [seconds = '', fraction = ''] = plain.split('.')
  const digits = fraction.padEnd(6, '0')
  const shown = digits.endsWith('000') ? digits.slice(0, 3) : digits
  return `${seconds}.${shown}${type.name === 'timestamptz' ? ' UTC' : ''}`
}
