import type { Lake } from '../define/lake.js'
import type { Moved } from '../log/branch/moved.js'
import { openNamed } from '../log/branch/named.js'
import { isDataset, namesOf, statesOf } from '../log/branch/own-changes.js'
import { asRefreshed } from '../log/branch/refresh.js'
import { REVIEW } from '../log/branch/standing.js'
import type { LakeState } from '../log/commit.js'
import type { CommitLog } from '../log/log.js'
import { ownValue } from '../own-value.js'
import { toPublish } from './to-publish.js'

/** What runs have built, and nobody has published yet. */
export interface Waiting {
  branch: string
  /** The newest commit of the branch. */
  commit: number
  /** Its hash: the number alone comes again, on the next branch of that name. */
  hash: string | null
  /** Since when something waits there (ISO). */
  since?: string
  /** Rows on main, and those that wait; `null` where there is no table. */
  datasets: { dataset: string; before: number | null; after: number | null }[]
  /** What keeps it from being published as it is. */
  moved: Moved[]
}

/** What waits for a review, by the log alone; `undefined` where nothing does. */
export async function waitingForReview(main: CommitLog): Promise<Waiting | undefined> {
  const now = await main.head()
  if (ownValue(now.branches, REVIEW) === undefined) return undefined
  const states = await statesOf(await openNamed(main, REVIEW))
  const { branch, head } = states
  const { own, moved } = await toPublish(main, REVIEW, states, now)
  const names = namesOf(own).filter(isDataset)
  if (names.length === 0) return undefined
  const rows = (of: LakeState, dataset: string) => of.tables[dataset]?.rows ?? null
  const { created } = branch.forked ?? {}
  return {
    branch: REVIEW,
    commit: head.number,
    hash: head.hash,
    ...(created ? { since: created } : {}),
    datasets: names.map((dataset) => ({
      dataset,
      before: rows(now, dataset),
      after: rows(head, dataset),
    })),
    moved,
  }
}

/** What the next run builds on, and what it would find waiting for a review. */
interface Awaited {
  state: LakeState
  waiting: Waiting | undefined
}

/**
 * A state of main as the next run sees it: where `lake.ts` says `publish: 'review'`, with the
 * tables that wait for one.
 */
export async function awaitedOn(
  {
    lake,
    log,
    branch,
  }: { lake: Pick<Lake, 'publish'>; log: CommitLog; branch: string | undefined },
  state: LakeState,
): Promise<Awaited> {
  if (lake.publish !== 'review' || branch !== undefined) return { state, waiting: undefined }
  return { state: await asRefreshed(log, REVIEW, state), waiting: await waitingForReview(log) }
}
