import type { z } from 'zod'
import type { SourceLocation } from '../errors.js'
import type { StepEngine } from './engines/step-engine.js'
import type { Partition } from './partition.js'
import type { Source } from './source.js'

/*
 * What a definition is made of: SQL names datasets, and datasets hold SQL, so that these types
 * stand together.
 */

/** A value that may stand in a SQL template; a list becomes `(a, b, c)`. */
export type SqlValue = string | number | bigint | boolean | Date | null | readonly SqlValue[]

/** A column for use in a SQL template: `orders.columns.amount`. */
export interface ColumnRef {
  readonly kind: 'column'
  readonly name: string
}

export type SqlPart =
  | { kind: 'text'; text: string }
  | { kind: 'value'; value: SqlValue }
  | ColumnRef
  | { kind: 'dataset'; dataset: AnyInput }
  /** All versions of a dataset's rows. */
  | { kind: 'history'; dataset: AnyDataset }

/** A piece of SQL with its references; made by {@link sql}. */
export interface Sql {
  readonly kind: 'sql'
  readonly parts: readonly SqlPart[]
  readonly place: SourceLocation | undefined
}

/** A query in SQL of another engine; made by `sql.for('trino')`. */
export interface DialectSql {
  readonly kind: 'dialect'
  readonly dialect: 'trino'
  readonly sql: Sql
}

/**
 * What happens to a row that violates a rule: it is discarded, it is kept and counted, or the step
 * fails and publishes nothing.
 */
export type Severity = 'discard' | 'warn' | 'fail'

/** A condition over the columns of one row; NULL counts as fulfilled, as in SQL's CHECK. */
export interface Rule {
  readonly kind: 'rule'
  readonly name: string
  readonly condition: Sql
  readonly severity: Severity
}

/** What a failed check of a whole table does: the run does not publish the table, or only warns. */
export type CheckSeverity = 'fail' | 'warn'

/** A condition on a whole table, checked before a run publishes it. */
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
      readonly to: AnyInput
      readonly target: string
    }
  | { readonly check: 'sql'; readonly name: string; readonly query: Sql }

/** When a dataset runs, and what happens if something goes wrong. */
export type Schedule = When & { readonly policy: SchedulePolicy }

export type When =
  | { readonly kind: 'cron'; readonly pattern: string; readonly timezone?: string }
  | { readonly kind: 'every'; readonly interval: string }
  | { readonly kind: 'after'; readonly datasets: readonly AnyDataset[] }
  | { readonly kind: 'by hand' }

export interface SchedulePolicy {
  /** After downtime: one run for all missed times (`run`, the default), or none (`skip`). */
  readonly missed?: 'run' | 'skip'
  /**
   * A time that comes up while the previous run is still going is skipped (`skip`, the default), or
   * runs right after it (`queue`).
   */
  readonly overlap?: 'skip' | 'queue'
  /** Maximum start delay, the same each time: `30s`, `5m`. */
  readonly jitter?: string
  /** A run that takes longer is stopped: `10m`, `2h`. */
  readonly timeout?: string
  /** Maximum number of retries of a failed run. Default: 3. */
  readonly retries?: number
  /** Delay before the first retry, doubled for each further one. Default: `10s`. */
  readonly backoff?: string
}

/** Retention of rows: older rows expire, by a time column. */
export interface Keep {
  /** `400d`, `400 days`, `12h`. */
  for: string
  /**
   * The column with the time of a row; by default, silver uses its cursor, or the time of
   * ingestion.
   */
  by?: string | undefined
}

export type Tier = 'bronze' | 'silver' | 'gold'

/** Descriptive options of every dataset. */
export interface About {
  /** What it holds, in a sentence: shown by `moraine catalog`, and stored with the table. */
  description?: string
  /** The person or team to ask. */
  owner?: string
  /** Words to find it by, also as selectors: `moraine run tag:facts`. */
  tags?: readonly string[]
  /**
   * When this dataset runs, together with downstream datasets that have no schedule of their own.
   */
  schedule?: Schedule
  /**
   * `moraine serve` sends an alert if the dataset has not been updated for this long: `2h`, `1d`.
   */
  freshWithin?: string
}

