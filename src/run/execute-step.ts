import type { Gold, Silver } from '../define/model.js'
import { buildGold } from '../gold/build.js'
import { buildView } from '../gold/view.js'
import type { BuildDecision } from '../plan/decision.js'
import { buildSilver } from '../silver/build.js'
import type { StepContext, StepResources, StepWorker } from '../step/context.js'
import { expireRows } from '../step/retention.js'
import { finishStep } from '../step/task/finish.js'
import type { StepOutput } from '../step/task/output.js'
import { mergeOutputs, partsOf } from '../step/task/split.js'
import type { StepTask } from '../step/task/task.js'

/** Computes the rows of a gold dataset that is no view. */
export type GoldBuilder = (
  context: StepContext,
  dataset: Gold,
  decision: BuildDecision,
) => Promise<StepOutput>

/**
 * Carries a step out, wherever that is: writes data files, and nothing that leads to them. Of a
 * part of a step, what needs all rows is left to who puts the parts together.
 *
 * @returns `undefined` where a replay would change nothing.
 */
export async function executeStep(
  resources: StepResources,
  dataset: Silver | Gold,
  task: StepTask,
  gold: GoldBuilder = buildGold,
): Promise<StepOutput | undefined> {
  const context = contextOf(resources, task)
  const { decision, part } = task
  if (decision.expires) return expireRows(context, dataset)
  if (dataset.tier === 'gold' && dataset.view) return buildView(context, dataset)
  const rows =
    dataset.tier === 'silver'
      ? await buildSilver(context, dataset, task)
      : await gold(context, dataset, decision)
  return rows && !part ? finishStep(context, dataset, task, rows) : rows
}

/**
 * Has a step carried out in parts, side by side, and puts what they give together.
 *
 * @param most how many parts there may be.
 */
export function inParts(most: number, worker: StepWorker = executeStep): StepWorker {
  return async (resources, dataset, task) => {
    const parts = partsOf(task, most)
    if (parts.length < 2) return worker(resources, dataset, task)
    const given = await Promise.all(parts.map((part) => worker(resources, dataset, part)))
    const outputs = given.filter((output) => output !== undefined)
    return finishStep(contextOf(resources, task), dataset, task, mergeOutputs(outputs))
  }
}

/**
 * What a step works with: who carries it out, and what its task says. A run's own settings are none
 * of its business.
 */
function contextOf(resources: StepResources, { settings, part }: StepTask): StepContext {
  const { storage, engine, relations, javascript, signal, progress } = resources
  return { storage, engine, relations, javascript, signal, progress, ...settings, part }
}
