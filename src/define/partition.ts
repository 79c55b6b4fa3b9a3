import { columnName, number } from './options/expected.js'
import { checkedArguments } from './options/options.js'
import type { ColumnType } from './types/column-type.js'

export type TransformName = 'identity' | 'year' | 'month' | 'day' | 'hour' | 'bucket' | 'truncate'

/** A partition field: a column and Iceberg's transform of it. */
export interface Partition<C extends string = string> {
  readonly kind: 'partition'
  readonly transform: TransformName
  readonly column: C
  /** Number of buckets, or the width of `truncate`. */
  readonly width?: number
}

const simple =
  (transform: TransformName) =>
  <C extends string>(column: C): Partition<C> => {
    const good = checkedArguments(`${transform}(…)`, { column }, { column: columnName })
    return { kind: 'partition', transform, column: good.column ?? ('' as C) }
  }

/** One partition for each value. */
export const identity = simple('identity')
/** One partition for each year of a date or timestamp. */
export const year = simple('year')
/** One partition for each month. */
export const month = simple('month')
/** One partition for each day. */
export const day = simple('day')
/** One partition for each hour of a timestamp. */
export const hour = simple('hour')
/** `count` partitions by a hash of the value. */
export const bucket = <C extends string>(column: C, count: number): Partition<C> =>
  ofWidth('bucket', column, count)
/** Strings cut to `width` characters, numbers rounded down to a multiple of it. */
export const truncate = <C extends string>(column: C, width: number): Partition<C> =>
  ofWidth('truncate', column, width)

function ofWidth<C extends string>(
  transform: 'bucket' | 'truncate',
  column: C,
  width: number,
): Partition<C> {
  const list = { column: columnName, width: number }
  const good = checkedArguments(`${transform}(…)`, { column, width }, list)
  return { kind: 'partition', transform, column: good.column ?? ('' as C), width: good.width ?? 1 }
}

export function toPartition(partition: string | Partition): Partition {
  return typeof partition === 'string' ? identity(partition) : partition
}

/** The name of a partition field: the column's own for identity, else with the transform behind. */
export function partitionFieldName({ transform, column }: Partition): string {
  if (transform === 'identity') return column
  return `${column}_${transform === 'truncate' ? 'trunc' : transform}`
}

const times = ['date', 'timestamp', 'timestamptz']
const hashed = ['int', 'bigint', 'decimal', 'string', 'json', 'uuid', ...times]
const allowed: Record<TransformName, readonly string[]> = {
  identity: ['boolean', ...hashed],
  year: times,
  month: times,
  day: times,
  hour: ['timestamp', 'timestamptz'],
  bucket: hashed,
  truncate: ['int', 'bigint', 'decimal', 'string', 'json', 'uuid'],
}

/** Why a column of this type can't be partitioned so; `undefined` when it can. */
export function partitionProblem(partition: Partition, type: ColumnType): string | undefined {
  const { transform, column, width } = partition
  if (!allowed[transform].includes(type.kind))
    return `${transform}('${column}') needs a column of type ${allowed[transform].join(', ')}; '${column}' is ${type.kind}`
  if (width !== undefined && (!Number.isInteger(width) || width < 1))
    return `${transform}('${column}', ${width}) needs a whole number, 1 or more`
  return undefined
}
