import type { GlueTable } from './client.js'
import { isOf, type LakeMark, markOf, POINTER, shapeOf } from './marks.js'

/** A table as the log has it. */
export interface Wanted {
  /** `silver.orders`. */
  dataset: string
  /**
   * What changes whenever the table has to be written again: the location of its metadata file, or
   * a hash.
   */
  version: string
  /** Whether its version is a pointer that other engines move. */
  pointer: boolean
  /** A hash of its batches, where it has some. */
  batches?: string | undefined
}

/** What is to be done with a table of the catalog. */
export type Decision =
  | { do: 'create' }
  | { do: 'write'; why: 'advanced' | 'edited' | 'batches' | 'taken back' }
  | { do: 'nothing' }
  /** The catalog has it of a later commit than the one that is projected. */
  | { do: 'read the log again'; commit: number }
  | { do: 'set aside'; why: string; pointer?: string }

export interface Deciding {
  mark: LakeMark
  /** The commit that is projected. */
  commit: number
  /** Whether what somebody else put there is to go. */
  takeBack: boolean
  /** Whether the log has been read again, and is no further. */
  isNewest?: boolean
}

/** Decides on a table that the log has. */
export function decide(
  wanted: Wanted,
  found: GlueTable | undefined,
  { mark, commit, takeBack, isNewest = false }: Deciding,
): Decision {
  if (!found) return { do: 'create' }
  const own = markOf(found)
  // Not even by order: the rows behind it may be nowhere else.
  if (!isOf(own, mark) || own.dataset.toLowerCase() !== wanted.dataset.toLowerCase()) {
    if (own || !isOurs(wanted, found)) return strangers(found, own)
    return takeBack ? { do: 'write', why: 'taken back' } : foreign(found.Parameters?.[POINTER])
  }
  if (own.commit > commit) {
    if (!isNewest) return { do: 'read the log again', commit: own.commit }
    if (takeBack) return { do: 'write', why: 'taken back' }
    return {
      do: 'set aside',
      why: `it is of commit ${own.commit}, but the log ends at commit ${commit}`,
    }
  }
  const pointer = found.Parameters?.[POINTER]
  if (wanted.pointer && pointer !== own.version && pointer !== wanted.version) {
    if (takeBack) return { do: 'write', why: 'taken back' }
    return foreign(pointer)
  }
  if (own.version !== wanted.version) return { do: 'write', why: 'advanced' }
  if (shapeOf(found) !== own.shape || (wanted.pointer && pointer !== wanted.version))
    return { do: 'write', why: 'edited' }
  if (own.batches !== wanted.batches) return { do: 'write', why: 'batches' }
  return { do: 'nothing' }
}

/** Decides on a table that has our mark, and whose dataset the log does not have. */
export function decideRemoval(
  found: GlueTable,
  { mark, commit, takeBack, isNewest = false }: Deciding,
): Decision | { do: 'remove' } {
  const own = markOf(found)
  if (!isOf(own, mark)) return { do: 'nothing' }
  if (own.commit > commit) {
    if (!isNewest) return { do: 'read the log again', commit: own.commit }
    if (takeBack) return { do: 'remove' }
    return {
      do: 'set aside',
      why: `it is of commit ${own.commit}, but the log ends at commit ${commit}`,
    }
  }
  const pointer = found.Parameters?.[POINTER]
  const isMoved = pointer !== undefined && pointer !== own.version
  if (!isMoved || takeBack) return { do: 'remove' }
  return foreign(pointer)
}

/**
 * Engines such as Trino take our mark away when they write; where the table lies tells whose it is.
 */
function isOurs({ pointer, version }: Wanted, found: GlueTable): boolean {
  const folderOf = (path: string | undefined) => path?.slice(0, path.lastIndexOf('/'))
  return pointer && folderOf(found.Parameters?.[POINTER]) === folderOf(version)
}

function foreign(pointer: string | undefined): Decision {
  return {
    do: 'set aside',
    why: 'another program has moved its pointer',
    ...(pointer === undefined ? {} : { pointer }),
  }
}

function strangers(found: GlueTable, own: ReturnType<typeof markOf>): Decision {
  const pointer = found.Parameters?.[POINTER]
  return {
    do: 'set aside',
    why: own
      ? `it belongs to ${own.dataset} of the lake ${own.lake} at ${own.root}`
      : 'it was not made by moraine project',
    ...(pointer === undefined ? {} : { pointer }),
  }
}
