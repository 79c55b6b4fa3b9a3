import type { MoraineError } from '../../errors.js'
import type { Shape } from '../../iceberg/change.js'
import type { FileChange } from '../../iceberg/version.js'
import type { RowCounts, TableState, ViewState } from '../../log/commit.js'
import type { StepResult } from '../events.js'

/*
 * What a step gives: plain data, from which its driver makes new versions of tables. The data files
 * are written and durable; nothing leads to them yet.
 */

/** What becomes of one table. */
export interface TableOutput {
  /** What it is to be like; absent where it stays as it is. */
  shape?: Shape
  /** One snapshot each, one after the other. */
  changes: readonly FileChange[]
  /** What the log is to say of the table, beside where it is and what is in it. */
  state: Omit<Partial<TableState>, 'counts' | 'definition'>
  /** Whether the log goes on saying what it said of the table. */
  continues?: boolean
}

/**
 * Where the rows that a step read have ended, and what that means for rows that were read before.
 */
export interface StepCounts {
  /** The rows that it read. */
  now: RowCounts
  /** Rows of the table that lost to a new row. */
  replaced: number
  /** Deletions of before that lost to a newer row of their key. */
  revived: number
  /** Rows among those it read that were counted before, as discarded. */
  replayed: number
  /** Rows that went as older than `keep`. */
  expired: number
  /** The table is made of these rows alone: what was counted before is no part of it. */
  anew: boolean
}

export interface StepOutput {
  /** By the tables' names. */
  tables: Readonly<Record<string, TableOutput>>
  /** What is stored as a query. */
  views?: Readonly<Record<string, ViewState>>
  /** Of silver. */
  counts?: StepCounts
  result: Partial<StepResult>
  /** Why nobody may see it yet: a check of severity `fail` is broken. */
  failure?: MoraineError
}
