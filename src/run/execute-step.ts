import type { Gold, Silver } from '../define/model.js'
import { buildGold } from '../gold/build.js'
import { buildView } from '../gold/view.js'
import type { BuildDecision } from '../plan/decision.js'
import { buildSilver } from '../silver/build.js'
import { compareKeys } from '../silver/parts/keys.js'
import { loseRows } from '../silver/parts/places.js'
import type { StepContext, StepResources } from '../step/context.js'
import { expireRows } from '../step/retention.js'
import { finishStep } from '../step/task/finish.js'
import type { StepOutput } from '../step/task/output.js'
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
  if (dataset.tier === 'silver' && part?.by === 'keys')
    return compareKeys(context, dataset, decision, part)
  if (dataset.tier === 'silver' && part?.by === 'places') return loseRows(context, dataset, part)
  if (decision.expires) return expireRows(context, dataset)
  if (dataset.tier === 'gold' && dataset.view) return buildView(context, dataset)
  const rows =
    dataset.tier === 'silver'
      ? await buildSilver(context, dataset, task)
      : await gold(context, dataset, decision)
  return rows && !part ? finishStep(context, dataset, task, rows) : rows
}

/**
 * What a step works with: who carries it out, and what its task says. A run's own settings are none
 * of its business.
 */
export function contextOf(resources: StepResources, { settings, part }: StepTask): StepContext {
  const { storage, engine, relations, javascript, signal, progress } = resources
  return { storage, engine, relations, javascript, signal, progress, ...settings, part }
}
