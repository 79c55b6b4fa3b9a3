import { shown, type TrinoType, typeOfEngine } from '../../../sql/trino/types.js'

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
  real: 17,
  double: 17,
  varchar: 2 ** 31 - 1,
  varbinary: 1_073_741_824,
  timestamp: 3,
  'timestamp with time zone': 3,
}

/** The name of a type in results: its parts are not told. */
function typeName(engineType: string): string {
  const type = typeOfEngine(engineType)
  if (!type) return 'varchar'
  return type.name === 'timestamptz' ? 'timestamp with time zone' : type.name
}

export function columnInfo(name: string, engineType: string): ColumnInfo {
  const type = typeOfEngine(engineType)
  const Type = typeName(engineType)
  return {
    ...{ CatalogName: 'hive', SchemaName: '', TableName: '' },
    ...{ Name: name, Label: name, Type },
    Precision: type?.name === 'decimal' ? (type.precision ?? 38) : (PRECISIONS[Type] ?? 0),
    Scale: type?.name === 'decimal' ? (type.scale ?? 0) : 0,
    Nullable: 'UNKNOWN',
    CaseSensitive: Type === 'varchar',
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
  }
  return names[name] ?? shown(type)
}
