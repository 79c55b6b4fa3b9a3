import { writeSync } from 'node:fs'
import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import type { Gold, Silver } from '../../define/model.js'
import { isDiskFull, isEngineLost } from '../../engine/sql-error.js'
import { MoraineError, messageOf } from '../../errors.js'
import { definitionOf } from '../../plan/fingerprint.js'
import { executeStep } from '../../run/execute-step.js'
import { hash, type StepResources } from '../../step/context.js'
import { decodeStep, encodeReply, type SentStep } from '../../step/task/codec.js'
import { unpackRelations } from '../../step/task/pack.js'
import { removeScratch } from '../../storage/scratch.js'

/** What a worker has for all of its tasks. */
export interface WorkerState {
  lake: Lake
  resources: Omit<StepResources, 'relations' | 'progress'>
}

/** Carries out a step that was sent as JSON; what goes wrong is part of the reply. */
export async function carryOutSent(
  { lake, resources }: WorkerState,
  text: string,
  progress: (how: { rows?: number; percent?: number }) => void,
): Promise<{ reply: string; isLast?: boolean }> {
  try {
    const sent = decodeStep(text)
    const dataset = datasetOf(lake, sent)
    const relations = unpackRelations(resources.storage, sent)
    const step = { ...resources, relations, progress: (_: string, how: object) => progress(how) }
    return { reply: encodeReply({ output: await executeStep(step, dataset, sent.task) }) }
  } catch (error) {
    // Another worker may have room: without an answer, the step is tried there.
    if (isDiskFull(error)) endWorker(messageOf(error))
    return { reply: encodeReply({ error: error as Error }), isLast: isEngineLost(error) }
  }
}

/** Ends this process because of what is wrong with it, rather than with a step. */
function endWorker(why: string): never {
  removeScratch()
  writeSync(process.stderr.fd, `${why}\n`)
  process.exit(TRY_AGAIN)
}

/** The exit code for "temporary failure", of sysexits.h. */
const TRY_AGAIN = 75

/**
 * The dataset of a task. Its definition may depend on more than its file, such as variables of the
 * environment, and must be the same.
 */
function datasetOf({ datasets }: Lake, { task }: SentStep): Silver | Gold {
  const found = datasets.find((one) => fullName(one) === task.dataset)
  const isSame = (own: object) =>
    JSON.stringify(Object.entries(own).sort()) ===
    JSON.stringify(Object.entries(task.definition).sort())
  if (found && found.tier !== 'bronze' && isSame(definitionOf(found, hash))) return found
  throw new MoraineError(
    'conflict',
    `${task.dataset} is defined otherwise where its step runs than where it was planned`,
    {
      hint: 'What lake.ts reads of its environment must be the same there: variables, files, the time.',
    },
  )
}
