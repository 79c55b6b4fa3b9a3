import type { ColumnType } from '../../define/types/column-type.js'
import type { Unfit } from '../dialect.js'

export const quote = (name: string) => `\`${name.replaceAll('`', '``')}\``

/** A text in SQL, where backslashes escape. */
export const text = (value: string) =>
  `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll('\0', '\\0')}'`

const types: Readonly<Partial<Record<ColumnType['kind'], string>>> = {
  string: 'longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
  json: 'json',
  uuid: 'char(36) CHARACTER SET ascii COLLATE ascii_bin',
  int: 'int',
  bigint: 'bigint',
  float: 'float',
  double: 'double',
  boolean: 'boolean',
  date: 'date',
  timestamp: 'datetime(6)',
  timestamptz: 'datetime(6)',
  binary: 'longblob',
  list: 'json',
  struct: 'json',
  map: 'json',
}

/** Digits behind the point that MySQL and MariaDB both hold. */
const SCALE = 30

/** Moments with a zone are kept in UTC: `timestamp` ends in 2038. */
export function typeOf(type: ColumnType): string | Unfit {
  if (type.kind === 'decimal' && type.scale > SCALE)
    return { unfit: `MySQL holds ${SCALE} digits behind the point, not ${type.scale}` }
  if (type.kind === 'decimal') return `decimal(${type.precision}, ${type.scale})`
  return types[type.kind] ?? { unfit: `${type.kind} has no counterpart in MySQL` }
}
