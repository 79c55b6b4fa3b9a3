export {
  type Granted,
  type Principal,
  type PrincipalOptions,
  principal,
  type Workgroup,
  type WorkgroupOptions,
  workgroup,
} from './access/index.js'
export { type Alert, type AlertOn, alert } from './alert.js'
export { check } from './check.js'
export { bronze, external, gold, history, silver } from './dataset.js'
export { type SparkEngine, type SparkOptions, spark } from './engines/spark.js'
export {
  type DuckDBEngine,
  duckdb,
  type StepEngine,
  type WorkersEngine,
  type WorkersOptions,
  workers,
} from './engines/step-engine.js'
export { type TrinoEngine, type TrinoOptions, trino } from './engines/trino.js'
export { defineLake, type Lake, type LakeOptions } from './lake.js'
export type {
  AnyDataset,
  Bronze,
  BronzeColumns,
  Check,
  DialectSql,
  External,
  Gold,
  Incremental,
  Row,
  Rule,
  Schedule,
  SchedulePolicy,
  Severity,
  Silver,
  SilverColumns,
  Sql,
  SqlValue,
} from './model.js'
export { bucket, day, hour, identity, month, type Partition, truncate, year } from './partition.js'
export { rule } from './rule.js'
export { after, byHand, cron, every, manual } from './schedule.js'
export { divide } from './sql/divide.js'
export { type Lookup, lookup } from './sql/lookup.js'
export { sql } from './sql/sql.js'
export type { ColumnType, Field } from './types/column-type.js'
export type {
  BooleanOptions,
  DateOptions,
  MomentOptions,
  NullOptions,
  NumberOptions,
  TimestampOptions,
  WholeNumberOptions,
} from './types/reading.js'
export { t } from './types/t.js'
