import { quoteName } from '../../../define/sql/sql.js'
import type { NamesInFiles } from '../../../iceberg/spec/name-mapping.js'
import type { IcebergField, IcebergType } from '../../../iceberg/spec/types.js'
import { fileType } from '../../file-type.js'

/** A column, or a field within one, that is found by its names. */
type Field = Pick<IcebergField, 'id' | 'type'>

/**
 * SQL for the value of a field in a file without field ids: under the first of its names that has
 * one, and the same for the fields within it.
 *
 * @param at what stands at a name.
 */
export function valueByNames(
  { id, type }: Field,
  at: (name: string) => string,
  names: NamesInFiles,
  depth = 0,
): string {
  const found = (names[id] ?? []).map((name) => mapped(type, at(name), names, depth))
  if (found.length > 1) return `coalesce(${found.join(', ')})`
  return found[0] ?? `CAST(NULL AS ${fileType(type)})`
}

/** A value with the fields that its type has, under their own names. */
function mapped(type: IcebergType, value: string, names: NamesInFiles, depth: number): string {
  if (typeof type === 'string') return value
  const each = `_x${depth}`
  if (type.type === 'list') {
    const element = mapped(type.element, each, names, depth + 1)
    return element === each ? value : `list_transform(${value}, lambda ${each}: ${element})`
  }
  if (type.type === 'map') {
    const [own, to] = [`${each}.key`, `${each}.value`]
    const [key, held] = [type.key, type.value].map((part, i) =>
      mapped(part, i === 0 ? own : to, names, depth + 1),
    )
    if (key === own && held === to) return value
    const entry = `struct_pack(key := ${key}, value := ${held})`
    return `map_from_entries(list_transform(map_entries(${value}), lambda ${each}: ${entry}))`
  }
  const fields = type.fields.map((field) => {
    const inside = valueByNames(field, (name) => `(${value}).${quoteName(name)}`, names, depth)
    return `${quoteName(field.name)} := ${inside}`
  })
  return `CASE WHEN ${value} IS NULL THEN NULL ELSE struct_pack(${fields.join(', ')}) END`
}

/** A type that has the fields of its own under all of their names. */
export function typeByNames(type: IcebergType, names: NamesInFiles): string {
  if (typeof type === 'string') return fileType(type)
  if (type.type === 'list') return `${typeByNames(type.element, names)}[]`
  if (type.type === 'map')
    return `MAP(${typeByNames(type.key, names)}, ${typeByNames(type.value, names)})`
  const fields = type.fields.flatMap((field) =>
    (names[field.id] ?? []).map((name) => `${quoteName(name)} ${typeByNames(field.type, names)}`),
  )
  return fields.length > 0 ? `STRUCT(${fields.join(', ')})` : fileType(type)
}
