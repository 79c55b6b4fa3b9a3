import type { TableState } from '../../log/commit.js'

/** Whether two versions of a table are known to have the same rows, be it in other files. */
export function hasSameRows(a: TableState | undefined, b: TableState | undefined): boolean {
  if (!a || !b) return a === b
  return (
    a.metadata === b.metadata ||
    (b.sameRowsAs ?? []).includes(a.metadata) ||
    (a.sameRowsAs ?? []).includes(b.metadata)
  )
}
