import type { z } from 'zod'
import type { Place } from '../errors.js'
import type { Partition } from './partition.js'
import type { Source } from './source.js'

/*
 * What a definition is made of: SQL names datasets, and datasets hold SQL, so that these types stand together.
 */

/** A value that may stand in a SQL template; a list becomes `(a, b, c)`. */
export type SqlValue = string | number | bigint | boolean | Date | null | readonly SqlValue[]

/** A column, to be put into a SQL template: `orders.columns.amount`. */
export interface ColumnRef {
  readonly kind: 'column'
  readonly name: string
}

export type SqlPart =
  | { kind: 'text'; text: string }
  | { kind: 'value'; value: SqlValue }
  | ColumnRef
  | { kind: 'dataset'; dataset: AnyDataset }
  /** All versions of a dataset's rows. */
  | { kind: 'history'; dataset: AnyDataset }

/** A piece of SQL with its references; made by {@link sql}. */
export interface Sql {
  readonly kind: 'sql'
  readonly parts: readonly SqlPart[]
  readonly place: Place | undefined
}

/**
 * What happens to a row that breaks a rule: it goes to the discarded table, it stays and is counted,
 * or the step fails and nothing of it is published.
 */
export type Severity = 'discard' | 'warn' | 'fail'

/** A condition over the columns of one row; NULL counts as fulfilled, as in SQL's CHECK. */
export interface Rule {
  readonly kind: 'rule'
  readonly name: string
  readonly condition: Sql
  readonly severity: Severity
}

/** What a broken check of a whole table means: the run does not publish it, or it is only told. */
export type CheckSeverity = 'fail' | 'warn'

/** A condition that a whole table must meet, held before a run publishes it. */
export type Check<C extends string = string> = CheckKind<C> & {
  readonly kind: 'check'
  readonly severity: CheckSeverity
}

export type CheckKind<C extends string> =
  | { readonly check: 'unique'; readonly columns: readonly C[] }
  | { readonly check: 'not empty' }
  | { readonly check: 'fresh'; readonly columns: readonly C[]; readonly within: string }
  | {
      readonly check: 'row count'
      readonly min: number | undefined
      readonly max: number | undefined
    }
  | { readonly check: 'discarded'; readonly max: number }
  | { readonly check: 'usual rows'; readonly deviations: number; readonly runs: number }
  | {
      readonly check: 'references'
      readonly columns: readonly C[]
      readonly to: AnyDataset
      readonly target: string
    }
  | { readonly check: 'sql'; readonly name: string; readonly query: Sql }

/** When a dataset is brought up to date, and what is done when that does not go as planned. */
export type Schedule = When & { readonly policy: SchedulePolicy }

export type When =
  | { readonly kind: 'cron'; readonly pattern: string; readonly timezone?: string }
  | { readonly kind: 'every'; readonly interval: string }
  | { readonly kind: 'after'; readonly datasets: readonly AnyDataset[] }
  | { readonly kind: 'by hand' }

export interface SchedulePolicy {
  /** What becomes of times that passed while nobody was there to run: one run for all of them (`run`, the default), or none. */
  readonly missed?: 'run' | 'skip'
  /** What becomes of a time that passes while the run before still goes on: nothing (`skip`, the default), or a run right after it. */
  readonly overlap?: 'skip' | 'queue'
  /** A run begins up to so much later, the same each time: `30s`, `5m`. */
  readonly jitter?: string
  /** A run that takes longer is stopped: `10m`, `2h`. */
  readonly timeout?: string
  /** How often a failed run is tried again. Default: 3. */
  readonly retries?: number
  /** How long is waited before the first of them; before each further one twice as long. Default: `10s`. */
  readonly backoff?: string
}

/** For how long rows of a table stay: those of before go, as a column tells their time. */
export interface Keep {
  /** `400d`, `400 days`, `12h`. */
  for: string
  /** The column that says from when a row is; without it silver goes by its cursor, or by when the row came. */
  by?: string | undefined
}

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

export interface Common<T extends Tier, R> {
  readonly kind: 'dataset'
  readonly tier: T
  readonly name: string
  readonly about: Readonly<About>
  readonly place: Place | undefined
  /** Only for the compiler: the type of a row. */
  readonly row?: R
}

export type ColumnRefs<C extends string> = { readonly [K in C]: ColumnRef }

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

export type Shape = Record<string, z.ZodType>

export type Output<S extends Shape> = z.output<z.ZodObject<S>>

/** SQL knows NULL, not `undefined`: an optional column reads as `T | null`. */
export type Stored<T> = {
  [K in keyof T]-?: undefined extends T[K] ? Exclude<T[K], undefined> | null : T[K]
}

export type Name<S extends Shape> = keyof S & string

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
export type GoldName<S extends Shape> = keyof S & string

export type GoldRow<S extends Shape> = string extends keyof S
  ? Record<string, unknown>
  : Stored<Output<S>>
