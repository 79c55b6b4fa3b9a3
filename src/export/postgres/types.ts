import type { ColumnType } from '../../define/types/column-type.js'
import type { Unfit } from '../dialect.js'

export const quote = (name: string) => `"${name.replaceAll('"', '""')}"`

/** A text in SQL, whatever the server makes of backslashes. */
export const text = (value: string) =>
  value.includes('\\')
    ? `E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
    : `'${value.replaceAll("'", "''")}'`

const types: Readonly<Partial<Record<ColumnType['kind'], string>>> = {
  string: 'text',
  json: 'jsonb',
  uuid: 'uuid',
  int: 'integer',
  bigint: 'bigint',
  float: 'real',
  double: 'double precision',
  boolean: 'boolean',
  date: 'date',
  timestamp: 'timestamp(6)',
  timestamptz: 'timestamptz(6)',
  binary: 'bytea',
  list: 'jsonb',
  struct: 'jsonb',
  map: 'jsonb',
}

/** Every type of the lake has one that holds all of its values. */
export function typeOf(type: ColumnType): string | Unfit {
  if (type.kind === 'decimal') return `numeric(${type.precision}, ${type.scale})`
  return types[type.kind] ?? { unfit: `${type.kind} has no counterpart in PostgreSQL` }
}
