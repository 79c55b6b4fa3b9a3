import { fullName } from '../define/dataset.js'
import type { Gold, Silver } from '../define/model.js'
import type { BuildDecision, View } from '../plan/decision.js'
import type { BuildStage, ReplayStage } from '../plan/plan.js'
import { lossOf } from '../plan/refused/loss.js'
import type { BuildOutcome, Built } from '../step/built.js'
import { hash, type RunContext } from '../step/context.js'
import { stillAtWork } from '../step/deadline.js'
import type { StepResult } from '../step/events.js'
import type { Externals } from '../step/external/externals.js'
import type { Replay } from '../step/task/task.js'
import { prove } from './bind/prove-sql.js'
import { carryOut } from './carry-out.js'
import { olderDefinition } from './older-definition.js'
import type { RunOptions } from './options.js'
import type { RunRecorder } from './recorder.js'
import { type Begin, refuseLate, StepFailure } from './steps.js'
import { workKey } from './work-key.js'

/** A stage that builds a table. */
export type TableStage = BuildStage | ReplayStage

/** What a step that builds a table works with. */
export interface BuildTask {
  /** Its signal is the step's own. */
  context: RunContext
  /** The signal of the run. */
  run: AbortSignal
  recorder: RunRecorder
  /** What the run has built; a step adds to it. */
  built: BuildOutcome[]
  begin: Begin
  /** What other engines keep, in the state that the run builds on. */
  externals: Externals
}

/** Milliseconds. */
const WORTH_KEEPING = 500

/** Carries out a stage that builds a table, on the state that the stages before it have left. */
export async function buildStep(
  task: BuildTask,
  stage: TableStage,
  options: RunOptions,
): Promise<Partial<StepResult>> {
  const { context, begin } = task
  const { dataset, name } = stage
  const unread = task.externals.problemOf(dataset)
  if (unread) throw unread
  // Other steps add to what is seen meanwhile: how far this one has read, is said of what it saw.
  const { view } = context.relations
  const decision = stage.resolve(view)
  if (decision.action !== 'build') return { outcome: 'unchanged', reason: decision.reason }
  begin(decision)
  if (options.leftBehind?.has(name)) throw stillAtWork()
  const older = options.acceptDefinition ? undefined : olderDefinition(dataset, view, hash)
  if (older) throw older
  await prove(context.engine, dataset)
  return stage.kind === 'replay'
    ? replay({ ...task, view }, stage.dataset, decision, options.replay as Replay)
    : build({ ...task, view }, dataset, decision, options)
}

/** A task, and the state that its stage was decided on. */
type Decided = BuildTask & { view: View }

/** Validates discarded rows of a silver dataset again. */
async function replay(
  task: Decided,
  dataset: Silver,
  decision: BuildDecision,
  chosen: Replay,
): Promise<Partial<StepResult>> {
  const { context, view } = task
  const made = await carryOut(context, dataset, decision, chosen)
  if (!made)
    return {
      outcome: 'unchanged',
      reason: 'none of its discarded rows would be treated differently now',
    }
  return handOver(task, dataset, made, { offsets: view.offsets[fullName(dataset)] ?? {} })
}

async function build(
  task: Decided,
  dataset: Silver | Gold,
  decision: BuildDecision,
  options: RunOptions,
): Promise<Partial<StepResult>> {
  const { context, recorder, view } = task
  const loss = options.allowLoss ? undefined : lossOf(dataset, decision)
  if (loss) throw loss
  const work = workKey(dataset, view, options)
  const start = performance.now()
  const found = await recorder.journal.resumable(work)
  if (found && (await context.log.hasFiles(view, found.tables))) {
    const result = await handOver(task, dataset, found, { resumed: true })
    return { ...result, notes: [...(result.notes ?? []), `kept from run ${found.run}`] }
  }
  // Whoever may lose rows computes what their parts are.
  const { avoids, ...any } = decision
  const made = (await carryOut(context, dataset, options.allowLoss ? any : decision)) as Built
  // What takes no time is sooner done again than kept.
  const { keepAfter = WORTH_KEEPING } = options
  const isKept = !made.views && performance.now() - start >= keepAfter
  return handOver(task, dataset, made, isKept ? { work } : {})
}

/**
 * Hands on what a step has built, unless it is too late for that: to the steps after it, and to the
 * commit.
 *
 * @param how.work by which key a run that has to go on finds it, where it is worth keeping.
 * @throws StepFailure where nobody may see it.
 */
async function handOver(
  { context, run, recorder, built, view }: Decided,
  dataset: Silver | Gold,
  { tables, views, result, failure, written }: Built,
  { work, ...how }: Pick<BuildOutcome, 'offsets' | 'resumed'> & { work?: string },
): Promise<Partial<StepResult>> {
  refuseLate(context.signal, run)
  if (failure) {
    Object.assign(recorder.rejected, tables)
    throw new StepFailure(failure, result)
  }
  if (work !== undefined) {
    await recorder.begin()
    await recorder.journal.checkpoint(context.run, fullName(dataset), { work, tables, result })
    refuseLate(context.signal, run)
  }
  for (const [table, state] of Object.entries(tables)) context.relations.stage(table, state)
  built.push({ dataset, tables, views, view, written, ...how })
  return result
}
