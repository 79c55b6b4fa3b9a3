import type { Gold, Silver } from '../define/model.js'
import { unreadNotes } from '../gold/unread.js'
import type { BuildDecision } from '../plan/decision.js'
import type { Built } from '../step/built.js'
import type { RunContext } from '../step/context.js'
import { taskOf } from '../step/task/make.js'
import { saveOutput } from '../step/task/save.js'
import type { Replay } from '../step/task/task.js'
import { executeStep } from './execute-step.js'

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
  const output = await (context.worker ?? executeStep)(context, dataset, task)
  if (!output) return undefined
  const made = await saveOutput(context, dataset, output, task.settings.folders)
  const unread = replay || made.failure ? [] : await unreadNotes(context, dataset)
  if (unread.length === 0) return made
  return { ...made, result: { ...made.result, notes: [...(made.result.notes ?? []), ...unread] } }
}
