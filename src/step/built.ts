import type { AnyDataset } from '../define/model.js'
import type { MoraineError } from '../errors.js'
import type { DataFile } from '../iceberg/spec/manifest.js'
import type { Table } from '../iceberg/table.js'
import type { Offsets, TableState, ViewState } from '../log/commit.js'
import type { View } from '../plan/decision.js'
import type { StepResult } from './events.js'

/** Files that a step wrote of its dataset's table. */
export interface Written {
  table: Table
  files: readonly DataFile[]
}

/** What a step has built: new versions of tables that wait for the commit. */
export interface Built {
  tables: Record<string, TableState>
  /** What is stored as a query. */
  views?: Record<string, ViewState>
  result: Partial<StepResult>
  /** The files that it wrote, unless it was taken over from a run before. */
  written?: Written
  /** Why nobody may see it yet: a check of severity `fail` is broken. */
  failure?: MoraineError
}

/** A dataset that was built, on the view its step saw. */
export interface BuildOutcome {
  dataset: AnyDataset
  tables: Record<string, TableState>
  /** What is stored as a query. */
  views?: Record<string, ViewState> | undefined
  view: View
  written?: Written | undefined
  /** An earlier run has built it. */
  resumed?: boolean
  /** How far it has read its inputs, where that is not as far as they go. */
  offsets?: Offsets
}
