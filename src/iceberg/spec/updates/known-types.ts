import type { IcebergType } from '../types.js'
import { isObject } from './json.js'
import { invalid } from './refused.js'

/** Types without parts (spec, Primitive Types), however their case. */
const PLAIN =
  /^(boolean|int|long|float|double|date|time|timestamp|timestamptz|timestamp_ns|timestamptz_ns|string|uuid|binary|unknown|variant|fixed\[\s*\d+\s*\]|(geometry|geography)(\(.*\))?)$/i
const DECIMAL = /^decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)$/i
const MOST_DIGITS = 38

/**
 * Refuses a type that the specification does not have: a table with such a column could be read by
 * nobody.
 *
 * @throws RefusedUpdate
 */
export function refuseUnknownTypes(type: unknown, column: string): void {
  if (typeof type === 'string') {
    if (!PLAIN.test(type) && !isDecimal(type)) throw unknown(column, type)
    return
  }
  if (!isObject(type)) throw unknown(column, String(type))
  const nested = type as unknown as Exclude<IcebergType, string>
  if (nested.type === 'struct' && Array.isArray(nested.fields))
    for (const field of nested.fields) refuseUnknownTypes(field?.type, `${column}.${field?.name}`)
  else if (nested.type === 'list') refuseUnknownTypes(nested.element, `${column}.element`)
  else if (nested.type === 'map') {
    refuseUnknownTypes(nested.key, `${column}.key`)
    refuseUnknownTypes(nested.value, `${column}.value`)
  } else throw unknown(column, String(type.type))
}

function isDecimal(type: string): boolean {
  const [, precision, scale] = DECIMAL.exec(type) ?? []
  const digits = Number(precision)
  return digits >= 1 && digits <= MOST_DIGITS && Number(scale) <= digits
}

const unknown = (column: string, type: string) =>
  invalid(`Column ${column} has the type ${type.slice(0, 80)}, which Iceberg does not have`)
