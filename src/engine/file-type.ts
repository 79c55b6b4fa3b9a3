import { sqlType } from '../define/types/sql-type.js'
import { type IcebergType, toColumnType } from '../iceberg/spec/types.js'

/**
 * The type by which an engine reads a column's values from files. UUIDs that another engine has
 * written are bytes there, and texts only once they are read.
 */
export function fileType(type: IcebergType): string {
  return type === 'uuid' ? 'UUID' : sqlType(toColumnType(type))
}
