import type { LakeState, TableState } from '../../log/commit.js'
import { shownKey } from '../../log/external.js'

/** Whether two versions of a table are known to have the same rows, be it in other files. */
export function hasSameRows(a: TableState | undefined, b: TableState | undefined): boolean {
  if (!a || !b) return a === b
  return (
    a.metadata === b.metadata ||
    (b.sameRowsAs ?? []).includes(a.metadata) ||
    (a.sameRowsAs ?? []).includes(b.metadata)
  )
}

/** A table or view of another engine that two states of the lake have otherwise. */
export interface OtherChange {
  /** `ml.scores` */
  name: string
  kind: 'table' | 'view'
  change: 'added' | 'removed' | 'changed'
}

/** What other engines have made between two states, in the order of the names. */
export function otherChanges(before: LakeState, after: LakeState): OtherChange[] {
  const [old, fresh] = [before, after].map(({ external }) => external?.relations ?? {})
  const keys = [...new Set([...Object.keys(old ?? {}), ...Object.keys(fresh ?? {})])].sort()
  return keys.flatMap((key): OtherChange[] => {
    const [was, is] = [old?.[key], fresh?.[key]]
    const kind = (is ?? was)?.kind
    if (kind === undefined || was?.sha256 === is?.sha256) return []
    const change = was === undefined ? 'added' : is === undefined ? 'removed' : 'changed'
    return [{ name: shownKey(key), kind, change }]
  })
}
