import type { Storage } from '../../storage/storage.js'
import type { CommitInfo, LakeState } from '../commit.js'
import { Heartbeat, lookForLive } from '../live.js'
import type { CommitLog } from '../log.js'
import { namedBranch } from './named.js'
import { isRunBranch, runBranchName } from './run-branch-names.js'

/** A branch that is a run's own, for as long as the run is at work. */
export interface RunBranch {
  /** Engines find it as `gold@<name>`. */
  name: string
  log: CommitLog
  /** Says that its run is at work, until it is stopped. */
  heartbeat: Heartbeat
}

/** The lake that a run works in. */
interface Lake {
  storage: Storage
  log: CommitLog
}

/** The sign of life of the one who has a branch. */
const lifeOf = (branch: string) => `of${branch}`

/**
 * Opens a branch for a run, at the state that it builds on. Branches of runs that are known to be
 * dead end with the same commit.
 *
 * @param by author and id of the run.
 */
export async function openBranchOfRun(
  { storage, log }: Lake,
  at: LakeState,
  by: { author: string; run: string },
): Promise<RunBranch> {
  const { author, run } = by
  const name = runBranchName(run)
  const started = new Date().toISOString()
  const id = lifeOf(name)
  const of = { id, author, command: 'run', started, commit: at.number }
  const heartbeat = Heartbeat.ofRun(storage, of)
  try {
    // Whoever looks for dead ones must not find the branch before this.
    await heartbeat.seen
    const dead = await deadRunBranches(storage, await log.head())
    const info = { ...by, message: `open branch ${name} at commit ${at.number}` }
    return { name, log: await namedBranch(log, { name, at, info, ended: dead }), heartbeat }
  } catch (error) {
    await heartbeat.stop()
    throw error
  }
}

/**
 * Branches whose runs are known to be dead, or were not heard of for a week. What ends them has
 * their runs fail, should one live all the same: vacuum may remove what it has written.
 */
async function deadRunBranches(storage: Storage, { branches = {} }: LakeState): Promise<string[]> {
  const names = Object.keys(branches).filter(isRunBranch)
  if (names.length === 0) return []
  const { live } = await lookForLive(storage, Date.now())
  const alive = new Set(live.map(({ id }) => id))
  return names.filter((name) => !alive.has(lifeOf(name)))
}

/** Ends branches of dead runs; what they alone lead to is then removed by vacuum. */
export async function endDeadRunBranches(
  { storage, log }: Lake,
  info: Omit<CommitInfo, 'message'>,
): Promise<void> {
  const head = await log.head()
  const dead = await deadRunBranches(storage, head)
  if (dead.length === 0) return
  const branches = Object.fromEntries(dead.map((name) => [name, null]))
  const message = `end branches of runs that were stopped: ${dead.join(', ')}`
  await log.commit(head, { branches }, { ...info, message }, { seen: true })
}
