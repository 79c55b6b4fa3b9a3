import type { TableRules } from '../define/access/rights.js'
import type { Field } from '../define/types/column-type.js'
import type { DataFile } from '../iceberg/spec/manifest.js'
import type { PartitionSpec } from '../iceberg/spec/transforms.js'
import type { Schema } from '../iceberg/spec/types.js'
import type { JsFunction } from '../quality/functions.js'
import type { KnownColumns } from '../quality/known.js'
import type { Dialect } from '../sql/dialect.js'
import type { ObjectAccess } from '../storage/staging.js'
import type { ExportIO } from './export-io.js'
import type { PlanStep } from './plan-step.js'

/**
 * A value as programs see it: bigint, decimals as text, dates and timestamps as ISO texts with
 * microseconds, lists and structs as arrays and objects.
 */
export type RowValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | RowValue[]
  | { [name: string]: RowValue }

export type ResultRow = Record<string, RowValue>

/** Values of a query's parameters: of `?` and `$1` in their order, of `$name` by names. */
export type ParameterValues = readonly RowValue[] | Readonly<Record<string, RowValue>>

/** A parameter of a query, by its number or name. */
export interface QueryParameter {
  name: string
  /** The engine's name of its type, where the query tells it. */
  type: string | undefined
}

/** A column of a query's result. */
export interface ResultColumn extends Field {
  /** The engine's own name of the type. */
  sqlType: string
}

/** A running query: its columns are known, its rows come in batches. */
export interface Result {
  columns: ResultColumn[]
  batches: AsyncIterable<ResultRow[]>
}

/** Rows that a session knows: what stands behind FROM. It lasts as long as the session. */
export interface Relation {
  readonly sql: string
}

export interface MaterializeOptions {
  /**
   * For a statement over many columns and few rows: the engine does not look for expressions that
   * it could share, as the time for that grows with the square of the columns.
   */
  quicklyPlanned?: boolean
  /** The same query gives the rows that it gave before in this session. */
  again?: boolean
}

/** A data file of a table, and files that say which of its rows are deleted. */
export interface TableFile {
  location: string
  /**
   * The file has just the columns of the schema, by their names: engines estimate better when they
   * read it plainly.
   */
  plain?: boolean
  /** Who wrote it may have left out field ids: then nothing of it can be read. */
  foreign?: boolean
  /**
   * What columns, and fields within them, are called in the file, by their field ids, should it
   * have none of these: those that are under none of their names are NULL.
   */
  names?: Readonly<Record<number, readonly string[]>>
  /** How lists of deleted positions spell the file, where it is not its location. */
  named?: string
  deletes?: readonly DeleteFile[]
  /** Lists of positions: of the file's rows only those are meant. */
  only?: readonly DeleteFile[]
}

export interface DeleteFile {
  location: string
  /** Fields whose values tell which rows are deleted; without them the file lists positions. */
  fields?: readonly { id: number; name: string; type: string }[]
}

/** How a file of a bronze batch keeps what it was made from; without more, as texts. */
export interface BronzeEncoding {
  /**
   * Columns kept as values, with the engine's types. Their texts are what the values give back …
   */
  values?: Readonly<Record<string, string>>
  /**
   * … but for so many rows, whose values are not in the canonical form: their texts stand in
   * `_raw_values`, as a JSON array. Without a number there is no such column.
   */
  nonCanonical?: number
  /**
   * What the column of those texts is called, where an earlier version of Moraine wrote the file.
   */
  rawValues?: '_texts'
  /** No row is broken: the file has neither `_error` nor `_raw`. */
  clean?: boolean
  /** The line of the first row, where each row is a line; otherwise `_source_line` has them. */
  firstLine?: number
  /** What is known of columns, where some are kept as values. */
  known?: KnownColumns
}

