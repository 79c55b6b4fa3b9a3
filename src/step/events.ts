import type { ExportResult } from '../define/export/exported.js'
import type { Problem } from '../errors.js'
import type { RowCounts } from '../log/commit.js'
import type { BuildDecision } from '../plan/decision.js'

/** How a step ended. */
export type Outcome =
  | 'done'
  | 'unchanged'
  | 'failed'
  | 'blocked'
  | 'cancelled'
  /**
   * What its source gave has far fewer rows than before, and waits for somebody to accept that;
   * what was there stays.
   */
  | 'held'

/** How often a reason applied. */
export interface ReasonCount {
  reason: string
  rows: number
}

/** How a check of a whole table came out. */
export interface CheckResult {
  check: string
  severity: 'fail' | 'warn'
  passed: boolean
  /** What was found, where it did not pass. */
  message?: string
  /**
   * What its SQL asks, as a hash; none where its name says all, and of earlier versions of Moraine.
   */
  query?: string
}

/** What a step did, as the run's record keeps it. */
export interface StepResult {
  dataset: string
  outcome: Outcome
  /** Why it ran, or why there was nothing to do. */
  reason: string
  seconds: number
  /** Rows that the step read and what became of them; for bronze and gold, rows written. */
  counts?: RowCounts & { replaced: number }
  rows?: number
  files?: number
  bytes?: number
  /** Keys whose newest row is invalid, so that an older one stays. */
  stale?: number
  checks?: CheckResult[]
  discarded?: ReasonCount[]
  warnings?: ReasonCount[]
  /** Things that are no failure but that somebody should know. */
  notes?: string[]
  /** What may be wrong with what a source gave. */
  sourceWarnings?: readonly string[]
  /**
   * Objects that could not be read, where there are some: those of this run, and how many there are
   * in all.
   */
  quarantine?: {
    objects: readonly {
      id: string
      name: string
      reason: string
      failures: number
      held: boolean
    }[]
    /** In all, and of these those that are not tried again by themselves. */
    total: number
    held: number
  }
  /** Of an extract that was held back: its rows, and those of the one that stays. */
  held?: { rows: number; before: number }
  error?: { kind: string; message: string; hint?: string; place?: { file: string; line: number } }
}

/** Everything that happens in a run; progress, logs and the record are readers of these. */
export type RunEvent =
  | {
      type: 'run-started'
      run: string
      time: string
      datasets: { name: string; inputs: string[] }[]
    }
  | {
      type: 'step-started'
      dataset: string
      reason: string
      /** Of one that builds a table: whether it reads all of its inputs, or what is new. */
      mode?: BuildDecision['mode']
    }
  | { type: 'step-progress'; dataset: string; rows?: number; percent?: number }
  | { type: 'step-finished'; result: StepResult }
  | { type: 'committed'; commit: number; datasets: string[] }
  | { type: 'run-finished'; record: RunRecord }
  /** A table of a warehouse, after the run. */
  | { type: 'exported'; result: ExportResult }

/** The record of a run, kept in storage under `_moraine/runs/`. */
export interface RunRecord {
  format: 1
  run: string
  outcome: 'done' | 'failed' | 'cancelled'
  started: string
  finished: string
  author: string
  /** The branch that it was on; absent for main. */
  branch?: string
  steps: StepResult[]
  /** Numbers of the commits the run made. */
  commits: number[]
  /** Where its tables wait for a review: they were built on a branch, which this commit is of. */
  review?: { branch: string; commit: number; datasets: string[] }
  /** Tables that were built but not published; `moraine query --run ID` reads them. */
  rejected?: string[]
  /**
   * Requests to S3 that the process made meanwhile: those that are paid as PUT (LIST, too), and
   * those as GET. Absent where there were none. What DuckDB reads in place is not counted.
   */
  requests?: { puts: number; gets: number }
  /** What became of exports after the run; the record that is kept in storage has none. */
  exports?: ExportResult[]
  error?: {
    kind: string
    message: string
    hint?: string
    /** All mistakes of a definition. */
    problems?: readonly Problem[]
  }
}
