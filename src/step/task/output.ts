import type { MoraineError } from '../../errors.js'
import type { Shape } from '../../iceberg/change.js'
import type { DataFile } from '../../iceberg/spec/manifest.js'
import type { FileChange } from '../../iceberg/version.js'
import type { RowCounts, TableState, ViewState } from '../../log/commit.js'
import type { ReasonCount, StepResult } from '../events.js'
import type { GroupRows } from './task.js'

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
  /**
   * What the log is to say of the table, beside where it is and what is in it; it has the
   * definition of now, unless that is another one.
   */
  state: Omit<Partial<TableState>, 'counts'>
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

/** What a part of a step leaves to the parts after it. */
export interface LeftOver {
  /** Of a group of files. */
  group?: GroupRows
  /** Rows that some part after it settles: deletions, and invalid rows that may be stale. */
  unsettled?: number
  /** By tables: files with places of rows that go, and how many go of each data file. */
  lost?: Readonly<Record<string, LostPlaces>>
  /** What broke checks of severity `fail`. */
  failed?: FailedRows
}

/**
 * Places of rows that go: files with a data file's location in `file`, and a row there in `row`.
 */
export interface LostPlaces {
  places: readonly DataFile[]
  /** Rows by the data file's location. */
  rows: Readonly<Record<string, number>>
}

/** Rows that break checks of severity `fail`, and the first of them. */
export interface FailedRows {
  reasons: readonly ReasonCount[]
  first?: { batch: string; file: string; line: string }
}

export interface StepOutput {
  /** By the tables' names. */
  tables: Readonly<Record<string, TableOutput>>
  /** Of a part of a step. */
  left?: LeftOver
  /** What is stored as a query. */
  views?: Readonly<Record<string, ViewState>>
  /** Of silver. */
  counts?: StepCounts
  result: Partial<StepResult>
  /** Why nobody may see it yet: a check of severity `fail` is broken. */
  failure?: MoraineError
}
