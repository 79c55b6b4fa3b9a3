import { MoraineError } from '../errors.js'
import { type Moved, WRITTEN_TWICE } from '../log/branch/moved.js'
import { openNamed } from '../log/branch/named.js'
import { type BranchStates, namesOf, statesOf } from '../log/branch/own-changes.js'
import { refuseOwnSources } from '../log/branch/own-sources.js'
import { lastDefinition } from '../log/branch/refresh.js'
import { REVIEW } from '../log/branch/standing.js'
import type { CommitInfo, LakeState } from '../log/commit.js'
import { lookForLive, nameOfLive } from '../log/live.js'
import type { CommitLog } from '../log/log.js'
import { ownValue } from '../own-value.js'
import type { Storage } from '../storage/storage.js'
import { commitText, isReviewed } from './reviewed.js'
import { toPublishNow } from './to-publish.js'

/** The lake that a branch is published in. */
export interface Lake {
  /** Main's. */
  log: CommitLog
  storage: Storage
}

/** What a branch published. */
export interface Promoted {
  branch: string
  /** The commit of main that it made; `undefined` where there was nothing to publish. */
  commit: number | undefined
  /** Tables and views that are other ones now. */
  published: string[]
  /** Datasets of main that read one of these, and were not built on the branch. */
  behind: string[]
  /**
   * A commit that the branch got while it was being published, and with which it has ended: it was
   * not published, and is seen by nobody.
   */
  unpublished?: { commit: string; run: string | null }
}

/**
 * Publishes what was built on a branch: the very files, in one commit of main, with which the
 * branch ends unless it is kept. One that has nothing to publish stays.
 *
 * @param reviewed the branch's commit that was looked at, where somebody says it: `12`, or
 *   `12-5f513c83822e` with digits of its hash.
 * @throws MoraineError of kind `conflict` where main has moved in what these tables depend on, or
 *   the branch has more commits than were reviewed.
 */
export async function promote(
  { log, storage }: Lake,
  name: string,
  author: Omit<CommitInfo, 'message'>,
  { keep = false, reviewed }: { keep?: boolean; reviewed?: string | undefined } = {},
): Promise<Promoted> {
  await refuseNothing(log, name)
  const states = await statesOf(await openNamed(log, name))
  const { branch, head } = states
  refuseOwnSources(name, head)
  if (reviewed !== undefined && !isReviewed(name, reviewed, head))
    throw new MoraineError(
      'conflict',
      `Branch ${name} is at commit ${reviewed.includes('-') ? commitText(head) : head.number}, and commit ${reviewed} was reviewed`,
      { hint: `Look at it again: moraine diff ${name}. Nothing was published.` },
    )
  await refuseAtWork(storage, name, states, keep)
  const base = await log.head()
  // It may have been brought to a newer state of main, with more on it than was reviewed.
  if (ownValue(base.branches, name) !== branch.branch) throw changed(name)
  const { own, moved, behind } = await toPublishNow({ log, storage }, name, states, base)
  if (moved.length > 0) throw stale(name, moved, namesOf(own).length > 0)
  if ((await branch.head()).hash !== head.hash) throw changed(name)
  const published = namesOf(own)
  // It stays: a run may be about to build on it, or have failed there.
  if (published.length === 0) return { branch: name, commit: undefined, published, behind: [] }
  const id = { [name]: keep ? branch.branch : null }
  const message = `promote branch ${name} at its commit ${head.number}`
  log.definition = await lastDefinition(states)
  // The branch, which this commit ends, leads to all of these files.
  const state = await log.commit(
    base,
    { ...own, branches: id },
    { ...author, message },
    { seen: true },
  )
  const all = [...new Set([...behindOf(state), ...behind])]
  const promoted = { branch: name, commit: state.number, published, behind: all }
  const unpublished = keep ? undefined : await lateCommit(branch, head)
  return unpublished ? { ...promoted, unpublished } : promoted
}

/**
 * What was committed to a branch just before it ended. Writers look, behind their commit, whether
 * the branch is there: so one of the two always sees the other.
 */
async function lateCommit(
  branch: CommitLog,
  published: LakeState,
): Promise<Promoted['unpublished']> {
  // It has ended, and a vacuum may have removed its commits already.
  const last = await branch.head().catch(() => published)
  if (last.hash === published.hash) return undefined
  const entry = await branch.entry(last.number).catch(() => undefined)
  return { commit: commitText(last), run: entry?.commit.run ?? null }
}

/** @throws MoraineError of kind `usage` where no run has left anything for a review. */
export async function refuseNothing(log: CommitLog, name: string): Promise<void> {
  if (name !== REVIEW || ownValue((await log.head()).branches, REVIEW) !== undefined) return
  throw new MoraineError('usage', `There is no branch ${REVIEW}: nothing waits for a review`, {
    hint: "Where lake.ts says publish: 'review', moraine run makes it once there is something to build.",
  })
}

/** What is on it is not what was reviewed, or would end with it unseen. */
const changed = (name: string) =>
  new MoraineError(
    'conflict',
    `Branch ${name} was changed at the same time, as by a run or a refresh`,
    {
      retryable: true,
      hint: `Look at it again: moraine diff ${name}. Nothing was published.`,
    },
  )

/**
 * A run may commit more than it has, until it has ended; one that has committed nothing yet could
 * not do so any more, once the branch has ended.
 */
async function refuseAtWork(
  storage: Storage,
  name: string,
  { branch, head, fork }: BranchStates,
  keep: boolean,
): Promise<void> {
  const entry = head.number > fork.number ? await branch.entry(head.number) : undefined
  const { live } = await lookForLive(storage, Date.now())
  const found = live.find(
    (one) => one.certain && (one.id === entry?.commit.run || (one.branch === name && !keep)),
  )
  if (!found) return
  throw new MoraineError('conflict', `${nameOfLive(found)} on this branch has not ended yet`, {
    retryable: true,
    hint: 'Wait until it has, and try again. Nothing was published.',
  })
}

function stale(name: string, moved: readonly Moved[], isLeft: boolean): MoraineError {
  const why = [...new Set(moved.map((one) => one.why))]
  const shown = why.slice(0, 5).join('; ')
  const more = why.length > 5 ? `; and ${why.length - 5} more` : ''
  const review = isLeft
    ? `Build it on what main has now, and look at it again: moraine run, moraine diff ${name}, moraine promote ${name}.`
    : `It has nothing left to publish. Build what main lacks, and look at it: moraine run, moraine diff ${name}, moraine promote ${name}. If there is nothing to do: moraine branch delete ${name}.`
  const hint = moved.some(({ isForeign }) => isForeign)
    ? WRITTEN_TWICE
    : name === REVIEW
      ? review
      : `Bring it up to date, and look at it again: moraine branch refresh ${name}, moraine run --branch ${name}, moraine diff main..${name}. Or do it in one go: moraine promote ${name} --refresh.`
  return new MoraineError(
    'conflict',
    `Branch ${name} cannot be published as it was reviewed: ${shown}${more}`,
    { hint: `${hint} Nothing was published.` },
  )
}

/** Datasets that have read another version of an input than the one that is there. */
function behindOf({ offsets, tables }: LakeState): string[] {
  return Object.entries(offsets).flatMap(([name, seen]) =>
    Object.entries(seen).some(([input, version]) => {
      const now = tables[input]
      if (typeof version === 'number' || !now) return false
      return now.metadata !== version && !(now.sameRowsAs ?? []).includes(version)
    })
      ? [name]
      : [],
  )
}
