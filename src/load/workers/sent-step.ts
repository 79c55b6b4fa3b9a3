import { writeSync } from 'node:fs'
import { hostname } from 'node:os'
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
import { readLeads } from './leads.js'

/** What a worker has for all of its tasks. */
export interface WorkerState {
  lake: Lake
  /** Variables that the definition reads and the run has, which are not set here. */
  unset: readonly string[]
  resources: Omit<StepResources, 'relations' | 'progress'>
}

/** Carries out a step that was sent as JSON; what goes wrong is part of the reply. */
export async function carryOutSent(
  { lake, unset, resources }: WorkerState,
  text: string,
  progress: (how: { rows?: number; percent?: number }) => void,
): Promise<{ reply: string; isLast?: boolean }> {
  try {
    const { storage } = resources
    const sent = await decodeStep(text, (laid) => readLeads(storage, laid))
    const dataset = datasetOf(lake, sent, unset)
    const relations = unpackRelations(storage, sent)
    const step = { ...resources, relations, progress: (_: string, how: object) => progress(how) }
    return { reply: encodeReply({ output: await executeStep(step, dataset, sent.task) }) }
  } catch (error) {
    endIfDiskFull(error)
    return { reply: encodeReply({ error: error as Error }), isLast: isEngineLost(error) }
  }
}

/**
 * Ends this process because of what is wrong with it, rather than with a step: another worker may
 * have room, and without an answer, the step is tried there.
 */
export function endIfDiskFull(error: unknown): void {
  if (!isDiskFull(error)) return
  removeScratch()
  writeSync(process.stderr.fd, `${messageOf(error)}\n`)
  process.exit(TRY_AGAIN)
}

/** The exit code for "temporary failure", of sysexits.h. */
const TRY_AGAIN = 75

/**
 * The dataset of a task. Its definition may depend on more than its file, such as variables of the
 * environment, and must be the same.
 */
function datasetOf(
  { datasets }: Lake,
  { task }: SentStep,
  unset: readonly string[],
): Silver | Gold {
  const found = datasets.find((one) => fullName(one) === task.dataset)
  const isSame = (own: object) =>
    JSON.stringify(Object.entries(own).sort()) ===
    JSON.stringify(Object.entries(task.definition).sort())
  if (found && found.tier !== 'bronze' && isSame(definitionOf(found, hash))) return found
  throw new MoraineError(
    'conflict',
    `${task.dataset} is defined otherwise where its step runs than where it was planned`,
    {
      hint:
        unset.length > 0
          ? unsetHint(unset)
          : 'What lake.ts reads of its environment must be the same there: variables, files, the time.',
    },
  )
}

/** What to do where a definition is another one without its variables. */
export const unsetHint = (unset: readonly string[]): string =>
  `lake.ts reads ${unset.join(', ')} of the environment, which ${unset.length > 1 ? 'are' : 'is'} not set on ${hostname()}: set what it depends on wherever workers run. Names are sent, values never.`
