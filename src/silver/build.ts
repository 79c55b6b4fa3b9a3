import { fullName } from '../define/dataset.js'
import { lookupsOf } from '../define/inputs.js'
import type { Silver } from '../define/model.js'
import { fieldsOfShape } from '../define/types/schema.js'
import type { Session } from '../engine/engine.js'
import type { BuildDecision } from '../plan/decision.js'
import { type StepContext, withSession } from '../step/context.js'
import { bindExpression, emptyRelation } from '../step/expressions.js'
import { refuseBreaking } from '../step/schema-change.js'
import type { StepOutput } from '../step/task/output.js'
import type { StepTask } from '../step/task/task.js'
import { carefully } from './careful.js'
import { deduplicate } from './deduplicate.js'
import { mergeRows } from './merged.js'
import { writeGroup } from './parts/group.js'
import { replayDiscarded } from './replay/replay.js'
import { tallyRows, validate } from './validate.js'
import { writeStep } from './write.js'

/** A part has fewer rows, of which fewer tell in which order they are. */
const SAMPLE_OF_PART = 50_000

/**
 * Reads new bronze rows (or all, or those that were discarded before), checks them in one pass,
 * keeps the newest of each key, and writes what is kept and what is discarded. Proves that no row
 * was lost.
 *
 * @returns `undefined` where a replay would change nothing.
 */
export async function buildSilver(
  context: StepContext,
  dataset: Silver,
  { decision, replay }: Pick<StepTask, 'decision' | 'replay'>,
): Promise<StepOutput | undefined> {
  return carefully(context, dataset, (how) =>
    withSession(how, fullName(dataset), async (session) => {
      await context.relations.define(session, lookupsOf(dataset))
      if (replay) return replayDiscarded({ context: how, session, dataset }, replay)
      await refuseWrong(how, session, dataset, decision)
      const validated = await validate(how, session, dataset, decision)
      const tally = await tallyRows(session, validated)
      const { part } = context
      const sample = part ? SAMPLE_OF_PART : undefined
      const deduplicated = await deduplicate(session, dataset, { validated, tally }, sample)
      const ready = { dataset, decision, validated, tally, deduplicated }
      return part?.by === 'files' && dataset.key.length > 0
        ? writeGroup(how, session, ready, part)
        : writeStep(how, session, await mergeRows(how, session, ready))
    }),
  )
}

/**
 * Definitions that break readers, and rules that can't be bound, are refused before rows are read.
 */
async function refuseWrong(
  context: StepContext,
  session: Session,
  dataset: Silver,
  { renamed }: BuildDecision,
): Promise<void> {
  const columns = fieldsOfShape(dataset.schema.shape as never)
  const table = await context.relations.table(fullName(dataset))
  if (!context.allowBreaking) refuseBreaking(dataset, table, columns, renamed)
  for (const { condition } of dataset.rules)
    await bindExpression(session, condition, emptyRelation(columns, session.dialect))
}
