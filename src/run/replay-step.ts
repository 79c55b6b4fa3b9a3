import { fullName } from '../define/dataset.js'
import type { Silver } from '../define/model.js'
import type { BuildDecision } from '../plan/decision.js'
import type { StepResult } from '../step/events.js'
import type { Replay } from '../step/task/task.js'
import type { BuildTask } from './build-step.js'
import { carryOut } from './carry-out.js'
import { prove } from './prove-sql.js'
import { refuseLate, StepFailure } from './steps.js'

/** Judges discarded rows of a silver dataset again, in the place of its step. */
export async function replayStep(
  { context, run, recorder, built, begin }: BuildTask,
  dataset: Silver,
  replay: Replay,
): Promise<Partial<StepResult>> {
  const reason = 'its discarded rows are validated again'
  begin(reason)
  await prove(context.engine, dataset)
  const { view } = context.relations
  const decision: BuildDecision = { action: 'build', mode: 'incremental', reason, windows: [] }
  const made = await carryOut(context, dataset, decision, replay)
  if (!made)
    return {
      outcome: 'unchanged',
      reason: 'none of its discarded rows would be treated differently now',
    }
  if (made.failure) {
    Object.assign(recorder.rejected, made.tables)
    throw new StepFailure(made.failure, made.result)
  }
  refuseLate(context.signal, run)
  for (const [table, state] of Object.entries(made.tables)) context.relations.stage(table, state)
  const offsets = view.offsets[fullName(dataset)] ?? {}
  built.push({ dataset, tables: made.tables, view, offsets, written: made.written })
  return made.result
}
