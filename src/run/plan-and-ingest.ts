import type { AnyDataset } from '../define/model.js'
import { asRefreshed } from '../log/branch/refresh.js'
import { REVIEW } from '../log/branch/standing.js'
import type { LakeState } from '../log/commit.js'
import type { Plan } from '../plan/plan.js'
import { Externals } from '../step/external/externals.js'
import { bindOn, newSql, stillWanted } from './bind/bind-new.js'
import type { BuildPhase } from './build.js'
import { EarlyStages } from './early/early-stages.js'
import { IntakePhase } from './ingest.js'
import type { RunOptions } from './options.js'
import { withOwnSources } from './own/begin.js'
import { prepare } from './prepare.js'
import { isReviewed } from './publish.js'
import type { RunRecorder } from './recorder.js'
import { contextOn, type Shared, withReadable } from './run-context.js'
import { Sources, unreadOn } from './sources.js'
import type { Steps } from './steps.js'

/** What the phases of a run work with. */
interface RunParts {
  shared: Shared
  datasets: readonly AnyDataset[]
  options: RunOptions
  steps: Steps
  recorder: RunRecorder
  phase: BuildPhase
}

/** What tables are built on: a state of main, with those that wait for a review. */
const seenFrom = (shared: Shared, state: LakeState): Promise<LakeState> | LakeState =>
  isReviewed(shared) ? asRefreshed(shared.log, REVIEW, state) : state

/**
 * Plans all that a run does, and carries out the stages that read sources; returns the plan, and
 * the state after them.
 *
 * @throws DefinitionError where SQL that is new is wrong: before anything is done, or else before
 * anything is built.
 */
export async function planAndIngest(
  { shared, datasets, options, steps, recorder, phase }: RunParts,
  begins: LakeState,
): Promise<Plan & { base: LakeState; externals: Externals }> {
  const { ownSources } = options
  const begun = await withOwnSources(shared, ownSources, begins)
  const context = contextOn(shared, begun, options)
  const { backfill, feeds, retry, full = false, replay, anew, portable } = options
  const { reread, signal } = context
  const unread = unreadOn(shared.log)
  const asked = { backfill, feeds, retry, reread, unread, ownSources, signal }
  await using sources = new Sources(datasets, context.relations.batches, asked)
  const seen = await seenFrom(shared, begun)
  const state = withReadable(seen, anew)
  const looked = { files: true }
  const begunWith = await Externals.of(shared.storage, state, datasets, looked)
  const prepared = await prepare({
    datasets,
    state,
    sources,
    externals: begunWith,
    full,
    replay: replay?.dataset,
    now: shared.started,
    portable,
    bind: (wanted, arriving) =>
      bindOn(
        shared,
        wanted,
        { view: begunWith.on(state), externals: begunWith, portable },
        arriving,
      ),
  })
  const { stages, expire, left } = prepared
  // Stages that begin early see main alone.
  const elsewhere = isReviewed(shared) ? undefined : options.elsewhere
  const early = new EarlyStages(prepared, { ...options, elsewhere }, (stage, on) =>
    phase.begin(stage, contextOn(shared, on, options), on, Externals.none),
  )
  const ingested = await new IntakePhase(prepared, sources, { steps, recorder }, early.onRead).run(
    context,
    begun,
  )
  const base = await seenFrom(shared, ingested)
  // Other engines may have written meanwhile: what is built is of one state.
  const externals =
    base.external === seen.external
      ? begunWith
      : await Externals.of(shared.storage, base, datasets, looked)
  // What the columns of these rows show to be wrong is found before any table is built.
  const wanted = stillWanted(left, newSql(datasets, begunWith.on(state), portable))
  const view = externals.on(base)
  if (wanted.size > 0) await bindOn(shared, wanted, { view, externals, portable }, () => false)
  // Batches are main's, and expire there.
  return { stages, expire: unread === undefined ? expire : [], base, externals }
}