/** A file of a bronze batch. */
export interface BronzeFile extends BronzeEncoding {
  location: string
  /**
   * What `_batch` and `_source_file` are in all of its rows, where the file does not say it itself.
   */
  origin?: { batch: string; file: string }
  rows?: number
  /** Rows of the file that are meant, from 0, where not all are; of Parquet alone. */
  range?: { from: number; to: number }
  /**
   * A newer version of the same source file has taken its place: of all that it holds, or of source
   * files of these names.
   */
  superseded?: boolean | readonly string[]
  /**
   * Columns that are made of others of the file: the first that has a value, of those that are
   * there.
   */
  madeOf?: Readonly<Record<string, readonly string[]>>
  /**
   * `_source_line` is to be the number of the row in this file, from 0: several records may be on
   * one line of what was read.
   */
  numbered?: boolean
}

/** SQL for the rows of bronze files in parts; one that has no rows is missing. */
export interface BatchParts {
  /** How many rows there are is only estimated: of some files a range is read. */
  estimated?: boolean
  /** Rows that have columns (by names in lower case) also as values: the i-th as `_v<i>`. */
  values?: { sql: string; columns: readonly string[]; rows: number; known: KnownColumns }
  /** Rows of texts alone. */
  texts?: { sql: string; rows: number | undefined }
  /** Few rows that have to be looked for among those of values: they have texts alone. */
  nonCanonical?: { sql: string; rows: number }
}

/** A Parquet file outside of a table. */
export interface WrittenText {
  rows: number
  bytes: number
  /**
   * By column; items of lists are `"column"."element"`, and a list that is NULL counts as one that
   * is.
   */
  counts: ReadonlyMap<string, Counts>
}

export interface WriteFileOptions {
  /** Whether texts that come again are worth looking for; `true` when not given. */
  words?: boolean
  /** `snappy` when not given. */
  compression?: 'snappy' | 'zstd'
}

/** How blocks of an Avro file are compressed. */
export type AvroCodec = 'deflate' | 'snappy'

/** A file of a bronze batch in another format than Parquet. */
export interface WrittenFormat {
  rows: number
  bytes: number
}

/**
 * How many values a column has, NULLs included, and how many NULLs; the least and the greatest, as
 * texts.
 */
export interface Counts {
  values: number
  nulls: number
  min?: string
  max?: string
}

/** Where and how rows are written as data files of a table. */
export interface WriteTarget {
  schema: Schema
  spec: PartitionSpec
  /** Absolute location of the table's data folder. */
  location: string
  /** A prefix for file names that was never used before. */
  name: string
  /** Rows may come in another order than the query gives, which is quicker. */
  anyOrder?: boolean
  /** `zstd` when not given. */
  compression?: 'zstd' | 'snappy'
}

/** Where a list of deleted positions is written, and which data file it is about. */
export interface DeletesTarget {
  location: string
  of: DataFile
  /** Lists about the same file whose positions are deleted as well. */
  before: readonly string[]
}

/** How a delimited text is laid out. */
export interface TextOptions {
  columns: readonly string[]
  /** Types of columns that are not read as texts. */
  types?: ReadonlyMap<string, string>
  delimiter: string
  /** `null`: quotes have no meaning. */
  quote: string | null
  nulls: readonly string[]
  /** What ends lines, where it is known; any other line end is then part of a value. */
  newline?: '\n'
  /** Lines to pass over at the start. */
  skip: number
  /** Bytes of the longest line. */
  longest: number
}

/** What may be added to the embedded engine; nothing essential needs one. */
export type Extension = 'postgres_scanner' | 'httpfs'

/** A transaction of a database that an engine reads by itself. */
export interface RemoteSession {
  kind: 'postgres'
  /** As its client library calls them: host, port, user, password, dbname. */
  connection: Readonly<Record<string, string>>
  /** Statements that a transaction begins with. */
  begin: readonly string[]
}

/**
 * What runs SQL over files. A session is one line of work: sessions of one engine run side by side
 * and see the same relations.
 */
