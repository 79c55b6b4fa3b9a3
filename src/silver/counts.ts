import { MoraineError } from '../errors.js'
import type { RowCounts } from '../log/commit.js'
import type { Merged } from './merged.js'

/** Where the rows that this run read have ended. */
export function countRows(
  { dataset, tally, deduplicated, merge }: Merged,
  written: number,
  discarded: number,
): RowCounts {
  return {
    in: tally.rows,
    kept: written - merge.rewritten,
    discarded,
    superseded: tally.superseded + deduplicated.superseded + merge.superseded,
    ...(dataset.deleteWhen ? { deleted: merge.tombstones?.deleted ?? 0 } : {}),
  }
}

/** Where all rows that were ever read have ended. */
export function countEver(
  { dataset, merge }: Merged,
  counts: RowCounts,
  before: RowCounts | undefined,
): RowCounts {
  const lost = merge.tombstones?.lost ?? 0
  return {
    in: (before?.in ?? 0) + counts.in,
    kept: (before?.kept ?? 0) + counts.kept - merge.replaced,
    discarded: (before?.discarded ?? 0) + counts.discarded,
    superseded: (before?.superseded ?? 0) + counts.superseded + merge.replaced + lost,
    ...(dataset.deleteWhen
      ? { deleted: (before?.deleted ?? 0) + (counts.deleted ?? 0) - lost }
      : {}),
    ...(before?.expired ? { expired: before.expired } : {}),
  }
}

/** The counts of before, without rows that are judged again: they were counted as discarded ones. */
export function withoutReplayed(before: RowCounts, replayed: number): RowCounts {
  return { ...before, in: before.in - replayed, discarded: before.discarded - replayed }
}

/** Every row in is kept, discarded, superseded, a deletion or let go with time: anything else must not pass. */
export function proveNothingLost(name: string, counts: RowCounts): void {
  const { deleted = 0, expired = 0 } = counts
  if (counts.in === counts.kept + counts.discarded + counts.superseded + deleted + expired) return
  throw new MoraineError(
    'corrupt',
    `${name}: the rows do not add up: ${counts.in} in, but ${counts.kept} kept + ${counts.discarded} discarded + ${counts.superseded} superseded + ${deleted} deleted + ${expired} expired`,
    { hint: 'This is a bug in Moraine; nothing was published. Please report it.' },
  )
}
