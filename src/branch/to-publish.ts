import { leftOf, type Moved, movedSince } from '../log/branch/moved.js'
import {
  type BranchStates,
  namesOf,
  type OwnChanges,
  ownChanges,
} from '../log/branch/own-changes.js'
import { asRefreshed } from '../log/branch/refresh.js'
import { REVIEW } from '../log/branch/standing.js'
import type { LakeState } from '../log/commit.js'
import type { CommitLog } from '../log/log.js'
import type { Storage } from '../storage/storage.js'
import { movedExternals } from './moved-externals.js'

/** What of a branch would be published on a state of main. */
interface ToPublish {
  own: OwnChanges
  /** What keeps it from being published as it is. */
  moved: Moved[]
}

/**
 * What a branch has that main has not. Of what waits for a review, that is what the next run would
 * go on from: what main has built itself by now waits no more.
 */
export async function toPublish(
  main: CommitLog,
  name: string,
  states: BranchStates,
  now: LakeState,
): Promise<ToPublish> {
  if (name !== REVIEW)
    return { own: leftOf(ownChanges(states), now), moved: movedSince(states, now) }
  const seen = await asRefreshed(main, REVIEW, now)
  const own = ownChanges({ fork: now, head: seen })
  const { external } = states.head
  const there = { ...seen, ...(external ? { external } : {}) }
  // Where nothing is left of it, main has moved in all of it.
  const head = namesOf(own).length > 0 ? there : states.head
  // Runs leave a table behind its input on main too, where a check fails; the next one builds it.
  return { own, moved: movedSince({ ...states, head }, now, { mayLag: true }) }
}

/**
 * The same, with tables of other engines that it was built from and that have other rows by now. Of
 * what waits for a review these are as rows that arrive on main: the next run reads them, and who
 * has read what was there before is `behind`.
 */
export async function toPublishNow(
  { log, storage }: { log: CommitLog; storage: Storage },
  name: string,
  states: BranchStates,
  now: LakeState,
): Promise<ToPublish & { behind: string[] }> {
  const { own, moved } = await toPublish(log, name, states, now)
  const others = await movedExternals(storage, own, now)
  if (name !== REVIEW) return { own, moved: [...moved, ...others], behind: [] }
  return { own, moved, behind: others.map(({ dataset }) => dataset) }
}
