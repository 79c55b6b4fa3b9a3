import type { Gold, Silver } from '../../define/model.js'
import { abortController, anySignal } from '../../signals.js'
import type { StepResources, StepWorker } from '../../step/context.js'
import type { StepOutput } from '../../step/task/output.js'
import type { StepTask } from '../../step/task/task.js'

/** Whose parts they are, and who carries each of them out. */
export interface Parts {
  resources: StepResources
  dataset: Silver | Gold
  worker: StepWorker
}

/**
 * Has parts of a step carried out side by side. If one fails, the step has failed: the others are
 * ended, and nothing of them goes on when this rejects.
 */
export async function sideBySide(
  { resources, dataset, worker }: Parts,
  parts: readonly StepTask[],
): Promise<StepOutput[]> {
  const stop = abortController()
  const own = { ...resources, signal: anySignal([resources.signal, stop.signal]) }
  const working = parts.map((part) => worker(own, dataset, part))
  try {
    const outputs = await Promise.all(working)
    return outputs.filter((output) => output !== undefined)
  } finally {
    stop.abort()
    await Promise.allSettled(working)
  }
}
