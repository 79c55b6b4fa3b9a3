import type { Gold, Silver } from '../define/model.js'
import { splitOfGold } from '../gold/buckets.js'
import type { BuildDecision } from '../plan/decision.js'
import type { Built } from '../step/built.js'
import type { RunContext, StepWorker } from '../step/context.js'
import { taskOf } from '../step/task/make.js'
import type { StepOutput } from '../step/task/output.js'
import { saveOutput } from '../step/task/save.js'
import type { Replay, StepTask } from '../step/task/task.js'
import { contextOf, executeStep } from './execute-step.js'

/**
 * Has a step carried out, and makes new versions of tables from what it gives; `undefined` where
 * that would change nothing.
 */
export async function carryOut(
  context: RunContext,
  dataset: Silver | Gold,
  decision: BuildDecision,
  replay?: Replay,
): Promise<Built | undefined> {
  const task = await taskOf(context, dataset, decision, replay)
  const output = await (context.worker
    ? carryOutElsewhere(context, context.worker, dataset, task)
    : executeStep(context, dataset, task))
  return output && saveOutput(context, dataset, output, task.settings.folders)
}

/** What it takes to split a query is looked at only where somebody may do so. */
async function carryOutElsewhere(
  context: RunContext,
  worker: StepWorker,
  dataset: Silver | Gold,
  task: StepTask,
): Promise<StepOutput | undefined> {
  if (dataset.tier === 'silver') return worker(context, dataset, task)
  const split = await splitOfGold(contextOf(context, task), dataset, task)
  return worker(context, dataset, { ...task, split })
}
