import { quoteName } from '../sql/sql.js'
import type { ColumnType } from './column-type.js'

const scalars: Record<string, string> = {
  string: 'VARCHAR',
  json: 'VARCHAR',
  uuid: 'VARCHAR',
  int: 'INTEGER',
  bigint: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  boolean: 'BOOLEAN',
  date: 'DATE',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMP WITH TIME ZONE',
  binary: 'BLOB',
}

/** The type in DuckDB's dialect, spelt as DuckDB itself spells it. */
export function sqlType(type: ColumnType): string {
  switch (type.kind) {
    case 'decimal':
      return `DECIMAL(${type.precision},${type.scale})`
    case 'list':
      return `${sqlType(type.element)}[]`
    case 'struct':
      return `STRUCT(${type.fields.map((f) => `${quoteName(f.name)} ${sqlType(f.type)}`).join(', ')})`
    case 'map':
      return `MAP(${sqlType(type.key)}, ${sqlType(type.value)})`
    default:
      return scalars[type.kind] as string
  }
}

/**
 * The type of the whole numbers among those of a decimal type with digits after the point; for
 * others, and too long ones, none.
 */
export function wholeType(type: string): string | undefined {
  const [, precision, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(type) ?? []
  if (scale === undefined || scale === '0') return undefined
  const digits = Number(precision) - Number(scale)
  return digits <= 9 ? 'INTEGER' : digits <= 18 ? 'BIGINT' : undefined
}
