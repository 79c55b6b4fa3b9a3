import { fullName } from '../../define/dataset.js'
import { bytesOf, sizeText } from '../../define/size.js'
import { MoraineError } from '../../errors.js'
import { executeStep } from '../../run/execute-step.js'
import { stepBytes } from '../../run/placement.js'
import { variable } from '../../settings.js'
import type { StepWorker } from '../../step/context.js'

/** What a function has left for a step. */
export interface Room {
  /** Bytes. */
  memory: number
  /** Milliseconds. */
  left: number
  /** Bytes from which on steps are too large, where somebody has said it. */
  from?: number | undefined
}

/** A step that a function does not begin. */
export interface LargeStep {
  dataset: string
  /** Bytes of the files that it reads at most. */
  bytes: number
  why: string
}

/**
 * Bytes of files that a step reads for each byte of memory: they are compressed, and what does not
 * fit is spilled.
 */
const PER_MEMORY = 1
/** Bytes of files that a step does in a millisecond for each GiB of memory, which brings CPU. */
const PER_MILLISECOND = 4_000
const GIB = 2 ** 30

/** Why a step that reads so many bytes is too large for a function; `undefined` where it is not. */
export function tooLarge(bytes: number, { memory, left, from }: Room): string | undefined {
  const reads = `it reads ${sizeText(bytes)}`
  if (from !== undefined)
    return bytes >= from ? `${reads}, and steps go to Glue from ${sizeText(from)} on` : undefined
  if (bytes > memory * PER_MEMORY)
    return `${reads}, and the function has ${sizeText(memory)} of memory`
  const needed = bytes / (PER_MILLISECOND * (memory / GIB))
  if (needed > left)
    return `${reads}, which takes about ${Math.ceil(needed / 1000)} s, and the function has ${Math.floor(left / 1000)} s left`
  return undefined
}

/** The room of this function. */
export function roomOf(left: number): Room {
  const memory = Number(variable('AWS_LAMBDA_FUNCTION_MEMORY_SIZE') ?? 2048) * 2 ** 20
  return { memory, left, from: bytesOf(variable('MORAINE_GLUE_FROM') ?? '') }
}

/**
 * Carries out steps that a function can finish, as the plan estimates them, and none that it can't:
 * these are added to a list.
 */
export function stepsThatFit(large: LargeStep[], room: () => Room): StepWorker {
  return async (resources, dataset, task) => {
    const bytes = stepBytes(dataset, task.decision, task.view)
    const why = tooLarge(bytes, room())
    if (why === undefined) return executeStep(resources, dataset, task)
    large.push({ dataset: fullName(dataset), bytes, why })
    throw new MoraineError('limit', `${fullName(dataset)} is larger than this function: ${why}`, {
      hint: 'The job of Glue builds it. Nothing was changed.',
    })
  }
}
