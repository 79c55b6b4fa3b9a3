import type { IcebergField, IcebergType } from './types.js'
import { isObject } from './updates/json.js'

/** The property by which engines read files without field ids (spec, Name Mapping). */
export const NAME_MAPPING = 'schema.name-mapping.default'

/** What columns may be called in files that have no field ids: by the columns' names. */
export type NamesInFiles = Readonly<Record<string, readonly string[]>>

/** Properties of a table, if it has any. */
export type Properties = Readonly<Record<string, string>> | undefined

/** Whether a table may have files without field ids. */
export const hasNameMapping = (properties: Properties): boolean =>
  properties?.[NAME_MAPPING] !== undefined

/**
 * What the columns of a table are called in files without field ids. One of which no name is told
 * is in none of them.
 *
 * @returns `undefined` where the property is no name mapping.
 */
export function namesInFiles(
  properties: Properties,
  fields: readonly IcebergField[],
): NamesInFiles | undefined {
  let mapping: unknown
  try {
    mapping = JSON.parse(properties?.[NAME_MAPPING] ?? '')
  } catch {
    return undefined
  }
  if (!Array.isArray(mapping) || !mapping.every(isNamed)) return undefined
  // SQL does not tell names apart by their case.
  const all = mapping.flatMap(({ names }) => [...new Set(names.map((name) => name.toLowerCase()))])
  if (new Set(all).size < all.length) return undefined
  const once = (names: readonly string[]) =>
    names.filter(
      (name, i) => names.findIndex((one) => one.toLowerCase() === name.toLowerCase()) === i,
    )
  const names = new Map(mapping.map((one) => [one['field-id'], once(one.names)]))
  return Object.fromEntries(fields.map(({ id, name }) => [name, names.get(id) ?? []]))
}

interface Named {
  'field-id'?: number
  names: readonly string[]
}

const isNamed = (value: unknown): value is Named =>
  isObject(value) &&
  Array.isArray(value.names) &&
  value.names.every((name) => typeof name === 'string')

/** Whether a type has fields with names, which would have to be mapped, too. */
export function hasNamedFields(type: IcebergType): boolean {
  if (typeof type === 'string') return false
  if (type.type === 'list') return hasNamedFields(type.element)
  return type.type === 'struct' || hasNamedFields(type.key) || hasNamedFields(type.value)
}
