import { thousands } from '../../../define/thousands.js'
import type { RowCounts, TableState } from '../../../log/commit.js'
import { LONG_AGO } from '../../../plan/refused/expired.js'
import type { Added, Checked } from './added.js'
import { changedParts } from './changed-parts.js'
import type { Recorded } from './rewrite.js'

/** What the log is to say of a table whose rows an engine has changed that may. */
export function recordedAdoption(added: Added, checked: Checked): Recorded {
  const { name, state } = added
  const { rows, changes, files, engine } = checked
  const { added: more, removed: less } = changes.rows
  const { sameRowsAs: _, adopted: before, ...others } = state
  const adopted = {
    added: (before?.added ?? 0) + more,
    removed: (before?.removed ?? 0) + less,
    ...changedParts(added, checked),
    // Only silver has keys.
    ...(name.startsWith('silver.') ? { unchecked: true } : {}),
  }
  const next: TableState = {
    ...others,
    ...files,
    rows,
    adopted,
    ...(state.counts ? { counts: countsOf(state.counts, more - less) } : {}),
    // How old its rows are now is seen by the next run.
    ...(state.retention ? { retention: { ...state.retention, oldest: LONG_AGO } } : {}),
  }
  const did = `adopt ${thousands(more)} added and ${thousands(less)} removed rows of ${name}${engine}`
  return { state: next, did }
}

const countsOf = (counts: RowCounts, more: number): RowCounts => ({
  ...counts,
  kept: counts.kept + more,
})
