import { MoraineError } from '../../errors.js'
import type { Adopted, RowCounts } from '../../log/commit.js'
import type { StepCounts } from './output.js'

const NONE: RowCounts = { in: 0, kept: 0, discarded: 0, superseded: 0 }

/** What a step counts that reads no rows. */
export const NO_ROWS: StepCounts = {
  now: NONE,
  replaced: 0,
  revived: 0,
  replayed: 0,
  expired: 0,
  anew: false,
}

/** Where all rows have ended that were ever read into a table. */
export function countEver(before: RowCounts | undefined, counts: StepCounts): RowCounts {
  const { now, replaced, revived, replayed, expired } = counts
  const past = (counts.anew ? undefined : before) ?? NONE
  const gone = (past.expired ?? 0) + expired
  return {
    in: past.in - replayed + now.in,
    kept: past.kept + now.kept - replaced - expired,
    discarded: past.discarded - replayed + now.discarded,
    superseded: past.superseded + now.superseded + replaced + revived,
    ...(now.deleted === undefined && past.deleted === undefined
      ? {}
      : { deleted: (past.deleted ?? 0) + (now.deleted ?? 0) - revived }),
    ...(gone > 0 ? { expired: gone } : {}),
    ...(past.forgotten ? { forgotten: past.forgotten } : {}),
  }
}

/**
 * Every row in is kept, discarded, superseded, a deletion, let go with time or forgotten: anything
 * else must not pass.
 *
 * @param adopted rows that other engines have added to the table and removed from it.
 */
export function proveNothingLost(name: string, counts: RowCounts, adopted?: Adopted): void {
  const { deleted = 0, expired = 0, forgotten = 0 } = counts
  const { added = 0, removed = 0 } = adopted ?? {}
  const ended = counts.kept + counts.discarded + counts.superseded + deleted + expired + forgotten
  if (counts.in + added === ended + removed) return
  const others = adopted ? ` (other engines: ${added} added, ${removed} removed)` : ''
  throw new MoraineError(
    'corrupt',
    `${name}: the rows do not add up: ${counts.in} in, but ${counts.kept} kept + ${counts.discarded} discarded + ${counts.superseded} superseded + ${deleted} deleted + ${expired} expired + ${forgotten} forgotten${others}`,
    { hint: 'This is a bug in Moraine; nothing was published. Please report it.' },
  )
}
