export { type Alert, type AlertOn, alert } from './alert.js'
export { type Check, check } from './check.js'
export type { ColumnType, Field } from './column-type.js'
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
export { divide } from './divide.js'
export { defineLake, type Lake, type LakeOptions } from './lake.js'
export { type Lookup, lookup } from './lookup.js'
export { bucket, day, hour, identity, month, type Partition, truncate, year } from './partition.js'
export type {
  BooleanOptions,
  DateOptions,
  MomentOptions,
  NullOptions,
  NumberOptions,
  TimestampOptions,
  WholeNumberOptions,
} from './reading.js'
export { type Rule, rule, type Severity } from './rule.js'
export { after, byHand, cron, every, type Schedule, type SchedulePolicy } from './schedule.js'
export { type Sql, type SqlValue, sql } from './sql.js'
export { t } from './t.js'
