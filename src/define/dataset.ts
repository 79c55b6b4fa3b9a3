import { z } from 'zod'
import type { Place } from '../errors.js'
import type { Check } from './check.js'
import type { Keep } from './keep.js'
import { bronzeOptions, goldOptions, ruleList, silverOptions } from './options/dataset-options.js'
import { silverDataset, sqlTag } from './options/expected.js'
import { checked, checkedArguments, needed } from './options/options.js'
import type { Partition } from './partition.js'
import { toPartition } from './partition.js'
import { here } from './place.js'
import { described } from './problems/described.js'
import { isBroken, markBroken, mistake } from './problems/mistakes.js'
import type { Rule, Severity } from './rule.js'
import type { Schedule } from './schedule.js'
import { noSource, type Source } from './source.js'
import { type ColumnRef, noSql, type Sql, sql } from './sql/sql.js'

export type Tier = 'bronze' | 'silver' | 'gold'

/** What every dataset may say about itself. */
export interface About {
  description?: string
  /** The person or team to ask. */
  owner?: string
  tags?: readonly string[]
  /** When this dataset, and those downstream without a schedule of their own, are run. */
  schedule?: Schedule
  /** For how long it may not have been brought up to date before `moraine serve` tells of it: `2h`, `1d`. */
  freshWithin?: string
}

interface Common<T extends Tier, R> {
  readonly kind: 'dataset'
  readonly tier: T
  readonly name: string
  readonly about: Readonly<About>
  readonly place: Place | undefined
  /** Only for the compiler: the type of a row. */
  readonly row?: R
}

type ColumnRefs<C extends string> = { readonly [K in C]: ColumnRef }

export interface Bronze<R = unknown> extends Common<'bronze', R> {
  readonly from: Source
  readonly format: BronzeFormat
  readonly compression: 'snappy' | 'zstd' | 'deflate' | undefined
  readonly archive: boolean
  readonly keep: string | undefined
  readonly columns: ColumnRefs<keyof R & string>
}

export interface Silver<R = unknown> extends Common<'silver', R> {
  readonly from: readonly AnyDataset[]
  readonly select: Readonly<Record<string, string | Sql>>
  readonly schema: z.ZodObject
  readonly key: readonly string[]
  readonly cursor: string | undefined
  readonly rules: readonly Rule[]
  readonly severity: Readonly<Record<string, Severity>>
  readonly partitionBy: readonly Partition[]
  readonly deleteWhen: Sql | undefined
  readonly onInvalidUpdate: 'keep' | 'remove'
  readonly checks: readonly Check[]
  readonly history: boolean
  readonly keep: Keep | undefined
  readonly compression: TableCompression | undefined
  readonly columns: ColumnRefs<keyof R & string>
}

export interface Gold<R = unknown> extends Common<'gold', R> {
  readonly query: Sql
  readonly declared: Readonly<Record<string, z.ZodType>> | undefined
  readonly partitionBy: readonly Partition[]
  readonly incremental: Incremental | undefined
  readonly checks: readonly Check[]
  readonly keep: Keep | undefined
  readonly compression: TableCompression | undefined
  /** Whether it is stored as a query, without rows of its own. */
  readonly view: boolean
  readonly columns: ColumnRefs<keyof R & string>
}

/** How Parquet files of tables are compressed: `zstd` is smaller, `snappy` is what every old reader knows. */
export type TableCompression = 'zstd' | 'snappy'

/** How a gold dataset is kept up to date without computing all of it again. */
export interface Incremental<C extends string = string> {
  /** The column of the result that tells its parts: only parts that changed rows fall in are computed. */
  by: C
  /**
   * How many parts (days, numbers) before and after a changed one look at its rows, for windows that
   * reach over `by`: a mean of seven days has `{ after: 6 }`.
   */
  affects?: { before?: number; after?: number }
}

export type AnyDataset = Bronze<any> | Silver<any> | Gold<any>

/** The type of a dataset's rows: `type Order = Row<typeof orders>`. */
export type Row<D> = D extends { readonly row?: infer R } ? R : never

/** The columns that Moraine adds to every silver row. */
export interface SilverColumns {
  /** When the batch came that the row is of; for rows of other tables, when their run began. An ISO string in UTC. */
  _loaded_at: string
  /** The bronze batch the row came from; `null` for rows from other tables. */
  _batch: string | null
}

/** The columns that bronze adds: where a row was read. */
export interface BronzeColumns {
  _batch: string
  _source_file: string
  /** The physical line the record begins at, from 1. */
  _source_line: bigint
  /** Why the record could not be split into columns; `null` for all good ones. */
  _error: string | null
  /** The whole text of such a record. */
  _raw: string | null
}

/** How the files of bronze batches are written; `raw`: as Parquet, and beside it each source file as it came. */
export type BronzeFormat = 'parquet' | 'avro' | 'csv' | 'jsonl' | 'raw'

