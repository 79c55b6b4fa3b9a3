import type { ColumnType } from '../../define/types/column-type.js'
import type { BoundType, SimpleType } from './tree.js'

const simple: Readonly<Record<string, SimpleType>> = {
  NULL: 'null',
  BOOLEAN: 'boolean',
  TINYINT: 'tinyint',
  SMALLINT: 'smallint',
  INTEGER: 'integer',
  BIGINT: 'bigint',
  HUGEINT: 'hugeint',
  FLOAT: 'float',
  DOUBLE: 'double',
  VARCHAR: 'varchar',
  DATE: 'date',
  TIMESTAMP: 'timestamp',
  'TIMESTAMP WITH TIME ZONE': 'timestamptz',
  BLOB: 'blob',
}

/** A type of the binder's JSON. */
export function readType(raw: unknown): BoundType {
  const { id, type_info: info } = raw as { id: string; type_info?: Record<string, unknown> | null }
  if (id === 'DECIMAL' && info)
    return { id: 'decimal', precision: Number(info.width), scale: Number(info.scale) }
  const known = simple[id]
  // A collation or a name of its own, as enums have it, makes it another type.
  return known && (info === null || info === undefined) ? { id: known } : { id: 'other', name: id }
}

/** The type of a stored column. */
export function storedType(type: ColumnType): BoundType {
  switch (type.kind) {
    case 'string':
    case 'json':
    case 'uuid':
      return { id: 'varchar' }
    case 'int':
      return { id: 'integer' }
    case 'binary':
      return { id: 'blob' }
    case 'decimal':
      return { id: 'decimal', precision: type.precision, scale: type.scale }
    case 'list':
    case 'struct':
    case 'map':
      return { id: 'other', name: type.kind.toUpperCase() }
    default:
      return { id: type.kind }
  }
}

/** As DuckDB writes it. */
export function nameOf(type: BoundType): string {
  if (type.id === 'decimal') return `DECIMAL(${type.precision},${type.scale})`
  if (type.id === 'other') return type.name
  return type.id === 'timestamptz' ? 'TIMESTAMPTZ' : type.id.toUpperCase()
}

export function same(a: BoundType, b: BoundType): boolean {
  return nameOf(a) === nameOf(b)
}

/** What values of a type are: patterns of the list of functions name these. */
export type TypeClass =
  | 'boolean'
  /** 8 to 64 bits. */
  | 'integer'
  | 'hugeint'
  | 'decimal'
  | 'double'
  | 'text'
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  | 'binary'
  | 'none'

export function classOf(type: BoundType): TypeClass {
  switch (type.id) {
    case 'tinyint':
    case 'smallint':
    case 'integer':
    case 'bigint':
      return 'integer'
    case 'varchar':
      return 'text'
    case 'blob':
      return 'binary'
    case 'float':
    case 'null':
    case 'other':
      return 'none'
    default:
      return type.id
  }
}

/** Types whose values all engines compare, group and sort alike. */
export const comparable: ReadonlySet<TypeClass> = new Set<TypeClass>([
  'boolean',
  'integer',
  'hugeint',
  'decimal',
  'text',
  'date',
  'timestamp',
  'timestamptz',
])

/** Digits that a whole number of the type may have; `undefined` where it is none. */
export function digitsOf(type: BoundType): number | undefined {
  const digits: Partial<Record<BoundType['id'], number>> = {
    tinyint: 3,
    smallint: 5,
    integer: 10,
    bigint: 19,
    hugeint: 38,
  }
  return type.id === 'decimal' ? type.precision - type.scale : digits[type.id]
}
