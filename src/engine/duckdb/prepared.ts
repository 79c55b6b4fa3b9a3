import type { DuckDBPreparedStatement, DuckDBType, DuckDBValue } from '@duckdb/node-api'
import type { ParameterValues, QueryParameter, ResultColumn, RowValue } from '../engine.js'
import { BIGINT, DuckDBBlobValue } from './driver.js'
import { columnTypeOf } from './types.js'

/** The columns of a statement that was prepared. */
export function columnsOf(statement: DuckDBPreparedStatement): ResultColumn[] {
  return Array.from({ length: statement.columnCount }, (_, i) => {
    const type = statement.columnType(i)
    return { name: statement.columnName(i), type: columnTypeOf(type), sqlType: String(type) }
  })
}

/** The parameters of a statement that was prepared, in their order. */
export function parametersOf(statement: DuckDBPreparedStatement): QueryParameter[] {
  return Array.from({ length: statement.parameterCount }, (_, i) => {
    const type = String(statement.parameterType(i + 1))
    const isKnown = !['INVALID', 'UNKNOWN', 'ANY'].includes(type)
    return { name: statement.parameterName(i + 1), type: isKnown ? type : undefined }
  })
}

interface Bindable {
  values?: DuckDBValue[] | Record<string, DuckDBValue>
  types?: DuckDBType[] | Record<string, DuckDBType | undefined>
}

/**
 * Values as the driver binds them. A text stands for what the query compares it with, as one in
 * quotes does; whole numbers are BIGINT, so that they can be what LIMIT takes.
 */
export function bindable(parameters: ParameterValues | undefined): Bindable {
  if (parameters === undefined) return {}
  if (Array.isArray(parameters))
    // The driver finds a type for a value that has none.
    return { values: parameters.map(driverValue), types: parameters.map(typeOf) as DuckDBType[] }
  const entries = Object.entries(parameters)
  return {
    values: Object.fromEntries(entries.map(([name, value]) => [name, driverValue(value)])),
    types: Object.fromEntries(entries.map(([name, value]) => [name, typeOf(value)])),
  }
}

const isLong = (value: RowValue) =>
  typeof value === 'bigint'
    ? BigInt.asIntN(64, value) === value
    : typeof value === 'number' && Number.isSafeInteger(value)

const typeOf = (value: RowValue) => (isLong(value) ? BIGINT : undefined)

function driverValue(value: RowValue): DuckDBValue {
  if (isLong(value)) return BigInt(value as number | bigint)
  if (value instanceof Uint8Array) return new DuckDBBlobValue(value)
  return value as DuckDBValue
}
