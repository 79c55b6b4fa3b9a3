import { type AnyDataset, fullName } from '../define/dataset.js'
import type { Changes, Offsets, TableState, ViewState } from '../log/commit.js'
import { offsetsOn, type View } from '../plan/plan.js'
import type { Written } from './build.js'

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

/** All that was built, as one change: tables, and how far they have read their inputs. */
export function publishable(built: readonly BuildOutcome[]): Changes & {
  tables: Record<string, TableState | null>
} {
  const tables: Record<string, TableState | null> = {}
  const views: Record<string, ViewState | null> = {}
  const offsets: Record<string, Offsets | null> = {}
  for (const { dataset, tables: made, views: stored, view, offsets: own } of built) {
    const name = fullName(dataset)
    Object.assign(tables, made)
    Object.assign(views, stored)
    // What was a table, or a view, is not both.
    if (stored && view.tables[name]) tables[name] = null
    if (!stored && view.views?.[name]) views[name] = null
    if (!stored) offsets[name] = own ?? offsetsOn(dataset, view)
    else if (view.offsets[name]) offsets[name] = null
  }
  return { tables, ...(Object.keys(views).length > 0 ? { views } : {}), offsets }
}
