export { type Alert, type AlertOn, alert } from './alert.js'
export { type Check, check } from './check.js'
export {
  type AnyDataset,
  type Bronze,
  type BronzeColumns,
  bronze,
  type Gold,
  gold,
  history,
  type Incremental,
  type Row,
  type Silver,
  type SilverColumns,
  silver,
} from './dataset.js'
export { defineLake, type Lake, type LakeOptions } from './lake.js'
export { bucket, day, hour, identity, month, type Partition, truncate, year } from './partition.js'
export { type Rule, rule, type Severity } from './rule.js'
export { after, byHand, cron, every, type Schedule, type SchedulePolicy } from './schedule.js'
export { divide } from './sql/divide.js'
export { type Lookup, lookup } from './sql/lookup.js'
export { type Sql, type SqlValue, sql } from './sql/sql.js'
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
