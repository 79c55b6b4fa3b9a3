import type { DuckDBType } from '@duckdb/node-api'
import type { ColumnType } from '../../define/types/column-type.js'
import { DuckDBDecimalType, DuckDBListType, DuckDBStructType, DuckDBTypeId } from './driver.js'

const scalars: Partial<Record<DuckDBTypeId, ColumnType>> = {
  [DuckDBTypeId.BOOLEAN]: { kind: 'boolean' },
  [DuckDBTypeId.TINYINT]: { kind: 'int' },
  [DuckDBTypeId.SMALLINT]: { kind: 'int' },
  [DuckDBTypeId.INTEGER]: { kind: 'int' },
  [DuckDBTypeId.UTINYINT]: { kind: 'int' },
  [DuckDBTypeId.USMALLINT]: { kind: 'int' },
  [DuckDBTypeId.UINTEGER]: { kind: 'bigint' },
  [DuckDBTypeId.BIGINT]: { kind: 'bigint' },
  [DuckDBTypeId.UBIGINT]: { kind: 'decimal', precision: 20, scale: 0 },
  [DuckDBTypeId.HUGEINT]: { kind: 'decimal', precision: 38, scale: 0 },
  [DuckDBTypeId.UHUGEINT]: { kind: 'decimal', precision: 38, scale: 0 },
  [DuckDBTypeId.FLOAT]: { kind: 'float' },
  [DuckDBTypeId.DOUBLE]: { kind: 'double' },
  [DuckDBTypeId.DATE]: { kind: 'date' },
  [DuckDBTypeId.TIMESTAMP]: { kind: 'timestamp' },
  [DuckDBTypeId.TIMESTAMP_S]: { kind: 'timestamp' },
  [DuckDBTypeId.TIMESTAMP_MS]: { kind: 'timestamp' },
  [DuckDBTypeId.TIMESTAMP_NS]: { kind: 'timestamp' },
  [DuckDBTypeId.TIMESTAMP_TZ]: { kind: 'timestamptz' },
  [DuckDBTypeId.BLOB]: { kind: 'binary' },
}

/**
 * The column type in which a result is stored: whole numbers that Iceberg lacks become decimals,
 * what has no counterpart (times, intervals, UUIDs, enums) its text.
 */
export function columnTypeOf(type: DuckDBType): ColumnType {
  if (type instanceof DuckDBDecimalType)
    return { kind: 'decimal', precision: type.width, scale: type.scale }
  if (type instanceof DuckDBListType) return { kind: 'list', element: columnTypeOf(type.valueType) }
  if (type instanceof DuckDBStructType)
    return {
      kind: 'struct',
      fields: type.entryNames.map((name, i) => ({
        name,
        type: columnTypeOf(type.entryTypes[i] as DuckDBType),
      })),
    }
  return scalars[type.typeId] ?? { kind: 'string' }
}
