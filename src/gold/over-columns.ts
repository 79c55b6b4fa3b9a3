import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { Gold } from '../define/model.js'
import { historiesIn } from '../define/sql/sql.js'
import type { Session } from '../engine/engine.js'
import { openEngine } from '../engine/open.js'
import { type StepContext, withSession } from '../step/context.js'
import { EmptyRelations } from '../step/relations.js'

/**
 * Uses a session that knows the inputs of a dataset by their columns alone, for what is only asked
 * of its query: their rows are read elsewhere, and may be far more than this machine has room for.
 */
export async function overColumns<T>(
  context: StepContext,
  dataset: Gold,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const engine = await openEngine({ threads: 1 })
  try {
    return await withSession({ ...context, engine }, fullName(dataset), async (session) => {
      const relations = new EmptyRelations(context.storage, context.relations)
      await relations.define(session, inputsOf(dataset))
      await relations.defineHistories(session, historiesIn(dataset.query))
      return use(session)
    })
  } finally {
    await engine.close()
  }
}
