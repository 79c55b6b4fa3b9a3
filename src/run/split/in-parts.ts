import { haveSharedLines } from '../../bronze/shared-lines.js'
import { fullName } from '../../define/dataset.js'
import type { Gold, Silver } from '../../define/model.js'
import { splitOfGold } from '../../gold/buckets.js'
import { readOtherwise } from '../../silver/input/places.js'
import { type StepContext, type StepWorker, withSession } from '../../step/context.js'
import { finishStep } from '../../step/task/finish.js'
import type { StepOutput } from '../../step/task/output.js'
import { mergeOutputs, sizeOfInputs } from '../../step/task/split.js'
import type { StepSize, StepTask } from '../../step/task/task.js'
import { contextOf, executeStep } from '../execute-step.js'
import { partsOf, SIZES } from './part-sizes.js'
import { type Parts, sideBySide } from './side-by-side.js'
import { type PartSizes, SplitStep } from './split-step.js'

/**
 * Has a step carried out in parts, side by side, and puts what they give together. Steps that are
 * too small for that, or can't be split, are carried out as they are.
 *
 * @param most how many parts there are at most at a time.
 */
export function inParts(
  most: number,
  worker: StepWorker = executeStep,
  sizes: Partial<PartSizes> = {},
): StepWorker {
  return async (resources, dataset, task) => {
    const all = { ...SIZES, ...sizes }
    if (dataset.tier === 'gold')
      return inBuckets({ resources, dataset, task, worker }, (size) => partsOf(size, most, all))
    const { split } = task
    const of = split.by === 'nothing' ? 1 : partsOf(split, most, all)
    if (of < 2 || (await shareLines(contextOf(resources, task), dataset, task)))
      return worker(resources, dataset, task)
    const own = { resources, dataset, worker }
    const carryOut = (parts: readonly StepTask[]) => sideBySide(own, parts)
    const step = new SplitStep({ resources, dataset, task, carryOut }, all)
    return (await step.run(of, most)) ?? worker(resources, dataset, task)
  }
}

/**
 * Whether rows of batches stand on one line that were read before the source had a row a line:
 * parts take it that each has a place of its own.
 */
async function shareLines(
  context: StepContext,
  dataset: Silver,
  { decision }: StepTask,
): Promise<boolean> {
  const files = await readOtherwise(context, dataset, decision)
  if (files.length === 0) return false
  return withSession(context, fullName(dataset), (session) => haveSharedLines(session, files))
}

/**
 * Has a query computed by buckets of a column's values, where it is proved that it can be; that is
 * looked at where its inputs are worth it.
 */
async function inBuckets(
  { resources, dataset, task, worker }: Parts & { dataset: Gold; task: StepTask },
  parts: (size: StepSize) => number,
): Promise<StepOutput | undefined> {
  const context = contextOf(resources, task)
  const isSmall = parts(sizeOfInputs(dataset, task.view)) < 2
  const split = isSmall ? task.split : await splitOfGold(context, dataset, task)
  const own = { ...task, split }
  const of = split.by === 'values' ? parts(split) : 1
  if (of < 2) return worker(resources, dataset, own)
  const merged = mergeOutputs(await sideBySide({ resources, dataset, worker }, bucketsOf(own, of)))
  return finishStep(context, dataset, own, merged)
}

/** The parts of a query, by buckets of a column's values. */
function bucketsOf(task: StepTask, of: number): StepTask[] {
  const { split } = task
  if (split.by !== 'values') throw new Error(`${task.dataset} is not split by values`)
  const { column } = split
  return Array.from({ length: of }, (_, index) => {
    return { ...task, part: { by: 'values', column, index, of } }
  })
}
