import { MoraineError } from '../errors.js'
import { openNamed } from '../log/branch/named.js'
import type { CommitInfo, LakeState } from '../log/commit.js'
import { lookForLive } from '../log/live.js'
import type { CommitLog } from '../log/log.js'
import type { Storage } from '../storage/storage.js'
import { leftOf, type Moved, movedSince } from './moved.js'
import { type BranchStates, namesOf, ownChanges, statesOf } from './own-changes.js'
import { lastDefinition } from './refresh.js'

/** The lake that a branch is published in. */
export interface Lake {
  /** Main's. */
  log: CommitLog
  storage: Storage
}

/** What a branch published. */
export interface Promoted {
  branch: string
  /** The commit of main that it made; `undefined` where main had all of it. */
  commit: number | undefined
  /** Tables and views that are other ones now. */
  published: string[]
  /** Datasets of main that read one of these, and were not built on the branch. */
  behind: string[]
}

/**
 * Publishes what was built on a branch: the very files, in one commit of main, with which the
 * branch ends unless it is kept.
 *
 * @param reviewed the branch's commit that was looked at, where somebody says it.
 * @throws MoraineError of kind `conflict` where main has moved in what these tables depend on, or
 *   the branch has more commits than were reviewed.
 */
export async function promote(
  { log, storage }: Lake,
  name: string,
  author: Omit<CommitInfo, 'message'>,
  { keep = false, reviewed }: { keep?: boolean; reviewed?: number | undefined } = {},
): Promise<Promoted> {
  const states = await statesOf(await openNamed(log, name))
  const { branch, head } = states
  if (reviewed !== undefined && reviewed !== head.number)
    throw new MoraineError(
      'conflict',
      `Branch ${name} is at commit ${head.number}, and commit ${reviewed} was reviewed`,
      { hint: `Look at it again: moraine diff main..${name}. Nothing was published.` },
    )
  await refuseAtWork(storage, states)
  const base = await log.head()
  const moved = movedSince(states, base)
  if (moved.length > 0) throw stale(name, moved)
  const own = leftOf(ownChanges(states), base)
  const published = namesOf(own)
  const id = { [name]: keep ? branch.branch : null }
  const message =
    published.length === 0
      ? `end branch ${name}: main has all of it`
      : `promote branch ${name} at its commit ${head.number}`
  if (published.length === 0 && keep)
    return { branch: name, commit: undefined, published, behind: [] }
  log.definition = await lastDefinition(states)
  // The branch, which this commit ends, leads to all of these files.
  const changes = published.length === 0 ? {} : own
  const state = await log.commit(
    base,
    { ...changes, branches: id },
    { ...author, message },
    { seen: true },
  )
  return { branch: name, commit: state.number, published, behind: behindOf(state) }
}

/** A run on the branch may take back what it has committed, until it has ended (ADR 69). */
async function refuseAtWork(storage: Storage, { branch, head, fork }: BranchStates) {
  const entry = head.number > fork.number ? await branch.entry(head.number) : undefined
  const run = entry?.commit.run
  if (!run) return
  const { live } = await lookForLive(storage, Date.now())
  if (!live.some(({ id, certain }) => id === run && certain)) return
  throw new MoraineError('conflict', `Run ${run} on this branch has not ended yet`, {
    retryable: true,
    hint: 'Wait until it has, and try again. Nothing was published.',
  })
}

function stale(name: string, moved: readonly Moved[]): MoraineError {
  const why = [...new Set(moved.map((one) => one.why))]
  const shown = why.slice(0, 5).join('; ')
  const more = why.length > 5 ? `; and ${why.length - 5} more` : ''
  return new MoraineError(
    'conflict',
    `Branch ${name} cannot be published as it was reviewed: ${shown}${more}`,
    {
      hint: `Bring it up to date, and look at it again: moraine branch refresh ${name}, moraine run --branch ${name}, moraine diff main..${name}. Or do it in one go: moraine promote ${name} --refresh. Nothing was published.`,
    },
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