export interface BronzeOptions<C extends string> extends About {
  from: Source<C>
  /**
   * How rows of a database are kept: as Parquet (the default, and the quickest to read), or as Avro, CSV or JSON lines
   * for others to read. All of them give the same rows. Of files, `raw` also keeps each as it came, byte for byte.
   */
  format?: BronzeFormat
  /** Of Parquet `snappy` (the default) or `zstd`, of Avro `deflate` (the default) or `snappy`. */
  compression?: 'snappy' | 'zstd' | 'deflate'
  /** Of an inbox: whether each file that ever came is kept for ever in `archive/`, as it came and read-only. */
  archive?: boolean
  /**
   * For how long batches stay once all that reads them has: `30d`. Not for `files()`, whose files would be new again. A table that has to be built
   * from all of its rows later needs `moraine rebuild --from archive`.
   */
  keep?: string
}

/** Raw rows, as they came: nothing is converted, nothing is lost. */
export function bronze<C extends string = string>(
  name: string,
  options: BronzeOptions<C>,
): Bronze<{ [K in C]: string | null } & BronzeColumns> {
  const good = checked<BronzeOptions<string>>(callOf('bronze', name), options, bronzeOptions)
  const { from = noSource, format = 'parquet', compression, archive = false, keep, ...about } = good
  return made(good, {
    kind: 'dataset',
    tier: 'bronze',
    name: String(name),
    about,
    place: here(),
    from,
    format,
    compression,
    archive,
    keep,
    columns: columnRefs(),
  }) as unknown as Bronze<any>
}

/** How mistakes name a builder's call. */
function callOf(tier: Tier, name: unknown): string {
  if (typeof name === 'string') return `${tier}.${name}`
  mistake(
    `${tier}(…) takes a name first, not ${described(name)}`,
    undefined,
    `Write ${tier}('orders', { … })`,
  )
  return `${tier}(…)`
}

/** A dataset of which no more can be said where its options are not what they must be. */
function made<D extends object>(options: object, dataset: D): D {
  return isBroken(options) ? markBroken(dataset) : dataset
}

type Shape = Record<string, z.ZodType>
type Output<S extends Shape> = z.output<z.ZodObject<S>>
/** SQL knows NULL, not `undefined`: an optional column reads as `T | null`. */
type Stored<T> = {
  [K in keyof T]-?: undefined extends T[K] ? Exclude<T[K], undefined> | null : T[K]
}
type Name<S extends Shape> = keyof S & string

export interface SilverOptions<S extends Shape> extends About {
  /** The rows to check; several inputs are read one after the other, matched by column name. */
  from: AnyDataset | readonly AnyDataset[]
  /**
   * Columns of the schema that are not in the input under their name: another name, or an
   * expression over the row. A subquery may look something up in another dataset.
   */
  select?: { [K in Name<S>]?: string | Sql }
  schema: z.ZodObject<S>
  /** One row a key is kept: the newest by cursor, batch, file and row. */
  key?: Name<S> | readonly Name<S>[]
  /** The column that says which of two rows with the same key is newer. */
  cursor?: Name<S>
  /** Conditions over a row, or a function of the columns that gives them: `(c) => [rule(…)]`. */
  rules?: readonly Rule[] | ((columns: ColumnRefs<Name<S>>) => readonly Rule[])
  /** What a failed check of a column means, where it is not `discard`. */
  severity?: { [K in Name<S>]?: Severity }
  partitionBy?: readonly (Name<S> | Partition<Name<S>>)[]
  /**
   * A condition over the input's row that says that its key is gone: sql`op = 'D'`. Of such a row only
   * key and cursor are read; older rows of the key that come late do not bring it back.
   */
  deleteWhen?: Sql
  /**
   * What becomes of a key whose newest row is invalid: the last valid row stays (`keep`, the default;
   * such keys are counted and marked among the discarded rows), or the key is removed.
   */
  onInvalidUpdate?: 'keep' | 'remove'
  /** What must hold for the whole table before a run is published. */
  checks?: readonly Check<Name<S>>[]
  /** Whether every version of each key is kept, with `valid_from` and `valid_to`, as `history.<name>`. Needs a key and a cursor. */
  history?: boolean
  /**
   * For how long rows stay: `400 days`. A row's time is its cursor's, or without one when it came; another column is named as in
   * `{ for: '400 days', by: 'ordered_at' }`.
   */
  keep?: string | (Keep & { by?: Name<S> | '_loaded_at' })
  /** How the files of its table are compressed; `zstd` when not given. A change holds for files that are written from then on. */
  compression?: TableCompression
}

