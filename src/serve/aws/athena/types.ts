import { isInterval, shown, type TrinoType, typeOfEngine } from '../../../sql/trino/types.js'

/** A column as results describe it. */
export interface ColumnInfo {
  Name: string
  Label: string
  Type: string
  CatalogName: string
  SchemaName: string
  TableName: string
  Precision: number
  Scale: number
  Nullable: 'UNKNOWN' | 'NOT_NULL' | 'NULLABLE'
  CaseSensitive: boolean
}

const PRECISIONS: Readonly<Record<string, number>> = {
  boolean: 0,
  tinyint: 3,
  smallint: 5,
  integer: 10,
  bigint: 19,
  float: 17,
  double: 17,
  varchar: 2 ** 31 - 1,
  varbinary: 1_073_741_824,
  time: 3,
  'time with time zone': 3,
  timestamp: 3,
  'timestamp with time zone': 3,
}

const NAMES: Readonly<Record<string, string>> = {
  real: 'float',
  timestamptz: 'timestamp with time zone',
  timetz: 'time with time zone',
}

/** The name of a type in results: its parts are not told. */
function typeName(type: TrinoType | undefined): string {
  if (!type) return 'varchar'
  return isInterval(type) ? shown(type) : (NAMES[type.name] ?? type.name)
}

/** What the engine has as a text or a list, where the statement says what it is. */
const SHOWN_AS: Readonly<Record<string, string>> = {
  char: 'varchar',
  ipaddress: 'varchar',
  json: 'varchar',
  interval: 'varchar',
  'interval of days': 'varchar',
  'interval of months': 'varchar',
  map: 'array',
}

/**
 * The type of a result's column: that of the statement, unless the engine has another kind of
 * values there, as it has where they are masked.
 */
export function resultType(engineType: string, stated?: TrinoType): TrinoType | undefined {
  const found = typeOfEngine(engineType)
  if (!stated || !found) return found
  const expected = stated.zone === undefined ? (SHOWN_AS[stated.name] ?? stated.name) : 'varchar'
  return found.name === expected ? stated : found
}

export function columnInfo(name: string, engineType: string, stated?: TrinoType): ColumnInfo {
  const type = resultType(engineType, stated)
  const Type = typeName(type)
  const isSized = type?.name === 'decimal' || type?.name === 'char'
  return {
    ...{ CatalogName: 'hive', SchemaName: '', TableName: '' },
    ...{ Name: name, Label: name, Type },
    Precision: isSized ? (type.precision ?? 38) : (PRECISIONS[Type] ?? 0),
    Scale: type?.name === 'decimal' ? (type.scale ?? 0) : 0,
    Nullable: 'UNKNOWN',
    CaseSensitive: Type === 'varchar' || Type === 'char',
  }
}

/** A type as catalogs write it, which is Hive's way: `array<int>`, `decimal(12,2)`, `timestamp`. */
export function hiveType(engineType: string): string {
  const type = typeOfEngine(engineType)
  return type ? hive(type) : 'string'
}

function hive(type: TrinoType): string {
  const { name, of = [], fields = [] } = type
  if (name === 'array' || name === 'map') return `${name}<${of.map(hive).join(',')}>`
  if (name === 'row')
    return `struct<${of.map((one, i) => `${fields[i] ?? `field${i}`}:${hive(one)}`).join(',')}>`
  const names: Readonly<Record<string, string>> = {
    integer: 'int',
    varchar: 'string',
    real: 'float',
    varbinary: 'binary',
    timestamp: 'timestamp',
    timestamptz: 'timestamp with local time zone',
    json: 'string',
    uuid: 'string',
    time: 'string',
    timetz: 'string',
  }
  return names[name] ?? shown(type)
}
