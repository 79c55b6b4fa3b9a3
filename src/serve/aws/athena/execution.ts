import type { RowValue } from '../../../engine/engine.js'
import type { Caller } from '../../../query/service/request.js'
import type { QueryService } from '../../../query/service/service.js'
import type { TrinoType } from '../../../sql/trino/types.js'
import type { ColumnInfo } from './types.js'
import { writerOf } from './values.js'

export type State = 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED'

/** The number that Athena gives to failures of commits, and that dbt knows. */
export const COMMIT_LOST_TYPE = 233

/** What a client asked to be run, and what became of it. */
export interface AthenaExecution {
  id: string
  caller: Caller
  query: string
  parameters: readonly string[]
  catalog: string
  database: string | undefined
  workgroup: string
  /** The workgroup whose limits hold. */
  group: string
  /**
   * Where the result's files go, with the name of the first; `undefined` where results are managed.
   */
  output: string | undefined
  /** Whether results of before may be given; where nothing is said, they are. */
  reuse: boolean | undefined
  /** How old they may be, as the client says; they are never out of date here. */
  reuseMinutes: number
  type: 'DDL' | 'DML' | 'UTILITY'
  subtype: string
  state: State
  submitted: number
  completed: number | undefined
  reason: string | undefined
  /** 1: the system, 2: the user, 3: other. */
  error: { category: number; type: number; message: string } | undefined
  statistics: Statistics
  result: Result | undefined
  stop: AbortController
  done: Promise<void>
}

export interface Statistics {
  scanned: number
  runMs: number
  queuedMs: number
  rows: number
  bytesOut: number
  reused: boolean
  manifest?: string
}

/** A result, whose rows are held elsewhere where there may be many. */
export interface Result {
  columns: ColumnInfo[]
  /** Whether the names of the columns are the first row, as they are of a SELECT. */
  hasHeader: boolean
  updateCount?: number
  /** The rows themselves, or the execution of the query service that has them. */
  rows: (string | null)[][] | { execution: string }
  /** Types of the columns, where the statement says more of them than the engine. */
  types?: (TrinoType | null)[]
}

/** Rows of a result, as texts. */
interface TextPage {
  rows: (string | null)[][]
  hasMore: boolean
}

/** Gives whoever makes an answer of them rows of a result, from one number on. */
export async function withPage<T>(
  { rows, types = [] }: Result,
  { service, caller }: { service: QueryService; caller: Caller },
  { from, most }: { from: number; most: number },
  use: (page: TextPage) => Promise<T>,
): Promise<T> {
  if (Array.isArray(rows))
    return use({ rows: rows.slice(from, from + most), hasMore: from + most < rows.length })
  return service.withResults(rows.execution, caller, { from, most }, (page) => {
    const writers = page.columns.map(({ type }, i) => writerOf(type, types[i] ?? undefined))
    const texts = page.rows.map((row) => writers.map((write, i) => write(row[i] as RowValue)))
    return use({ rows: texts, hasMore: page.next !== undefined })
  })
}

/** An execution as it outlives the server. */
export interface KeptExecution extends Omit<AthenaExecution, 'caller' | 'stop' | 'done'> {
  principal: string
  /** What starts it once, with what was asked then. */
  token: { key: string; asked: string } | undefined
}

/** An execution as clients are told of it. */
export function told(one: AthenaExecution) {
  const { statistics } = one
  const total = (one.completed ?? Date.now()) - one.submitted
  return {
    QueryExecutionId: one.id,
    Query: one.query,
    StatementType: one.type,
    SubstatementType: one.subtype,
    ...(one.output === undefined
      ? { ManagedQueryResultsConfiguration: { Enabled: true } }
      : { ResultConfiguration: { OutputLocation: one.output } }),
    ResultReuseConfiguration: {
      ResultReuseByAgeConfiguration: {
        Enabled: one.reuse ?? false,
        MaxAgeInMinutes: one.reuseMinutes,
      },
    },
    QueryExecutionContext: {
      ...(one.database === undefined ? {} : { Database: one.database }),
      Catalog: one.catalog,
    },
    Status: {
      State: one.state,
      SubmissionDateTime: one.submitted / 1000,
      ...(one.completed === undefined ? {} : { CompletionDateTime: one.completed / 1000 }),
      ...(one.reason === undefined ? {} : { StateChangeReason: one.reason }),
      ...(one.error
        ? {
            AthenaError: {
              ErrorCategory: one.error.category,
              ErrorType: one.error.type,
              Retryable: one.error.type === COMMIT_LOST_TYPE,
              ErrorMessage: one.error.message,
            },
          }
        : {}),
    },
    Statistics: {
      EngineExecutionTimeInMillis: Math.max(0, total - statistics.queuedMs),
      DataScannedInBytes: statistics.scanned,
      TotalExecutionTimeInMillis: total,
      QueryQueueTimeInMillis: statistics.queuedMs,
      ServiceProcessingTimeInMillis: 0,
      ResultReuseInformation: { ReusedPreviousResult: statistics.reused },
      ...(statistics.manifest === undefined ? {} : { DataManifestLocation: statistics.manifest }),
    },
    WorkGroup: one.workgroup,
    EngineVersion: {
      SelectedEngineVersion: 'AUTO',
      EffectiveEngineVersion: 'Athena engine version 3',
    },
    ...(one.parameters.length > 0 ? { ExecutionParameters: one.parameters } : {}),
  }
}
