import type { TableRules } from '../define/access/rights.js'
import type { Field } from '../define/types/column-type.js'
import type {
  BronzeEncoding,
  ParameterValues,
  QueryParameter,
  ResultColumn,
  ResultRow,
  TableFile,
} from '../engine/engine.js'
import type { PlanStep } from '../engine/plan-step.js'
import type { Schema } from '../iceberg/spec/types.js'
import type { TableRef } from '../sql/guard.js'
import type { ObjectAccess } from '../storage/staging.js'
import type { Excess, Limits } from './limits.js'
import type { NamedColumn, Pushed } from './pushdown.js'

/** What a query's process is told. It knows nothing but this: no environment, no lake. */
export type Request =
  | {
      type: 'parse'
      sql: string
      /** Parts of it, each of which must be one expression. */
      expressions?: readonly string[]
      limits: Limits
      extensions?: string
      /**
       * Values of its parameters, of which none is missing; where it is only described, some may
       * be.
       */
      parameters?: ParameterValues
      isDescribed?: boolean
      /** The namespace of tables that are named without one. */
      schema?: string
    }
  /** Which tables the query of a view reads, or that of rules. */
  | { type: 'tables'; sql: string; expressions?: readonly string[] }
  /** Only says what the result would be like. */
  | { type: 'describe'; relations: RelationFiles[] }
  | {
      type: 'run'
      relations: RelationFiles[]
      access?: ObjectAccess
      parameters?: ParameterValues
      /** Only says how it would run. */
      isExplained?: boolean
    }
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
  /** Each row has its file and its place there, in two more columns. */
  places?: boolean
  /** What is kept of it from whoever asks. */
  rules?: TableRules
  /** Of a table that is computed: its columns, where its files have a row as JSON on each line. */
  lines?: readonly Field[]
  /** Bytes of the longest of them. */
  longest?: number
}

/** All files of relations, each once: lists of deletes are shared. */
export function locationsOf(files: readonly TableFile[]): string[] {
  const lists = new Set(files.map(({ deletes = [] }) => deletes))
  return [...new Set([...files, ...[...lists].flat()].map(({ location }) => location))]
}

/** What a query reads. */
export interface Reads {
  table: TableRef
  predicates: Pushed[]
  /** How often it names the table. */
  times: number
  /** What it calls the table, in lower case. */
  aliases: readonly string[]
}

export type Reply =
  | {
      type: 'parsed'
      tables: Reads[]
      /** Functions that it calls, in lower case. */
      functions: string[]
      /** Whether it gives the same rows again, as long as its tables are the same. */
      isRepeatable: boolean
      /** Columns that it names; `undefined` when it takes all of something. */
      named: NamedColumn[] | undefined
      /** Whether the engine can read objects of buckets where they lie. */
      reaches: boolean
    }
  | {
      type: 'tables'
      tables: Reads[]
      functions: string[]
      named: NamedColumn[] | undefined
      isRepeatable: boolean
    }
  | { type: 'columns'; columns: ResultColumn[]; parameters?: QueryParameter[]; plan?: PlanStep }
  /**
   * No rows at the end; `isLarge` where the process holds so much that the next query is better off
   * with another.
   */
  | { type: 'rows'; rows: ResultRow[] | null; isLarge?: boolean }
  | { type: 'failed'; message: string; hint?: string; excess?: Excess }