export interface Common<T extends Tier, R> {
  readonly kind: 'dataset'
  readonly tier: T
  readonly name: string
  readonly about: Readonly<About>
  readonly place: SourceLocation | undefined
  /** Only for the compiler: the type of a row. */
  readonly row?: R
}

export type ColumnRefs<C extends string> = { readonly [K in C]: ColumnRef }

export interface Bronze<R = unknown> extends Common<'bronze', R> {
  readonly from: Source
  readonly format: BronzeFormat
  readonly compression: 'snappy' | 'zstd' | 'deflate' | undefined
  readonly archive: boolean
  /** How long archived files can't be removed, where the storage can keep them. */
  readonly lock: string | undefined
  readonly keep: string | undefined
  readonly columns: ColumnRefs<keyof R & string>
}

export interface Silver<R = unknown> extends Common<'silver', R> {
  readonly from: readonly AnyInput[]
  readonly select: Readonly<Record<string, string | Sql>>
  readonly schema: z.ZodObject
  readonly key: readonly string[]
  readonly cursor: string | undefined
  readonly rules: readonly Rule[]
  readonly severity: Readonly<Record<string, Severity>>
  readonly partitionBy: readonly Partition[]
  readonly deleteWhen: Sql | undefined
  readonly onInvalidUpdate: 'keep' | 'remove'
  /** Columns that tell whose a row is, beside its key. */
  readonly identifies: readonly string[]
  readonly checks: readonly Check[]
  readonly history: boolean
  readonly keep: Keep | undefined
  readonly compression: TableCompression | undefined
  readonly writes: Writes | undefined
  readonly engine: StepEngine | undefined
  readonly columns: ColumnRefs<keyof R & string>
}

export interface Gold<R = unknown> extends Common<'gold', R> {
  readonly query: Sql
  /** The same query in SQL of other engines, where it is not to be written from this one. */
  readonly dialects?: readonly DialectSql[] | undefined
  readonly declared: Readonly<Record<string, z.ZodType>> | undefined
  readonly partitionBy: readonly Partition[]
  readonly incremental: Incremental | undefined
  readonly checks: readonly Check[]
  readonly keep: Keep | undefined
  readonly compression: TableCompression | undefined
  readonly writes: Writes | undefined
  readonly engine: StepEngine | undefined
  /** Whether it is a view, without rows of its own. */
  readonly view: boolean
  readonly columns: ColumnRefs<keyof R & string>
}

/**
 * Compression of a table's Parquet files: `zstd` is smaller, `snappy` is known to every old reader.
 */
export type TableCompression = 'zstd' | 'snappy'

/** Whether other engines may change the rows of a table: `allow`; refused without it. */
export type Writes = 'allow'

/** How a gold dataset is updated without recomputing all of it. */
export interface Incremental<C extends string = string> {
  /**
   * The column of the result that defines its partitions: only partitions with changed rows are
   * recomputed.
   */
  by: C
  /**
   * How many partitions (days, numbers) before and after a changed one depend on its rows, for
   * windows across `by`: a mean of seven days has `{ after: 6 }`.
   */
  affects?: { before?: number; after?: number }
}

/** Where a lake is deployed; made by `aws({ … })` of `moraine/aws`, which knows what is in it. */
export interface Deploy {
  readonly kind: 'aws'
  readonly region: string
}

export type AnyDataset = Bronze<any> | Silver<any> | Gold<any>

/**
 * A table that another engine keeps in the lake. It is read like a dataset, and built by nobody
 * here.
 */
export interface External<R = unknown> {
  readonly kind: 'dataset'
  readonly tier: 'external'
  /** The levels of its namespace. */
  readonly namespace: readonly string[]
  readonly name: string
  readonly about: Readonly<Pick<About, 'description' | 'owner' | 'tags'>>
  readonly declared: Readonly<Record<string, z.ZodType>> | undefined
  readonly place: SourceLocation | undefined
  /** Only for the compiler: the type of a row. */
  readonly row?: R
  readonly columns: ColumnRefs<keyof R & string>
}

