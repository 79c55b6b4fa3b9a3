import type { Rights } from '../../define/access/rights.js'
import type { ParameterValues, QueryParameter, RowValue } from '../../engine/engine.js'
import type { TableRef } from '../../sql/guard.js'
import type { QueryStatistics } from '../system/past-queries.js'
import type { ReadAs } from './read-as.js'

/** Who asks. Whoever verified it says so: the service believes it. */
export interface Caller {
  readonly name: string
  readonly rights: Rights
}

/** A question to the service, from whatever protocol. */
export interface QueryRequest {
  principal: Caller
  /** One SELECT over tables of the lake, in DuckDB's dialect; at most 262,144 bytes. */
  sql: string
  /** The statement as it was sent, where it was translated: what the history shows. */
  written?: string
  /** No result of before is given, whatever it was made of. */
  fresh?: boolean
  /** Values of `?` and `$1` in their order, or of `:name` and `$name` by names. */
  parameters?: ParameterValues
  /** The namespace in which tables are looked for that are named without one: `gold`. */
  schema?: string
  /** Whose limits hold; without it, those of whoever asks. */
  workgroup?: string
  /** Rows after which the result ends, without an error. */
  maxRows?: number
  /**
   * A table of which each row has two more columns: its file, `_data_file`, and its place there,
   * `_data_row`. For who is about to change these rows.
   */
  places?: TableRef
  /**
   * What is asked in its place, once its columns are known, by who can't have them as they are: it
   * is one query all the same.
   */
  inOtherWords?: (columns: readonly AnswerColumn[]) => string | undefined
  /** Stops the query. */
  signal?: AbortSignal
}

export interface AnswerColumn {
  name: string
  /** DuckDB's name of the type: `BIGINT`, `DECIMAL(18,2)`, `VARCHAR[]`. */
  type: string
}

export type { QueryStatistics }

/** A result while it is read. */
export interface QueryAnswer extends AsyncDisposable {
  id: string
  columns: AnswerColumn[]
  /** Rows in batches, each a list of values in the order of the columns. To be read once. */
  rows: AsyncIterable<RowValue[][]>
  statistics: QueryStatistics
  /** What its rows are of, and by which rules. */
  readAs: ReadAs
  /** Ends the query, where its rows were not read to the end. */
  close(): Promise<void>
}

/** What a query would give, and takes. */
export interface Description {
  columns: AnswerColumn[]
  parameters: QueryParameter[]
}

export type ExecutionState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'

/** A query that runs by itself, and whose result is kept for a while. */
export interface Execution {
  id: string
  /** The name of whoever started it. */
  principal: string
  sql: string
  workgroup: string | undefined
  schema: string | undefined
  state: ExecutionState
  submitted: Date
  ended: Date | undefined
  /** Known once it runs. */
  columns: AnswerColumn[] | undefined
  statistics: QueryStatistics
  /** Why it failed. */
  error: { kind: string; message: string; hint?: string | undefined } | undefined
}

/** Rows of an execution, from one number on. */
export interface ResultPage {
  columns: AnswerColumn[]
  rows: RowValue[][]
  /** The number of the first row of the next page, where there is one. */
  next: number | undefined
}

/** A table or view as somebody may see it. */
export interface VisibleTable {
  schema: string
  name: string
  kind: 'table' | 'view'
  comment: string | undefined
  columns: VisibleColumn[]
}

export interface VisibleColumn extends AnswerColumn {
  nullable: boolean
  comment: string | undefined
}

/** A query that is over, for its history. */
export interface QueryRecord {
  id: string
  /** When it was over. */
  time: Date
  principal: string
  workgroup: string
  sql: string
  error: unknown
  statistics: QueryStatistics
  /** Bytes that it has used of what its workgroup may read in a day. */
  counted: number
}
