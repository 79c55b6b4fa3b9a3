import { fullName } from '../define/dataset.js'
import { lookupsOf } from '../define/inputs.js'
import type { Silver } from '../define/model.js'
import { fieldsOfShape } from '../define/types/schema.js'
import type { BuildDecision } from '../plan/decision.js'
import type { Built } from '../step/built.js'
import { type RunContext, withSession } from '../step/context.js'
import { bindExpression, emptyRelation } from '../step/expressions.js'
import { refuseBreaking } from '../step/schema-change.js'
import { carefully } from './careful.js'
import { deduplicate } from './deduplicate.js'
import { writeHistory } from './history.js'
import { mergeRows } from './merged.js'
import { tallyRows, validate } from './validate.js'
import { writeBuilt } from './write.js'

/**
 * Reads new bronze rows (or all), checks them in one pass, keeps the newest of each key, and writes
 * what is kept and what is discarded. Proves that no row was lost.
 */
export async function buildSilver(
  context: RunContext,
  dataset: Silver,
  decision: BuildDecision,
): Promise<Built> {
  return carefully(context, dataset, (how) => build(how, dataset, decision))
}

async function build(
  context: RunContext & { careful?: boolean },
  dataset: Silver,
  decision: BuildDecision,
): Promise<Built> {
  return withSession(context, fullName(dataset), async (session) => {
    await context.relations.define(session, lookupsOf(dataset))
    const columns = fieldsOfShape(dataset.schema.shape as never)
    if (!context.allowBreaking)
      refuseBreaking(
        dataset,
        await context.relations.table(fullName(dataset)),
        columns,
        decision.renamed,
      )
    for (const { condition } of dataset.rules)
      await bindExpression(session, condition, emptyRelation(columns))
    const validated = await validate(context, session, dataset, decision)
    const tally = await tallyRows(session, validated)
    const deduplicated = await deduplicate(session, dataset, validated)
    const ready = { dataset, decision, validated, tally, deduplicated }
    const merged = await mergeRows(context, session, ready)
    const built = await writeBuilt(context, session, merged)
    if (!dataset.history) return built
    const versions = await writeHistory(
      context,
      session,
      dataset,
      deduplicated.candidates,
      merged.target,
    )
    return { ...built, tables: { ...built.tables, ...versions } }
  })
}
