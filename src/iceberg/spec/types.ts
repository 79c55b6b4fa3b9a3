import type { ColumnType, Field } from '../../define/column-type.js'

/** A type as table metadata spells it (Iceberg spec, Appendix C). */
export type IcebergType = string | ListType | StructType

export interface ListType {
  type: 'list'
  'element-id': number
  element: IcebergType
  'element-required': boolean
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
 * Columns as Iceberg fields. A column that the previous schema has under the same name and with the
 * same type keeps its ids; all others get new ones, so that an old file is never misread.
 */
export function toFields(
  columns: readonly Field[],
  previous: readonly IcebergField[],
  lastColumnId: number,
): NewSchema {
  let last = lastColumnId
  const nextId = () => ++last
  const build = (column: Field, olds: readonly IcebergField[]): IcebergField => {
    const old = olds.find((o) => o.name === column.name && sameShape(o.type, column.type))
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
function sameShape(old: IcebergType, type: ColumnType): boolean {
  if (typeof old === 'string') return old.replace(' ', '') === primitiveOf(type).replace(' ', '')
  return old.type === type.kind
}

/** The column type of an Iceberg type. */
export function toColumnType(type: IcebergType): ColumnType {
  if (typeof type !== 'string')
    return type.type === 'list'
      ? { kind: 'list', element: toColumnType(type.element) }
      : {
          kind: 'struct',
          fields: type.fields.map((f) => ({ name: f.name, type: toColumnType(f.type) })),
        }
  const decimal = decimalOf(type)
  if (decimal) return { kind: 'decimal', ...decimal }
  return { kind: type === 'long' ? 'bigint' : type } as ColumnType
}

export function decimalOf(type: string): { precision: number; scale: number } | undefined {
  const match = /^decimal\((\d+),\s*(\d+)\)$/.exec(type)
  return match ? { precision: Number(match[1]), scale: Number(match[2]) } : undefined
}

export function sameFields(a: readonly IcebergField[], b: readonly IcebergField[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