export interface Engine {
  open(): Promise<Session>
  /** From now on it can open nothing but what lies below these locations. It can't be undone. */
  confine(locations: readonly string[]): Promise<void>
  /**
   * The same with just these files; its settings are as they are, too. Where it is lost then, it is
   * not started again.
   */
  confineToFiles(locations: readonly string[]): Promise<void>
  /** From now on it uses no more memory than so many bytes. */
  limitMemory(bytes: number): Promise<void>
  /** From now on it looks for its extensions in a folder. */
  extensionsFrom(folder: string): Promise<void>
  close(): Promise<void>
}

/** One line of work. What else it can do than run SQL stands in its parts. */
export interface Session {
  /** Reads and writes tables. */
  readonly tables: TableIO
  /**
   * Reads and writes files of other kinds: what makes bronze and reads it asks for that, and nobody
   * else.
   */
  readonly files: FileEngine
  readonly parser: Parser
  readonly exports: ExportIO
  readonly dialect: Dialect
  /** Which instance of the engine it is on: after a loss another, in which nothing is defined. */
  readonly instance: number
  /** Runs a statement that has no result. */
  run(sql: string): Promise<void>
  /** All rows of a result that is known to be small. */
  rows(sql: string): Promise<ResultRow[]>
  /** @param parameters values of `?` and `$1` in their order, or of `$name` by names. */
  stream(sql: string, parameters?: ParameterValues): Promise<Result>
  /**
   * Calls for each number of a result's one column, of DOUBLEs that are not NULL, in its order, for
   * as long as it is told to go on.
   */
  numbers(sql: string, take: (value: number) => boolean): Promise<void>
  /** The columns of a result, which are all texts, to the last character. */
  texts(sql: string): Promise<(string | null)[][]>
  /** The columns that a query would give, without running it. */
  describe(sql: string): Promise<ResultColumn[]>
  /** The same, and the parameters that it takes. */
  prepared(sql: string): Promise<{ columns: ResultColumn[]; parameters: QueryParameter[] }>
  /** How it would be run. */
  planOf(sql: string, parameters?: ParameterValues): Promise<PlanStep>
  /** Runs a query and keeps its rows. */
  materialize(sql: string, options?: MaterializeOptions): Promise<Relation>
  /** Keeps a query, which is run whenever its rows are asked for. */
  view(sql: string): Promise<Relation>
  /** Adds a query's rows to a materialized relation, by the names of their columns. */
  insert(into: Relation, sql: string): Promise<void>
  /** Adds rows to a materialized relation whose first column is a number, counted from `first`. */
  append(
    to: Relation,
    first: number,
    columns: readonly (readonly (string | null)[])[],
  ): Promise<void>
  /** Forgets relations, before the session ends. */
  drop(relations: readonly Relation[]): Promise<void>
  /** Makes a relation known to all sessions under `tier.name`. */
  define(tier: string, name: string, relation: string): Promise<void>
  /** Takes back what was said with `define`, if anything was. */
  undefine(tier: string, name: string): Promise<void>
  /** Makes a relation known to this session alone, under a name that SQL of people uses. */
  defineHere(name: string, relation: string): Promise<void>
  /** Takes that back, if it was said. */
  undefineHere(name: string): Promise<void>
  /**
   * How far the running statement has come, in percent; 0 where it can't be told, or the engine was
   * not started to be watched.
   */
  progress(): number
  /** Stops what the session is doing; the call under way fails. */
  interrupt(): void
  close(): void
}

/** Reads and writes the data files of Iceberg tables. */
export interface TableIO {
  /** SQL for a relation over the files of a table, read by field id. */
  scan(schema: Schema, files: readonly TableFile[]): string
  /**
   * The same, with each row's file in a column `_data_file`, as {@link fileName} spells it, and its
   * place there in `_data_row`, from 0.
   */
  scanWithFiles(schema: Schema, files: readonly TableFile[]): string
  fileName(location: string): string
  /** SQL for a relation without what rules keep from whoever asks. */
  withRules(relation: string, rules: TableRules): string
  /** Runs a query and writes its rows as data files, with their statistics. */
  write(sql: string, target: WriteTarget): Promise<DataFile[]>
  /**
   * Writes the rows of a query, numbers in a column `pos`, as a list of deleted positions of one
   * data file.
   */
  writeDeletes(sql: string, target: DeletesTarget): Promise<DataFile>
  /**
   * Writes a list of deleted positions to another place, with data files that begin with the first
   * of a pair named by the second. Returns its bytes.
   */
  relocateDeletes(
    from: string,
    to: string,
    moves: readonly (readonly [from: string, to: string])[],
  ): Promise<number>
}

