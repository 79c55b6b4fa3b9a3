import type { Storage } from '../storage/storage.js'
import { Checkpoints } from './checkpoints.js'
import type { LakeState } from './commit.js'
import { emptyState } from './fold.js'
import type { CommitLog } from './log.js'
import { checkedFold } from './reader.js'

/**
 * The last commit that is there, where only those after it are missing; `undefined` where none is,
 * or one in the middle.
 */
export async function lostTail(
  storage: Storage,
  log: CommitLog,
): Promise<{ last: number } | undefined> {
  const missing = await log.missing()
  const [first] = missing
  if (first === undefined) return undefined
  const last = Number(/(\d+)\.json$/.exec(first)?.[1]) - 1
  const { checkpoints, anchors } = await new Checkpoints(storage, log.branch).known()
  const newest = Math.max(...checkpoints, ...anchors, 0)
  return last + missing.length === newest ? { last } : undefined
}

/** Gives up the commits that are missing from the end: nothing tells of them any more. */
export async function forgetTail(storage: Storage, log: CommitLog): Promise<void> {
  const tail = await lostTail(storage, log)
  if (!tail) return
  const beside = new Checkpoints(storage, log.branch)
  const { checkpoints, anchors } = await beside.known()
  const after = (number: number) => number > tail.last
  for (const number of checkpoints.filter(after)) await storage.remove(beside.pathOf(number))
  // The first that is missing goes last: until then the log is known to be cut.
  for (const number of anchors.filter(after)) await beside.anchors.remove(number)
}

/** The state at a commit, from the entries alone. */
export async function foldedTo(log: CommitLog, number: number): Promise<LakeState> {
  let state = emptyState
  for await (const entry of log.entries()) {
    state = checkedFold(state, entry)
    if (state.number === number) break
  }
  return state
}
