import type { AnyDataset } from '../define/model.js'
import type { LakeState } from '../log/commit.js'
import type { Plan } from '../plan/plan.js'
import { Externals } from '../step/external/externals.js'
import { bindOn, newSql, stillWanted } from './bind/bind-new.js'
import type { BuildPhase } from './build.js'
import { EarlyStages } from './early/early-stages.js'
import { IntakePhase } from './ingest.js'
import type { RunOptions } from './options.js'
import { prepare } from './prepare.js'
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

/**
 * Plans all that a run does, and carries out the stages that read sources; returns the plan, and
 * the state after them.
 *
 * @throws DefinitionError where SQL that is new is wrong: before anything is done, or else before
 * anything is built.
 */
export async function planAndIngest(
  { shared, datasets, options, steps, recorder, phase }: RunParts,
  begun: LakeState,
): Promise<Plan & { base: LakeState; externals: Externals }> {
  const context = contextOn(shared, begun, options)
  const { backfill, feeds, retry, full = false, replay, anew, portable } = options
  const { reread, signal } = context
  const unread = unreadOn(shared.log)
  const asked = { backfill, feeds, retry, reread, unread, signal }
  await using sources = new Sources(datasets, context.relations.batches, asked)
  const state = withReadable(begun, anew)
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
  const early = new EarlyStages(prepared, options, (stage, on) =>
    phase.begin(stage, contextOn(shared, on, options), on, Externals.none),
  )
  const base = await new IntakePhase(prepared, sources, { steps, recorder }, early.onRead).run(
    context,
    begun,
  )
  // Other engines may have written meanwhile: what is built is of one state.
  const externals =
    base.external === begun.external
      ? begunWith
      : await Externals.of(shared.storage, base, datasets, looked)
  // What the columns of these rows show to be wrong is found before any table is built.
  const wanted = stillWanted(left, newSql(datasets, begunWith.on(state), portable))
  const view = externals.on(base)
  if (wanted.size > 0) await bindOn(shared, wanted, { view, externals, portable }, () => false)
  // Batches are main's, and expire there.
  return { stages, expire: unread === undefined ? expire : [], base, externals }
}
