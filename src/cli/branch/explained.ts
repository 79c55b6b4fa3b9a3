import { relationsIn } from '../../branch/why/relations.js'
import { explain, type Why, type WhyAsked } from '../../branch/why/why.js'
import { fullName } from '../../define/dataset.js'
import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import { excessError, type Limits } from '../../query/limits.js'
import { anySignal } from '../../signals.js'
import { withSession } from '../../step/context.js'
import type { Project } from '../project.js'

/** The answer, in an engine that can open nothing but the lake, within the time that there is. */
export async function explained(
  project: Project,
  state: LakeState,
  asked: WhyAsked,
  limits: Limits,
): Promise<Why> {
  const { lake, storage } = project
  const stopped = project.stopped()
  const late = Number.isFinite(limits.time) ? AbortSignal.timeout(limits.time) : undefined
  const signal = late ? anySignal([stopped, late]) : stopped
  const relations = await relationsIn(storage, state, lake)
  const javascript = await project.javascript()
  const engine = await project.engine()
  await engine.confine([storage.url])
  const context = { lake, storage, signal, javascript, relations }
  const step = { engine, signal, progress: () => {} }
  try {
    return await withSession(step, fullName(asked.dataset), (session) =>
      explain(context, session, asked),
    )
  } catch (error) {
    if (stopped.aborted) throw new MoraineError('cancelled', 'Stopped')
    throw late?.aborted ? excessError('time', limits, error) : error
  }
}
