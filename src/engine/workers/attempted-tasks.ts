import { Pool } from '../../process/pool.js'
import { abortController, anySignal, orAborted } from '../../signals.js'
import { Finished } from './finished.js'
import { WorkerGone } from './worker-process.js'
import {
  ATTEMPTS,
  type MapOptions,
  type WorkerEvent,
  type WorkerOutcome,
  type Workers,
  type WorkerTask,
} from './workers.js'

/** What the attempts of one `map` share. */
export interface Mapping {
  signal: AbortSignal
  onEvent: (event: WorkerEvent) => void
}

export interface Answer {
  reply: string
  where: string
}

/** Has tasks tried until an attempt is answered, so many at a time; where that is, others say. */
export abstract class AttemptedTasks implements Workers {
  private readonly pool: Pool
  private readonly closing = abortController()
  private readonly working = new Set<Promise<unknown>>()

  /**
   * @param lanes tasks that are under way at the same time.
   * @param attempts how often a task is tried that gets no answer.
   */
  constructor(
    readonly slots: number,
    private readonly lanes: number,
    private readonly attempts = ATTEMPTS,
  ) {
    this.pool = new Pool(lanes)
  }

  /** @throws WorkerGone where there is no answer. */
  protected abstract attempt(task: WorkerTask, attempt: number, mapping: Mapping): Promise<Answer>

  /** Ends what waits for tasks; none is under way any more. */
  protected abstract end(): Promise<unknown>

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
    const lanes = Array.from({ length: this.lanes }, lane)
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
    await this.end()
  }

  /** Tries a task until an attempt is answered. */
  private async carryOut(task: WorkerTask, mapping: Mapping): Promise<WorkerOutcome> {
    const { id } = task
    let lost = ''
    for (let attempt = 1; attempt <= this.attempts; attempt++) {
      try {
        const tried = () => this.attempt(task, attempt, mapping)
        return { id, attempt, ...(await this.pool.run(tried, { signal: mapping.signal })) }
      } catch (error) {
        if (!(error instanceof WorkerGone)) throw error
        lost = error.message
        mapping.onEvent({ type: 'failed', task: id, attempt, why: lost })
      }
    }
    return { id, lost }
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
