import { createRequire } from 'node:module'
import type * as Driver from '@duckdb/node-api'

/*
 * DuckDB's driver, by `require`: to find what a CommonJS package exports, `import` parses all of its files once more, which takes
 * twice as long as to load them.
 */
const driver: typeof Driver = createRequire(import.meta.url)('@duckdb/node-api')

export const {
  BIGINT,
  BLOB,
  DuckDBBlobValue,
  DuckDBDataChunk,
  DuckDBDateValue,
  DuckDBDecimalType,
  DuckDBDecimalValue,
  DuckDBInstance,
  DuckDBListType,
  DuckDBListValue,
  DuckDBScalarFunction,
  DuckDBStructType,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTypeId,
  VARCHAR,
} = driver

export type DuckDBDateValue = Driver.DuckDBDateValue
export type DuckDBInstance = Driver.DuckDBInstance
export type DuckDBScalarFunction = Driver.DuckDBScalarFunction
export type DuckDBTypeId = Driver.DuckDBTypeId