/** What datasets can read. */
export type AnyInput = AnyDataset | External<any>

/** The type of a dataset's rows: `type Order = Row<typeof orders>`. */
export type Row<D> = D extends { readonly row?: infer R } ? R : never

/** The columns that Moraine adds to every silver row. */
export interface SilverColumns {
  /**
   * When the row's batch was ingested; for rows of other tables, when their run started. An ISO
   * string in UTC.
   */
  _loaded_at: string
  /** The bronze batch the row came from; `null` for rows from other tables. */
  _batch: string | null
}

/** The columns that bronze adds: the source location of a row. */
export interface BronzeColumns {
  _batch: string
  _source_file: string
  /** The physical line on which the record starts, from 1. */
  _source_line: bigint
  /** Why the record could not be split into columns; `null` for good records. */
  _error: string | null
  /** The whole text of such a record. */
  _raw: string | null
}

/** File format of bronze batches; `raw`: Parquet, and next to it each source file unchanged. */
export type BronzeFormat = 'parquet' | 'avro' | 'csv' | 'jsonl' | 'raw'

export interface BronzeOptions<C extends string> extends About {
  /** Where its rows come from: `files(…)`, `inbox()`, `http(…)`, a table of a database. */
  from: Source<C>
  /**
   * File format for rows of a database: Parquet (the default, and the fastest to read), or Avro,
   * CSV or JSON lines for other readers. The rows are the same. For files, `raw` also keeps each
   * file unchanged, byte for byte.
   */
  format?: BronzeFormat
  /** For Parquet `snappy` (the default) or `zstd`, for Avro `deflate` (the default) or `snappy`. */
  compression?: 'snappy' | 'zstd' | 'deflate'
  /** For an inbox: whether every file is kept forever in `archive/`, unchanged and read-only. */
  archive?: boolean | ArchiveOptions
  /**
   * Retention of batches, once everything downstream has read them: `30d`. Not for `files()`, whose
   * files would be new again. Rebuilding a table from all of its rows later needs `moraine rebuild
   * --from archive`.
   */
  keep?: string
}

/** How files are archived. */
export interface ArchiveOptions {
  /**
   * How long nobody can remove an archived file, such as `365 days`, counted from its arrival: in a
   * bucket with object lock, in governance mode. Files of a folder are read-only.
   */
  lock: string
}

export type Shape = Record<string, z.ZodType>

export type Output<S extends Shape> = z.output<z.ZodObject<S>>

/** SQL knows NULL, not `undefined`: an optional column reads as `T | null`. */
export type Stored<T> = {
  [K in keyof T]-?: undefined extends T[K] ? Exclude<T[K], undefined> | null : T[K]
}

export type Name<S extends Shape> = keyof S & string

