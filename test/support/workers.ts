import { join } from 'node:path'
import { type StepEngine, workers } from '../../src/define/index.js'
import { Processes } from '../../src/engine/workers/processes.js'
import type { Hello } from '../../src/engine/workers/protocol.js'
import type {
  MapOptions,
  WorkerEvent,
  WorkerOutcome,
  Workers,
  WorkerTask,
} from '../../src/engine/workers/workers.js'
import { Lakehouse } from '../../src/load/lakehouse.js'
import { loadLake } from '../../src/load/load.js'
import { StepEngines } from '../../src/load/workers/step-engines.js'
import { environment } from '../../src/settings.js'
import type { StepWorker } from '../../src/step/context.js'
import { repository } from './project.js'

/**
 * Who carries out the steps of a lake: processes of this machine, as `--engine workers:2` starts
 * them.
 */
export async function processesFor(
  file: string,
  root: string,
  {
    instead = workers(2),
    log = () => {},
  }: { instead?: StepEngine; log?: (text: string) => void } = {},
): Promise<StepEngines> {
  const { storage } = Lakehouse.at(root)
  const lake = await loadLake(file)
  const memory = 2 ** 29
  return new StepEngines({ lake, file, storage, instead, memory, log })
}

/** What becomes of a task that was carried out. */
export type Fate = 'answered' | 'twice' | 'lost'

interface Conditions {
  /** What becomes of each task, in the order in which they come. */
  fate?: (nth: number, task: WorkerTask) => Fate
  /** The program, with its arguments, that starts each worker: what follows is the worker's own. */
  startedBy?: readonly string[]
  /** What workers are told of the run in the place of what it is. */
  hello?: Partial<Hello>
  /** What the environment of workers has in addition. */
  env?: Record<string, string>
  /** Bytes that the engine of a worker may use. */
  memory?: number
  attempts?: number
}

/**
 * Real workers on which less can be relied than on those of this machine: answers get lost after
 * the work is done, and attempts are made twice, both of which write their files.
 */
export class Unreliable {
  private engines: StepEngines | undefined
  /** What happened to tasks. */
  readonly events: WorkerEvent[] = []
  /** Tasks that came. */
  tasks = 0

  constructor(private readonly conditions: Conditions = {}) {}

  async stepsOf({ folder }: { folder: string }, root = join(folder, 'lake')): Promise<StepWorker> {
    const file = join(folder, 'lake.ts')
    const { storage } = Lakehouse.at(root)
    const { memory = 2 ** 29 } = this.conditions
    const options = { lake: await loadLake(file), file, storage, memory, log: () => {} }
    this.engines = new StepEngines({ ...options, instead: workers(2) }, (_, hello, beforeStart) =>
      this.open(hello, beforeStart),
    )
    return this.engines.carryOut
  }

  async close(): Promise<void> {
    await this.engines?.close()
  }

  private open(hello: Hello, beforeStart: () => Promise<void>): Workers {
    const { env = {}, fate = () => 'answered' as const, attempts } = this.conditions
    const { startedBy = [], hello: otherwise = {} } = this.conditions
    const own = [process.execPath, join(repository, 'bin/moraine.js'), 'worker']
    const [program = '', ...args] = [...startedBy, ...own]
    const real = new Processes({
      slots: 2,
      hello: { ...hello, ...otherwise },
      beforeStart,
      ...(attempts === undefined ? {} : { attempts }),
      command: {
        argv: [program, ...args],
        env: { ...environment(), ...env },
      },
    })
    const one = async (task: WorkerTask, options: MapOptions): Promise<WorkerOutcome> => {
      const what = fate(this.tasks++, task)
      const copies = what === 'twice' ? ['', ' again'] : ['']
      const given: WorkerOutcome[] = []
      const tasks = copies.map((copy) => ({ ...task, id: task.id + copy }))
      const onEvent = (event: WorkerEvent) => {
        this.events.push(event)
        options.onEvent?.(event)
      }
      for await (const outcome of real.map(tasks, { ...options, onEvent })) given.push(outcome)
      if (what === 'lost') return { id: task.id, lost: 'its answer got lost' }
      // The one that came first counts.
      return { ...(given[0] as WorkerOutcome), id: task.id }
    }
    return {
      slots: real.slots,
      async *map(tasks, options) {
        for await (const task of tasks) yield await one(task, options)
      },
      close: () => real.close(),
    }
  }
}
