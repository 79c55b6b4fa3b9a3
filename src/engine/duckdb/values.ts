import type { DuckDBValue } from '@duckdb/node-api'
import type { RowValue } from '../engine.js'
import {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
} from './driver.js'

const DAY_MS = 86_400_000

/** Turns the driver's values into the plain ones that programs see. */
export function plainValue(value: DuckDBValue): RowValue {
  if (value === null || typeof value !== 'object') return value as RowValue
  if (value instanceof DuckDBDecimalValue) return value.toString()
  if (value instanceof DuckDBDateValue) return isoDate(value)
  if (value instanceof DuckDBTimestampValue) return isoMicros(value.micros) ?? value.toString()
  if (value instanceof DuckDBTimestampTZValue) {
    const iso = isoMicros(value.micros)
    return iso === undefined ? value.toString() : `${iso}Z`
  }
  if (value instanceof DuckDBListValue) return value.items.map(plainValue)
  if (value instanceof DuckDBStructValue)
    return Object.fromEntries(Object.entries(value.entries).map(([k, v]) => [k, plainValue(v)]))
  if (value instanceof DuckDBBlobValue) return value.bytes
  return String(value)
}

/** Days of the date that is after all others; the one before them has as many below zero. */
const INFINITE = 2 ** 31 - 1

function isoDate(value: DuckDBDateValue): string {
  if (Math.abs(value.days) === INFINITE) return value.days > 0 ? 'infinity' : '-infinity'
  const iso = new Date(value.days * DAY_MS)
  return Number.isNaN(iso.getTime()) ? value.toString() : iso.toISOString().replace(/T.*/, '')
}

/** `2008-02-18T02:36:48.000000`; `undefined` for infinity. */
function isoMicros(micros: bigint): string | undefined {
  const rest = ((micros % 1000n) + 1000n) % 1000n
  const date = new Date(Number((micros - rest) / 1000n))
  if (Number.isNaN(date.getTime())) return undefined
  return `${date.toISOString().slice(0, -1)}${String(rest).padStart(3, '0')}`
}
