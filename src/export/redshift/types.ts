import type { ColumnType } from '../../define/types/column-type.js'
import type { Unfit } from '../dialect.js'

export const quote = (name: string) => `"${name.replaceAll('"', '""')}"`

/** A text in SQL: there, a backslash in one escapes what follows. */
export const text = (value: string) =>
  value
    .split('\\')
    .map((part) => `'${part.replaceAll("'", "''")}'`)
    .join(' || CHR(92) || ')

/** Bytes of the longest text that it holds. */
export const LONGEST = 65_535
const TEXT = `VARCHAR(${LONGEST})`
/** Digits behind the point that it holds. */
const SCALE = 37

interface Held {
  type: string
  /** The type of the column that COPY fills, where that is another one. */
  carrier?: string
  /** SQL for the value, made of what COPY has filled. */
  from?: (column: string) => string
}

const json: Held = { type: 'SUPER', carrier: TEXT, from: (column) => `JSON_PARSE(${column})` }

const types: Readonly<Partial<Record<ColumnType['kind'], Held>>> = {
  string: { type: TEXT },
  uuid: { type: 'VARCHAR(36)' },
  int: { type: 'INTEGER' },
  bigint: { type: 'BIGINT' },
  float: { type: 'REAL' },
  double: { type: 'DOUBLE PRECISION' },
  boolean: { type: 'BOOLEAN' },
  date: { type: 'DATE' },
  timestamp: { type: 'TIMESTAMP' },
  // COPY of Parquet knows no zones.
  timestamptz: {
    type: 'TIMESTAMPTZ',
    carrier: 'TIMESTAMP',
    from: (column) => `${column} AT TIME ZONE 'UTC'`,
  },
  binary: {
    type: `VARBYTE(${(LONGEST - 1) / 2})`,
    carrier: TEXT,
    from: (column) => `FROM_HEX(${column})`,
  },
  json,
  list: json,
  struct: json,
  map: json,
}

function heldAs(type: ColumnType): Held | Unfit {
  if (type.kind === 'decimal' && type.scale > SCALE)
    return { unfit: `Redshift holds ${SCALE} digits behind the point, not ${type.scale}` }
  if (type.kind === 'decimal') return { type: `DECIMAL(${type.precision}, ${type.scale})` }
  return types[type.kind] ?? { unfit: `${type.kind} has no counterpart in Redshift` }
}

export function typeOf(type: ColumnType): string | Unfit {
  const held = heldAs(type)
  return 'unfit' in held ? held : held.type
}

/** How COPY brings a column: the type that it fills, and the value that is made of that. */
export function carried(type: ColumnType): Required<Held> {
  const held = heldAs(type)
  const known = 'unfit' in held ? { type: TEXT } : held
  return { carrier: known.type, from: (column) => column, ...known }
}
