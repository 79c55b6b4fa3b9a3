import { howFar } from '../../engine/workers/protocol.js'
import type { WorkerEvent, Workers } from '../../engine/workers/workers.js'
import { MoraineError } from '../../errors.js'
import type { Definition } from '../../log/commit.js'
import { Pool } from '../../process/pool.js'
import { redact } from '../../secrets.js'
import type { StepWorker } from '../../step/context.js'
import { decodeReply } from '../../step/task/codec.js'
import { TaskTexts } from './leads.js'

/** A worker that is there, and what it runs on. */
export type WorkerReady = WorkerEvent & { type: 'ready' }

/** Steps that are packed before a worker is free. */
const AHEAD = 2

export interface StepsByOptions {
  /** Of the datasets, as workers load them. */
  definitions: ReadonlyMap<string, Definition>
  /** Is told what workers write. */
  log: (text: string) => void
  /** Is told of each worker what it runs on. */
  began?: (worker: WorkerReady) => void
  /** Characters of manifests from which on they are laid into storage. */
  large?: number
}

/** Steps that workers carry out. */
export interface StepsOfWorkers {
  carryOut: StepWorker
  /** No task of a step follows: what was laid into storage for it goes. */
  forget: TaskTexts['forget']
}

/**
 * Has whole steps carried out by workers, each as one task.
 */
export function stepsBy(
  workers: Workers,
  { definitions, log, began = () => {}, large }: StepsByOptions,
): StepsOfWorkers {
  const texts = new TaskTexts(large)
  let tasks = 0
  // A step with its manifests may be large: most of its parts wait as they are, and few as text.
  const pool = new Pool(workers.slots + AHEAD)
  const carryOut: StepWorker = async (resources, dataset, task) => {
    const { signal, progress } = resources
    const definition = definitions.get(task.dataset) ?? task.definition
    const text = await texts.of(resources, dataset, { ...task, definition })
    const onEvent = (event: WorkerEvent) => {
      if (event.type === 'progress') progress(task.dataset, howFar(event))
      if (event.type === 'ready') began(event)
      if (event.type === 'log') log(redact(event.text))
      if (event.type === 'vanished')
        log(
          `! ${task.dataset}: ${event.where} vanished, perhaps with its executor or its host: the step begins again elsewhere`,
        )
      if (event.type === 'failed')
        log(redact(`! ${task.dataset}: attempt ${event.attempt} has no result: ${event.why}`))
    }
    const id = `${task.dataset} ${++tasks}`
    for await (const outcome of workers.map([{ id, text }], { signal, onEvent })) {
      if ('lost' in outcome) throw lostStep(task.dataset, outcome.lost)
      const reply = decodeReply(outcome.reply)
      if ('error' in reply) throw reply.error
      return reply.output
    }
    throw lostStep(task.dataset, 'its workers gave no outcome')
  }
  return {
    carryOut: (resources, dataset, task) => {
      const { signal } = resources
      return pool.run(() => carryOut(resources, dataset, task), { signal })
    },
    forget: (task, storage) => texts.forget(task, storage),
  }
}

function lostStep(dataset: string, why: string): MoraineError {
  return new MoraineError('engine', `No worker has finished ${dataset}: ${why}`, {
    hint: 'Its table is unchanged. If memory is short (SIGKILL, or exit code 137), use fewer workers, so that each has more of it, or a larger --memory; on Spark, a larger memory in spark({ … }).',
  })
}