/** Parses SQL, without looking at what it names. */
export interface Parser {
  /** The parse tree of a text, as JSON; a text that can't be parsed gives one that says so. */
  tree(sql: string): Promise<string>
  /** The same of several texts, in their order. */
  trees(texts: readonly string[]): Promise<string[]>
  /** An expression of such a tree as SQL again. */
  text(expression: unknown): Promise<string>
  /**
   * A query over tables as the engine understands it, before it is optimized: every column found,
   * every cast said. JSON of the engine's own, which \`sql/bound\` reads; whole numbers beyond 2^53
   * are bigint.
   */
  boundPlan(sql: string, tables: readonly BoundTable[]): Promise<unknown>
}

/** A table that a query is bound on. */
export interface BoundTable {
  schema: string
  name: string
  fields: readonly Field[]
}

/**
 * What an engine does that runs where the files are: it reads and writes them, and calls
 * JavaScript.
 */
export interface FileEngine {
  /** The file of this machine that a location stands for, as the engine writes it. */
  place(location: string): string
  /** SQL for the rows of bronze files: lineage, `_superseded`, and every column as text. */
  batches(files: readonly BronzeFile[]): string
  /**
   * The same in two parts, of which one has columns (by names in lower case) also as values of the
   * types wanted.
   */
  batchParts(files: readonly BronzeFile[], requestedTypes: ReadonlyMap<string, string>): BatchParts
  /**
   * SQL for the rows of a bronze file as it keeps them, with their lineage (`_batch`,
   * `_source_file`, `_source_line`) as columns of their own: what is written of them is a file
   * whose description says nothing of these.
   *
   * @param file where it is `numbered`, `_row_of_file` is the number of a row.
   */
  keptRows(file: BronzeFile): string
  /** Readies bronze files for {@link batches} whatever their format; those in Parquet are ready. */
  hold(files: readonly { location: string }[]): Promise<void>
  /**
   * SQL for a relation over a delimited text file, all columns as text; it fails on what does not
   * fit.
   */
  text(path: string, options: TextOptions): string
  /**
   * SQL for rows of a file that has one as JSON on each line; without a file, for none.
   *
   * @param longest bytes of the longest line.
   */
  lines(path: string | undefined, columns: readonly Field[], longest?: number): string
  /** SQL for a relation over a Parquet file, with the types that it has. */
  parquet(path: string): string
  /**
   * Where the bytes of a Parquet file's first rows lie, if it has any; of its other bytes none but
   * its end is looked at.
   */
  firstRows(path: string): Promise<{ start: number; stop: number } | undefined>
  /** Runs a query and writes its rows, in their order, as one Parquet file. */
  writeFile(sql: string, location: string, options?: WriteFileOptions): Promise<WrittenText>
  /**
   * Runs a query of texts and longs and writes its rows, in their order, as a file of the format
   * that its name ends with: avro, csv, jsonl.
   */
  writeText(sql: string, location: string, codec: AvroCodec): Promise<WrittenFormat>
  /** Makes a JavaScript function callable from SQL; returns its name. */
  addFunction(call: JsFunction['call']): string
  /** Whether the engine has an extension on this machine. */
  loads(extension: Extension): Promise<boolean>
  /** Lets the engine read objects of a bucket where they lie. Needs `httpfs`. */
  reach(access: ObjectAccess): Promise<void>
  /**
   * Hands SQL for the rows of a database's query to `use`, within a transaction of that database
   * which ends with it. Needs `postgres_scanner`.
   */
  remote<T>(
    session: RemoteSession,
    query: string,
    use: (relation: string) => Promise<T>,
  ): Promise<T>
}
