import { type Answer, AttemptedTasks, type Mapping } from './attempted-tasks.js'
import type { Hello } from './protocol.js'
import { type WorkerCommand, WorkerProcess } from './worker-process.js'
import type { WorkerTask } from './workers.js'

export interface ProcessesOptions {
  slots: number
  command: WorkerCommand
  hello: Hello
  /** Makes sure of what a worker looks for when it starts. */
  beforeStart?: () => Promise<void>
  /** How often a task is tried that gets no answer. */
  attempts?: number
}

/**
 * Has tasks carried out by processes of this machine; each has one at a time, and then the next.
 */
export class Processes extends AttemptedTasks {
  private readonly idle: WorkerProcess[] = []
  /** Those that have said that they end. */
  private leaving: WorkerProcess[] = []

  constructor(private readonly options: ProcessesOptions) {
    super(options.slots, options.slots, options.attempts)
  }

  protected async end(): Promise<void> {
    const all = [...this.idle.splice(0), ...this.leaving.splice(0)]
    await Promise.all(all.map((worker) => worker.end()))
  }

  protected async attempt(
    task: WorkerTask,
    attempt: number,
    { signal, onEvent }: Mapping,
  ): Promise<Answer> {
    const worker = await this.worker(task, signal, onEvent)
    try {
      const { reply, isLast } = await worker.carryOut(task, attempt, signal, onEvent)
      if (isLast) this.letGo(worker)
      else this.idle.push(worker)
      return { reply, where: worker.where }
    } catch (error) {
      await worker.end()
      throw error
    }
  }

  /** It removes what it has written meanwhile; another one has the next task. */
  private letGo(worker: WorkerProcess): void {
    worker.release()
    this.leaving = [...this.leaving.filter(({ isThere }) => isThere), worker]
  }

  /** One that waits for work, or a new one in the place of those that have ended. */
  private async worker(
    { id }: WorkerTask,
    signal: AbortSignal,
    onEvent: Mapping['onEvent'],
  ): Promise<WorkerProcess> {
    for (let worker = this.idle.pop(); worker; worker = this.idle.pop())
      if (worker.isThere) return worker
    const { command, hello, beforeStart } = this.options
    await beforeStart?.()
    return WorkerProcess.start(command, hello, signal, (event) =>
      onEvent(event.type === 'log' ? { ...event, task: id } : event),
    )
  }
}
