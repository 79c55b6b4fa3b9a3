import { isObject } from './updates/json.js'

/** The property by which engines read files without field ids (spec, Name Mapping). */
export const NAME_MAPPING = 'schema.name-mapping.default'

/**
 * What columns, and the fields within them, may be called in files that have no field ids: by their
 * own ids.
 */
export type NamesInFiles = Readonly<Record<number, readonly string[]>>

/** Properties of a table, if it has any. */
export type Properties = Readonly<Record<string, string>> | undefined

/** Whether a table may have files without field ids. */
export const hasNameMapping = (properties: Properties): boolean =>
  properties?.[NAME_MAPPING] !== undefined

/**
 * What the columns of a table are called in files without field ids, and the fields within them.
 * One of which no name is told is in none of the files.
 *
 * @returns `undefined` where the property is no name mapping.
 */
export function namesInFiles(properties: Properties): NamesInFiles | undefined {
  let mapping: unknown
  try {
    mapping = JSON.parse(properties?.[NAME_MAPPING] ?? '')
  } catch {
    return undefined
  }
  const names: Record<number, readonly string[]> = {}
  return addNames(mapping, names) ? names : undefined
}

/** Adds the names of fields that stand side by side, and of those within them. */
function addNames(fields: unknown, names: Record<number, readonly string[]>): boolean {
  if (!Array.isArray(fields) || !fields.every(isNamed)) return false
  // SQL does not tell names apart by their case.
  const own = fields.map((field) => {
    const lower = field.names.map((name) => name.toLowerCase())
    return { field, names: field.names.filter((_, i) => lower.indexOf(lower[i] as string) === i) }
  })
  const all = own.flatMap((one) => one.names.map((name) => name.toLowerCase()))
  if (new Set(all).size < all.length) return false
  for (const { field, names: once } of own)
    if (field['field-id'] !== undefined) names[field['field-id']] = once
  return fields.every(({ fields: within }) => within === undefined || addNames(within, names))
}

interface Named {
  'field-id'?: number
  names: readonly string[]
  fields?: unknown
}

const isNamed = (value: unknown): value is Named =>
  isObject(value) &&
  Array.isArray(value.names) &&
  value.names.every((name) => typeof name === 'string')
