import { fullName } from '../define/dataset.js'
import type { Lake } from '../define/lake.js'
import { commitToStanding, openStanding, REVIEW } from '../log/branch/standing.js'
import type { Changes, LakeState, Offsets, TableState, ViewState } from '../log/commit.js'
import type { CommitFiles } from '../log/log.js'
import { commitTables } from '../log/tables/commit-tables.js'
import { offsetsOn } from '../plan/offsets.js'
import type { BuildOutcome } from '../step/built.js'
import { branchOf } from '../step/journal.js'
import type { RunRecorder } from './recorder.js'
import type { Shared } from './run-context.js'
import type { Steps } from './steps.js'

/** One commit with all that passed. */
export async function publish(
  { lake, log, branch, storage, author, run, started, signal }: Shared,
  steps: Steps,
  recorder: RunRecorder,
  base: LakeState,
  built: readonly BuildOutcome[],
): Promise<void> {
  if (built.length === 0 || signal.aborted) return
  if (lake.publish === 'all' && steps.anyFailed) return
  const names = built.map(({ dataset }) => fullName(dataset))
  const message = `build ${names.length === 1 ? names[0] : `${names.length} tables`}`
  const committed = {
    changes: publishable(built),
    info: { author, run, message },
    files: filesOf(built),
  }
  if (isReviewed({ lake, branch })) {
    // The branch is opened later than files were written.
    const files = { since: started, ...committed.files }
    const on = await commitToStanding({ log, storage }, REVIEW, base, { ...committed, files })
    recorder.waiting({ branch: REVIEW, commit: on.number, datasets: names })
    return
  }
  const state = await commitTables({ log, storage }, base, committed)
  recorder.committed(state.number, names)
}

/**
 * A definition whose tables are published as soon as they are built: where that is what somebody
 * waits for, be it tables that are damaged, rows that have to go, or a lake to try things in.
 */
export const publishedAtOnce = (lake: Lake): Lake =>
  lake.publish === 'review' ? { ...lake, publish: 'passed' } : lake

/** Whether what a run builds waits for a review, and what it was built on does. */
export const isReviewed = ({ lake, branch }: Pick<Shared, 'lake' | 'branch'>): boolean =>
  lake.publish === 'review' && branch === undefined

/**
 * What was built but may not be seen yet lies on a branch of its own, for those who want to look.
 */
export async function keepRejected(
  shared: Shared,
  rejected: Readonly<Record<string, TableState>>,
  base: LakeState,
  built: readonly BuildOutcome[],
): Promise<void> {
  if (Object.keys(rejected).length === 0) return
  const { author, run } = shared
  const log = isReviewed(shared)
    ? await openStanding(shared.log, REVIEW, { author, run })
    : shared.log
  const branch = await log.fork(branchOf(run), log === shared.log ? base : await log.head())
  const { tables } = publishable(built)
  const message = 'not published: checks failed'
  const changes = { tables: { ...tables, ...rejected } }
  await branch.commit(await branch.head(), changes, { author, run, message }, filesOf(built))
}

/** What a run took over from another was written at any time. */
function filesOf(built: readonly BuildOutcome[]): CommitFiles {
  return built.some(({ resumed }) => resumed) ? { since: new Date(0) } : {}
}

/** All that was built, as one change: tables, and how far they have read their inputs. */
function publishable(built: readonly BuildOutcome[]): Changes & {
  tables: Record<string, TableState | null>
} {
  const tables: Record<string, TableState | null> = {}
  const views: Record<string, ViewState | null> = {}
  const offsets: Record<string, Offsets | null> = {}
  for (const { dataset, tables: made, views: stored, view, offsets: own } of built) {
    const name = fullName(dataset)
    Object.assign(tables, made)
    Object.assign(views, stored)
    // What was a table, or a view, is not both.
    if (stored && view.tables[name]) tables[name] = null
    if (!stored && view.views?.[name]) views[name] = null
    if (!stored) offsets[name] = own ?? offsetsOn(dataset, view)
    else if (view.offsets[name]) offsets[name] = null
  }
  return { tables, ...(Object.keys(views).length > 0 ? { views } : {}), offsets }
}
