import type { ColumnType, Field } from '../../define/types/column-type.js'
import { ownValue } from '../../own-value.js'

/** A type as table metadata spells it (Iceberg spec, Appendix C). */
export type IcebergType = string | ListType | MapType | StructType

export interface ListType {
  type: 'list'
  'element-id': number
  element: IcebergType
  'element-required': boolean
}

export interface MapType {
  type: 'map'
  'key-id': number
  key: IcebergType
  'value-id': number
  value: IcebergType
  'value-required': boolean
}

export interface StructType {
  type: 'struct'
  fields: IcebergField[]
}

export interface IcebergField {
  id: number
  name: string
  required: boolean
  type: IcebergType
  doc?: string
}

export interface Schema extends StructType {
  'schema-id': number
  'identifier-field-ids'?: number[]
}

const primitives: Record<string, string> = {
  json: 'string',
  uuid: 'string',
  bigint: 'long',
}

export interface NewSchema {
  fields: IcebergField[]
  lastColumnId: number
}

/**
 * Columns as Iceberg fields. A column that the previous schema has under the same name (or its old
 * one) and with the same or a narrower type keeps its ids; all others get new ones, so that an old
 * file is never misread (spec, Schema Evolution).
 *
 * @param renamed new names of columns, by the old ones.
 */
export function toFields(
  columns: readonly Field[],
  previous: readonly IcebergField[],
  lastColumnId: number,
  renamed: Readonly<Record<string, string>> = {},
): NewSchema {
  let last = lastColumnId
  const nextId = () => ++last
  const build = (column: Field, olds: readonly IcebergField[]): IcebergField => {
    const names = olds === previous ? renamed : {}
    const named = olds.find((o) => (ownValue(names, o.name) ?? o.name) === column.name)
    const old = named && keepsId(named.type, column.type) ? named : undefined
    const id = old?.id ?? nextId()
    const doc = column.description ? { doc: column.description } : {}
    return { id, name: column.name, required: false, type: typeOf(column.type, old?.type), ...doc }
  }
  const typeOf = (type: ColumnType, old: IcebergType | undefined): IcebergType => {
    if (type.kind === 'list') {
      const before = old && typeof old === 'object' && old.type === 'list' ? old : undefined
      const elementId = before?.['element-id'] ?? nextId()
      const element = typeOf(type.element, before?.element)
      return { type: 'list', 'element-id': elementId, element, 'element-required': false }
    }
    if (type.kind === 'struct') {
      const before = old && typeof old === 'object' && old.type === 'struct' ? old.fields : []
      return { type: 'struct', fields: type.fields.map((field) => build(field, before)) }
    }
    if (type.kind === 'map') {
      const before = old && typeof old === 'object' && old.type === 'map' ? old : undefined
      return {
        type: 'map',
        'key-id': before?.['key-id'] ?? nextId(),
        key: typeOf(type.key, before?.key),
        'value-id': before?.['value-id'] ?? nextId(),
        value: typeOf(type.value, before?.value),
        'value-required': false,
      }
    }
    return primitiveOf(type)
  }
  const fields = columns.map((column) => build(column, previous))
  return { fields, lastColumnId: last }
}

function primitiveOf(type: ColumnType): string {
  if (type.kind === 'decimal') return `decimal(${type.precision}, ${type.scale})`
  return primitives[type.kind] ?? type.kind
}

/** Whether values stored as `old` can be read as `type` under the same field id. */
function keepsId(old: IcebergType, type: ColumnType): boolean {
  if (typeof old !== 'string') return old.type === type.kind
  if (type.kind === 'list' || type.kind === 'struct' || type.kind === 'map') return false
  const to = primitiveOf(type)
  const [a, b] = [decimalOf(old), decimalOf(to)]
  if (a && b) return a.scale === b.scale && b.precision >= a.precision
  return old === to || (old === 'int' && to === 'long') || (old === 'float' && to === 'double')
}

/** The column type of an Iceberg type. */
export function toColumnType(type: IcebergType): ColumnType {
  if (typeof type !== 'string') {
    if (type.type === 'list') return { kind: 'list', element: toColumnType(type.element) }
    if (type.type === 'map')
      return { kind: 'map', key: toColumnType(type.key), value: toColumnType(type.value) }
    const fields = type.fields.map((f) => ({ name: f.name, type: toColumnType(f.type) }))
    return { kind: 'struct', fields }
  }
  const decimal = decimalOf(type)
  if (decimal) return { kind: 'decimal', ...decimal }
  return {
    kind: ownValue(others, type) ?? (type.startsWith('fixed[') ? 'binary' : type),
  } as ColumnType
}

/** Types under other names; a time of day is read as its text. */
const others: Readonly<Record<string, string>> = { long: 'bigint', time: 'string' }

/** A type as people write it: `list<long>`, `struct<a: int, b: string>`. */
export function typeText(type: IcebergType): string {
  if (typeof type === 'string') return type
  if (type.type === 'list') return `list<${typeText(type.element)}>`
  if (type.type === 'map') return `map<${typeText(type.key)}, ${typeText(type.value)}>`
  return `struct<${type.fields.map((f) => `${f.name}: ${typeText(f.type)}`).join(', ')}>`
}

export function decimalOf(type: string): { precision: number; scale: number } | undefined {
  const match = /^decimal\((\d+),\s*(\d+)\)$/.exec(type)
  return match ? { precision: Number(match[1]), scale: Number(match[2]) } : undefined
}

/** The type of a field that has no parts; a partition is made of one. */
export function sourceType(schema: Schema, id: number): string {
  const type = schema.fields.find((f) => f.id === id)?.type
  return typeof type === 'string' ? type : 'string'
}
