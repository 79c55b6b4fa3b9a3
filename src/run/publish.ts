import { type AnyDataset, fullName } from '../define/dataset.js'
import type { Changes, Offsets, TableState } from '../log/commit.js'
import { offsetsOn, type View } from '../plan/plan.js'
import type { Written } from './build.js'

/** A dataset that was built, on the view its step saw. */
export interface BuildOutcome {
  dataset: AnyDataset
  tables: Record<string, TableState>
  view: View
  written?: Written | undefined
  /** How far it has read its inputs, where that is not as far as they go. */
  offsets?: Offsets
}

/** All that was built, as one change: tables, and how far they have read their inputs. */
export function publishable(built: readonly BuildOutcome[]): Changes {
  const tables: Record<string, TableState> = {}
  const offsets: Record<string, Offsets> = {}
  for (const { dataset, tables: made, view, offsets: own } of built) {
    Object.assign(tables, made)
    offsets[fullName(dataset)] = own ?? offsetsOn(dataset, view)
  }
  return { tables, offsets }
}
