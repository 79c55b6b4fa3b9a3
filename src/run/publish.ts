import { fullName } from '../define/dataset.js'
import type { Changes, Offsets, TableState, ViewState } from '../log/commit.js'
import { offsetsOn } from '../plan/plan.js'
import type { BuildOutcome } from '../step/built.js'

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
