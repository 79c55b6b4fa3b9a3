import { createRequire } from 'node:module'
import type * as Driver from '@duckdb/node-api'

/*
 * DuckDB's driver, from the one file that the build puts its many into: to load them takes longer
 * than to start the engine. By `require`: to find what a CommonJS file exports, `import` parses it
 * once more.
 */
const driver: typeof Driver = createRequire(import.meta.url)('#duckdb')

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
  ResultReturnType,
  VARCHAR,
  version,
} = driver

export type DuckDBDateValue = Driver.DuckDBDateValue
export type DuckDBInstance = Driver.DuckDBInstance
export type DuckDBScalarFunction = Driver.DuckDBScalarFunction
export type DuckDBTypeId = Driver.DuckDBTypeId