/** Rows that are typed, checked and deduplicated. */
export function silver<S extends Shape>(
  name: string,
  options: SilverOptions<S>,
): Silver<Stored<Output<S>> & SilverColumns> {
  const good = checked<SilverOptions<Shape>>(callOf('silver', name), options, silverOptions)
  const { from = [], select, schema, key, cursor, rules, severity, partitionBy, ...others } = good
  const {
    deleteWhen,
    onInvalidUpdate,
    checks,
    history = false,
    keep,
    compression,
    ...about
  } = others
  const columns = columnRefs()
  return made(good, {
    kind: 'dataset',
    tier: 'silver',
    name: String(name),
    about,
    place: here(),
    from: list(from),
    select: byColumn(select as Record<string, string | Sql>),
    schema: (schema ?? z.object({})) as unknown as z.ZodObject,
    key: key === undefined ? [] : list(key),
    cursor,
    rules: rulesOf(name, rules, columns),
    severity: byColumn(severity as Record<string, Severity>),
    partitionBy: (partitionBy ?? []).map(toPartition),
    deleteWhen: deleteWhen ?? (list(from).some(comparesKeys) ? sql`_change = 'delete'` : undefined),
    onInvalidUpdate: onInvalidUpdate ?? 'keep',
    checks: checks ?? [],
    history,
    keep: toKeep(keep),
    compression,
    columns,
  }) as unknown as Silver<any>
}

/** The rules; those that a function makes are looked at once it has made them. */
function rulesOf(
  name: unknown,
  rules: SilverOptions<Shape>['rules'],
  columns: ColumnRefs<string>,
): readonly Rule[] {
  if (typeof rules !== 'function') return rules ?? []
  return (
    checked<{ rules: readonly Rule[] }>(
      callOf('silver', name),
      { rules: rules(columns) },
      { rules: needed(ruleList) },
    ).rules ?? []
  )
}

/**
 * All versions of a dataset with `history: true`, for the SQL of others: its columns, and `valid_from` and `valid_to` (NULL for those that
 * hold now).
 *
 * @example
 * sql`select status, count(*) from ${history(orders)} where valid_from <= ${time} and (valid_to is null or valid_to > ${time}) group by 1`
 */
export function history(dataset: Silver<any>): Sql {
  const place = here()
  const good = checkedArguments('history(…)', { dataset }, { dataset: silverDataset }).dataset
  if (!good) return noSql
  if (dataset.history) return { kind: 'sql', place, parts: [{ kind: 'history', dataset }] }
  mistake(`silver.${dataset.name} keeps no history`, undefined, 'Give it history: true.')
  return { kind: 'sql', place, parts: [] }
}

/** Whether rows of an input say when keys are gone from its source. */
function comparesKeys(input: AnyDataset): boolean {
  return input.tier === 'bronze' && input.from.kind === 'database' && input.from.compareKeys
}

export interface GoldOptions<S extends Shape> extends About {
  query: Sql
  /** The columns and their types, in order; without them rows are typed as unknown values. */
  columns?: S
  partitionBy?: readonly (GoldName<S> | Partition<GoldName<S>>)[]
  /** Without it, the whole query is computed whenever an input changes. */
  incremental?: Incremental<GoldName<S>>
  /** What must hold for the whole table before a run is published. */
  checks?: readonly Check<GoldName<S>>[]
  /** For how long rows stay, and which column says from when a row is: `{ for: '3650 days', by: 'day' }`. */
  keep?: Keep & { by: GoldName<S> }
  /** How the files of its table are compressed; `zstd` when not given. */
  compression?: TableCompression
  /**
   * Store the query and not its rows: whoever asks gets what its inputs hold then. There is no table, so other engines
   * do not see it, and there is nothing to partition, check, compress or keep.
   */
  view?: boolean
}

/** Any name where the columns are not declared. */
type GoldName<S extends Shape> = keyof S & string

type GoldRow<S extends Shape> = string extends keyof S ? Record<string, unknown> : Stored<Output<S>>

/** An answer for the business: a query over the other datasets, stored. */
export function gold<S extends Shape = Shape>(
  name: string,
  options: GoldOptions<S>,
): Gold<GoldRow<S>> {
  const good = checked<GoldOptions<Shape>>(callOf('gold', name), options, goldOptions, (given) =>
    sqlTag.fits(given) ? 'Write gold(name, { query: sql`…` })' : undefined,
  )
  const { query = noSql, columns, partitionBy, incremental, checks, keep, ...others } = good
  const { compression, view = false, ...about } = others
  return made(good, {
    kind: 'dataset',
    tier: 'gold',
    name: String(name),
    about,
    place: here(),
    query,
    declared: columns,
    partitionBy: (partitionBy ?? []).map(toPartition),
    incremental,
    checks: checks ?? [],
    keep: toKeep(keep),
    compression,
    view,
    columns: columnRefs(),
  }) as unknown as Gold<any>
}

function toKeep(keep: string | Keep | undefined): Keep | undefined {
  return typeof keep === 'string' ? { for: keep } : keep
}

function list<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T]
}

/** A column may be called as what every object has: `constructor`. */
function byColumn<T>(given: Readonly<Record<string, T>> | undefined): Record<string, T> {
  return Object.assign(Object.create(null), given)
}

function columnRefs(): Record<string, ColumnRef> {
  const get = (_: object, name: string | symbol) =>
    typeof name === 'string' ? { kind: 'column', name } : undefined
  return new Proxy({}, { get }) as Record<string, ColumnRef>
}

/** The dataset's full name, as queries and commands use it: `silver.orders`. */
export function fullName(dataset: { tier: string; name: string }): string {
  return `${dataset.tier}.${dataset.name}`
}
