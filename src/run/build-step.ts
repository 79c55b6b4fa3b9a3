import { wouldLose } from '../bronze/expire-batches.js'
import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { Gold, Silver } from '../define/model.js'
import { definitionOf } from '../plan/fingerprint.js'
import { decide, offsetsOn, type View } from '../plan/plan.js'
import type { BuildOutcome, Built } from '../step/built.js'
import { hash, type RunContext } from '../step/context.js'
import { stillAtWork } from '../step/deadline.js'
import type { StepResult } from '../step/events.js'
import { carryOut } from './carry-out.js'
import { olderDefinition } from './older-definition.js'
import type { RunOptions } from './options.js'
import { prove } from './prove-sql.js'
import type { RunRecorder } from './recorder.js'
import { refuseLate, StepFailure } from './steps.js'

/** What a step that builds a table works with. */
export interface BuildTask {
  /** Its signal is the step's own. */
  context: RunContext
  /** The signal of the run. */
  run: AbortSignal
  recorder: RunRecorder
  /** What the run has built; a step adds to it. */
  built: BuildOutcome[]
  /** Tells that there is something to do, and why. */
  begin: (reason: string) => void
}

/** Milliseconds. */
const WORTH_KEEPING = 500

/** Decides whether a dataset is to be built, and builds it. */
export async function buildStep(
  { context, run, recorder, built, begin }: BuildTask,
  dataset: Silver | Gold,
  options: RunOptions,
): Promise<Partial<StepResult>> {
  const { view } = context.relations
  const { started: now } = context
  const decision = decide(dataset, view, { full: options.full ?? false, hash, now })
  if (decision.action !== 'build') return { outcome: 'unchanged', reason: decision.reason }
  begin(decision.reason)
  if (options.leftBehind?.has(fullName(dataset))) throw stillAtWork()
  await prove(context.engine, dataset)
  const older = options.acceptDefinition ? undefined : olderDefinition(dataset, view, hash)
  if (older) throw older
  if (decision.lost && !options.allowLoss) throw wouldLose(dataset, decision.lost)
  const work = workKey(dataset, view, options.full ?? false)
  const start = performance.now()
  const found = await recorder.journal.resumable(work)
  const kept = found && (await context.log.hasFiles(view, found.tables)) ? found : undefined
  const made = kept ?? ((await carryOut(context, dataset, decision)) as Built)
  const { tables, views, result, failure, written }: Built = made
  refuseLate(context.signal, run)
  if (failure) {
    Object.assign(recorder.rejected, tables)
    throw new StepFailure(failure, result)
  }
  // What takes no time is sooner done again than kept.
  const { keepAfter = WORTH_KEEPING } = options
  if (!kept && !views && performance.now() - start >= keepAfter) {
    await recorder.begin()
    await recorder.journal.checkpoint(context.run, fullName(dataset), { work, tables, result })
  }
  refuseLate(context.signal, run)
  for (const [table, state] of Object.entries(tables)) context.relations.stage(table, state)
  built.push({ dataset, tables, views, view, written, resumed: kept !== undefined })
  return kept
    ? { ...result, notes: [...(result.notes ?? []), `kept from run ${kept.run}`] }
    : result
}

/** What a step's result depends on: the same key means that it need not be computed again. */
function workKey(dataset: Silver | Gold, view: View, full: boolean): string {
  const name = fullName(dataset)
  const before = view.tables[name]?.metadata ?? null
  const parts = [
    name,
    definitionOf(dataset, hash),
    offsetsOn(dataset, view),
    before,
    dataset.keep ?? null,
    // A number may stand for another batch after a rollback, and for none after a discard.
    ...inputsOf(dataset)
      .flatMap((input) => view.batches[fullName(input)] ?? [])
      .map(({ manifest }) => manifest),
  ]
  return hash(JSON.stringify([...parts, full]))
}
