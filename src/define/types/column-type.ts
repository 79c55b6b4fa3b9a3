/**
 * The type of a column, as Moraine, its engines and Iceberg agree on it.
 * `json` and `uuid` are texts that are checked; they are stored as strings.
 */
export type ColumnType =
  | { kind: ScalarKind }
  | { kind: 'decimal'; precision: number; scale: number }
  | { kind: 'list'; element: ColumnType }
  | { kind: 'struct'; fields: readonly Field[] }
  | { kind: 'map'; key: ColumnType; value: ColumnType }

export type ScalarKind =
  | 'string'
  | 'json'
  | 'uuid'
  | 'int'
  | 'bigint'
  | 'float'
  | 'double'
  | 'boolean'
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  | 'binary'

export interface Field {
  name: string
  type: ColumnType
  description?: string
}

/** The type in words, as plans and errors show it: `decimal(12,2)`, `list<string>`. */
export function typeName(type: ColumnType): string {
  switch (type.kind) {
    case 'decimal':
      return `decimal(${type.precision},${type.scale})`
    case 'list':
      return `list<${typeName(type.element)}>`
    case 'struct':
      return `struct<${type.fields.map((f) => `${f.name}: ${typeName(f.type)}`).join(', ')}>`
    case 'map':
      return `map<${typeName(type.key)}, ${typeName(type.value)}>`
    default:
      return type.kind
  }
}

export function sameType(a: ColumnType, b: ColumnType): boolean {
  return typeName(a) === typeName(b)
}