export interface SilverOptions<S extends Shape> extends About {
  /** The input rows; several inputs are concatenated, with columns matched by name. */
  from: AnyInput | readonly AnyInput[]
  /**
   * Columns that are renamed or computed: another name, or an expression over the row. A subquery
   * can look something up in another dataset.
   */
  select?: { [K in Name<S>]?: string | Sql }
  /** Columns and types, in Zod; values that do not fit are reasons to discard the row. */
  schema: z.ZodObject<S>
  /** One row is kept per key: the latest by cursor, batch, file and row. */
  key?: Name<S> | readonly Name<S>[]
  /** The column that tells which of two rows with the same key is newer. */
  cursor?: Name<S>
  /** Conditions over a row, or a function of the columns that gives them: `(c) => [rule(…)]`. */
  rules?: readonly Rule[] | ((columns: ColumnRefs<Name<S>>) => readonly Rule[])
  /** What a failed check of a column does, if not `discard`. */
  severity?: { [K in Name<S>]?: Severity }
  /** Columns by whose values its files are divided, or parts of them: `day('placed')`. */
  partitionBy?: readonly (Name<S> | Partition<Name<S>>)[]
  /**
   * A condition over the input row for deletions: sql`op = 'D'`. Of such a row, only key and cursor
   * are read; older rows of the key that arrive late do not bring it back.
   */
  deleteWhen?: Sql
  /**
   * What happens to a key whose newest row is invalid: the last valid row stays (`keep`, the
   * default; such keys are counted, and marked among the discarded rows), or the key is removed.
   */
  onInvalidUpdate?: 'keep' | 'remove'
  /**
   * Columns that tell which person a row is about, such as an e-mail address or a customer's
   * number: `moraine forget` finds rows by them, and follows their values to the columns of the
   * same name that other datasets list here.
   */
  identifies?: Name<S> | readonly Name<S>[]
  /** What must hold for the whole table before a run is published. */
  checks?: readonly Check<Name<S>>[]
  /**
   * Whether every version of each key is kept, with `valid_from` and `valid_to`, as
   * `history.<name>`. Needs a key and a cursor.
   */
  history?: boolean
  /**
   * Retention of rows: `400 days`. The time of a row is its cursor, or the time of ingestion if
   * there is none; another column is set with `{ for: '400 days', by: 'ordered_at' }`.
   */
  keep?: string | (Keep & { by?: Name<S> | '_loaded_at' })
  /**
   * Compression of the table's files. Default: `zstd`. A change applies to files written from then
   * on.
   */
  compression?: TableCompression
  /**
   * Whether other engines may add, change and delete rows of the table through the catalog of
   * `moraine serve --catalog`: `allow`. Later runs keep such rows, and merge new ones by key.
   */
  writes?: Writes
  /** What runs its steps, if not the engine of the lake: `duckdb()`, `workers(4)`. */
  engine?: StepEngine
}

export interface GoldOptions<S extends Shape> extends About {
  /** One SELECT over datasets, in the dialect of DuckDB. */
  query: Sql
  /**
   * The same query in an engine's own SQL, where it can't be written from `query`: what the engine
   * then computes is yours to say, and is held to the names and types of the columns. Example:
   * [sql.for('trino')`select …`]
   */
  dialects?: readonly DialectSql[]
  /** The columns and their types, in order; without them rows are typed as unknown values. */
  columns?: S
  /** Columns by whose values its files are divided, or parts of them: `day('placed')`. */
  partitionBy?: readonly (GoldName<S> | Partition<GoldName<S>>)[]
  /** Without it, the whole query is computed whenever an input changes. */
  incremental?: Incremental<GoldName<S>>
  /** What must hold for the whole table before a run is published. */
  checks?: readonly Check<GoldName<S>>[]
  /** Retention of rows, and the column with their time: `{ for: '3650 days', by: 'day' }`. */
  keep?: Keep & { by: GoldName<S> }
  /** How the files of its table are compressed; `zstd` when not given. */
  compression?: TableCompression
  /**
   * Whether other engines may add, change and delete rows of the table through the catalog of
   * `moraine serve --catalog`: `allow`. A run that would compute the table without such rows is
   * refused.
   */
  writes?: Writes
  /**
   * Store the query, not its rows: readers get the current result. There is no table, so there is
   * nothing to partition, check, compress or expire, and other engines see columns and SQL alone.
   */
  view?: boolean
  /** What runs its steps, if not the engine of the lake: `duckdb()`, `workers(4)`. */
  engine?: StepEngine
}

export interface ExternalOptions<S extends Shape> {
  /**
   * The columns that are read, and their types: a plan compares them with those of the table. Other
   * columns of the table are passed over. Without it, all columns are read, and rows are typed as
   * unknown values.
   */
  columns?: S
  /** What it holds, in a sentence: shown by `moraine catalog`, and stored with the table. */
  description?: string
  /** The person or team to ask. */
  owner?: string
  /** Words to find it by, also as selectors: `moraine run tag:facts`. */
  tags?: readonly string[]
}

/** Any name where the columns are not declared. */
export type GoldName<S extends Shape> = keyof S & string

export type GoldRow<S extends Shape> = string extends keyof S
  ? Record<string, unknown>
  : Stored<Output<S>>
