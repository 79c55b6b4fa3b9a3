import { fullName } from '../define/dataset.js'
import type { Gold, Silver } from '../define/model.js'
import { MoraineError } from '../errors.js'
import { definitionOf } from '../plan/fingerprint.js'
import { executeStep } from '../run/execute-step.js'
import { abortController } from '../signals.js'
import { hash } from '../step/context.js'
import { InThisThread } from '../step/javascript.js'
import { decodeStep, encodeReply, type SentStep } from '../step/task/codec.js'
import { unpackRelations } from '../step/task/pack.js'
import { Lakehouse } from './lakehouse.js'
import { loadLake } from './load.js'

/**
 * Carries out a step that was sent as JSON, in an engine of its own; what goes wrong is part of the
 * reply.
 */
export async function carryOutSent(text: string): Promise<string> {
  try {
    const sent = decodeStep(text)
    const dataset = await datasetOf(sent)
    const house = Lakehouse.at(sent.root)
    const { storage } = house
    const { memory, threads } = sent
    const engine = await house.startEngine({
      ...(memory ? { memory } : {}),
      ...(threads ? { threads } : {}),
    })
    try {
      await engine.confine([storage.url])
      const relations = unpackRelations(storage, sent)
      const { signal } = abortController()
      const rest = { javascript: new InThisThread(), signal, progress: () => {} }
      const output = await executeStep({ storage, engine, relations, ...rest }, dataset, sent.task)
      return encodeReply({ output })
    } finally {
      await engine.close()
    }
  } catch (error) {
    return encodeReply({ error: error as Error })
  }
}

/**
 * The dataset of a task: functions can't be sent, so its definition is loaded here, and must be the
 * same.
 */
async function datasetOf({ definedIn, task }: SentStep): Promise<Silver | Gold> {
  const { datasets } = await loadLake(definedIn)
  const found = datasets.find((one) => fullName(one) === task.dataset)
  const isSame = (own: object) =>
    JSON.stringify(Object.entries(own).sort()) ===
    JSON.stringify(Object.entries(task.definition).sort())
  if (found && found.tier !== 'bronze' && isSame(definitionOf(found, hash))) return found
  throw new MoraineError(
    'conflict',
    `${task.dataset} is defined otherwise here than where its step was planned`,
    { hint: 'Run again, with the same lake.ts on all machines.' },
  )
}
