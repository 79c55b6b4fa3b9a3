import type { Field } from '../define/types/column-type.js'
import type { BronzeEncoding, ResultRow, TableFile } from '../engine/engine.js'
import type { Schema } from '../iceberg/spec/types.js'
import type { TableRef } from '../sql/guard.js'
import type { ObjectAccess } from '../storage/staging.js'
import type { Excess, Limits } from './limits.js'
import type { Pushed } from './pushdown.js'

/** What a query's process is told. It knows nothing but this: no environment, no lake. */
export type Request =
  | { type: 'parse'; sql: string; limits: Limits; extensions?: string }
  /** Which tables the query of a view reads. */
  | { type: 'tables'; sql: string }
  | { type: 'run'; relations: RelationFiles[]; access?: ObjectAccess }
  | { type: 'next' }

/** A table as the query's process reads it: by field id, or by name for bronze. */
export interface RelationFiles {
  tier: string
  name: string
  schema: Schema | null
  /** Columns of a bronze relation. */
  columns: string[]
  /** All that the process may open. */
  files: (TableFile & BronzeEncoding)[]
  /** Of a view: its query, over relations that come before it. */
  query?: string
}

export type Reply =
  | {
      type: 'parsed'
      tables: { table: TableRef; predicates: Pushed[] }[]
      /** Columns that it names, in lower case; `undefined` when it takes all of something. */
      named: string[] | undefined
      /** Whether the engine can read objects of buckets where they lie. */
      reaches: boolean
    }
  | { type: 'tables'; tables: TableRef[] }
  | { type: 'columns'; columns: Field[] }
  /**
   * No rows at the end; `isLarge` where the process holds so much that the next query is better off
   * with another.
   */
  | { type: 'rows'; rows: ResultRow[] | null; isLarge?: boolean }
  | { type: 'failed'; message: string; hint?: string; excess?: Excess }
