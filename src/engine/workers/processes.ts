import { abortController, anySignal } from '../../signals.js'
import { Finished } from './finished.js'
import type { Hello } from './protocol.js'
import { Slots } from './slots.js'
import { type WorkerCommand, WorkerGone, WorkerProcess } from './worker-process.js'
import {
  ATTEMPTS,
  type MapOptions,
  type WorkerEvent,
  type WorkerOutcome,
  type Workers,
  type WorkerTask,
} from './workers.js'

export interface ProcessesOptions {
  slots: number
  command: WorkerCommand
  hello: Hello
  /** How often a task is tried that gets no answer. */
  attempts?: number
}

/** What the attempts of one `map` share. */
interface Mapping {
  signal: AbortSignal
  onEvent: (event: WorkerEvent) => void
}

/**
 * Has tasks carried out by processes of this machine; each has one at a time, and then the next.
 */
export class Processes implements Workers {
  readonly slots: number
  private readonly free: Slots
  private readonly idle: WorkerProcess[] = []
  private readonly closing = abortController()
  private readonly working = new Set<Promise<unknown>>()

  constructor(private readonly options: ProcessesOptions) {
    this.slots = options.slots
    this.free = new Slots(options.slots)
  }

  async *map(
    tasks: Iterable<WorkerTask> | AsyncIterable<WorkerTask>,
    { signal, onEvent = () => {} }: MapOptions,
  ): AsyncGenerator<WorkerOutcome> {
    const stopped = abortController()
    const own = anySignal([signal, this.closing.signal, stopped.signal])
    const next = oneAfterTheOther(tasks, own)
    const finished = new Finished<WorkerOutcome>(this.slots)
    const lane = async (): Promise<void> => {
      for (let task = await next(); task; task = await next())
        await finished.put(await this.carryOut(task, { signal: own, onEvent }))
    }
    const lanes = Array.from({ length: this.slots }, lane)
    const all = Promise.all(lanes).then(
      () => finished.end(),
      (error) => finished.fail(error),
    )
    this.working.add(all)
    const stop = () => finished.fail(own.reason)
    own.addEventListener('abort', stop)
    try {
      own.throwIfAborted()
      yield* finished
    } finally {
      own.removeEventListener('abort', stop)
      stopped.abort()
      finished.drop()
      await Promise.allSettled(lanes)
      this.working.delete(all)
    }
  }

  async close(): Promise<void> {
    this.closing.abort()
    await Promise.allSettled([...this.working])
    await Promise.all(this.idle.splice(0).map((worker) => worker.end()))
  }

  /** Tries a task until an attempt is answered. */
  private async carryOut(task: WorkerTask, mapping: Mapping): Promise<WorkerOutcome> {
    const { attempts = ATTEMPTS } = this.options
    const { id } = task
    let lost = ''
    for (let attempt = 1; attempt <= attempts; attempt++) {
      await this.free.take(mapping.signal)
      try {
        return { id, attempt, ...(await this.attempt(task, attempt, mapping)) }
      } catch (error) {
        if (!(error instanceof WorkerGone)) throw error
        lost = error.message
        mapping.onEvent({ type: 'failed', task: id, attempt, why: lost })
      } finally {
        this.free.give()
      }
    }
    return { id, lost }
  }

  private async attempt(
    task: WorkerTask,
    attempt: number,
    { signal, onEvent }: Mapping,
  ): Promise<{ reply: string; where: string }> {
    const worker = await this.worker(signal, (text, where) =>
      onEvent({ type: 'log', text, where, task: task.id }),
    )
    try {
      const reply = await worker.carryOut(task, attempt, signal, onEvent)
      this.idle.push(worker)
      return { reply, where: worker.where }
    } catch (error) {
      await worker.end()
      throw error
    }
  }

  /** One that waits for work, or a new one in the place of those that have ended. */
  private async worker(
    signal: AbortSignal,
    log: (text: string, where: string) => void,
  ): Promise<WorkerProcess> {
    for (let worker = this.idle.pop(); worker; worker = this.idle.pop())
      if (worker.isThere) return worker
    const { command, hello } = this.options
    return WorkerProcess.start(command, hello, signal, log)
  }
}

/**
 * Gives tasks to whoever asks, one at a time; `undefined` when there are no more. Once the signal
 * is aborted nobody waits for tasks that are still to come.
 */
function oneAfterTheOther(
  tasks: Iterable<WorkerTask> | AsyncIterable<WorkerTask>,
  signal: AbortSignal,
): () => Promise<WorkerTask | undefined> {
  const iterator =
    Symbol.asyncIterator in tasks ? tasks[Symbol.asyncIterator]() : tasks[Symbol.iterator]()
  const one = async () => {
    signal.throwIfAborted()
    const { done, value } = await orAborted(signal, async () => iterator.next())
    return done ? undefined : value
  }
  let last: Promise<WorkerTask | undefined> = Promise.resolve(undefined)
  return () => {
    last = last.then(one)
    return last
  }
}

function orAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop)
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', stop))
  })
}
