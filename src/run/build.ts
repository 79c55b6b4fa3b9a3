import type { MoraineError } from '../errors.js'
import type { TableState } from '../log/commit.js'
import type { StepResult } from './events.js'

/** What a step has built: new versions of tables that wait for the commit. */
export interface Built {
  tables: Record<string, TableState>
  result: Partial<StepResult>
  /** Why nobody may see it yet: a check of severity `fail` is broken. */
  failure?: MoraineError
}
