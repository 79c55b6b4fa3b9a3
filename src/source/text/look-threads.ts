import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { builtFile } from '../../home.js'
import { factsOfAll } from './look.js'
import type { LookedAt, LookTask, PartFound } from './look-task.js'
import type { LookAnswer, LookJob } from './look-thread.js'
import type { Machine } from './value-machine.js'

/** Bytes of a text that a thread looks at as one job. */
const PART = 8 * 2 ** 20
/** Milliseconds after which a thread ends that has nothing to do. */
const IDLE = 5000

/**
 * Looks over a text by as many threads as there are cores, in parts of whole lines; only its hash
 * is made by one thread from its start to its end.
 */
export async function lookInThreads(
  task: LookTask,
  signal: AbortSignal | undefined,
): Promise<LookedAt> {
  signal?.throwIfAborted()
  const over = new Int32Array(new SharedArrayBuffer(4))
  const stop = () => Atomics.store(over, 0, 1)
  signal?.addEventListener('abort', stop)
  try {
    return await inParts(task, over)
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    stop()
    signal?.removeEventListener('abort', stop)
  }
}

async function inParts(
  { path, size, options, layout }: LookTask,
  over: Int32Array,
): Promise<LookedAt> {
  // The longest job of all is begun first.
  const hash = threads.ask<string>({ kind: 'hash', path, size, over })
  const facts = async () => {
    const machine =
      layout && (await threads.ask<Machine | undefined>({ kind: 'machine', layout, over }))
    const about = { path, size, options, machine, skip: layout?.skip ?? 0 }
    const parts = Array.from({ length: Math.ceil(size / PART) }, (_, i) => {
      const part = { ...about, from: i * PART, to: Math.min(size, (i + 1) * PART) }
      return threads.ask<PartFound>({ kind: 'part', part, over })
    })
    return { machine, found: await Promise.all(parts) }
  }
  const [sha256, { machine, found }] = await Promise.all([hash, facts()])
  const wrong = found.map((part) => part.wrong)
  return {
    sha256,
    facts: factsOfAll(found.map((part) => part.facts)),
    ...(wrong.every((states) => states !== undefined)
      ? { machine, wrong }
      : { machine: undefined, wrong: [] }),
  }
}

interface Waiting {
  job: LookJob
  resolve: (found: never) => void
  reject: (error: Error) => void
}

/** Threads that are started when there is work for them, and end when there has been none. */
class Threads {
  private readonly waiting: Waiting[] = []
  private readonly idle: Thread[] = []
  private count = 0

  constructor(private readonly most: number) {}

  ask<T>(job: LookJob): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.waiting.push({ job, resolve, reject })
      this.next()
    })
  }

  private next(): void {
    const [first] = this.waiting
    if (!first) return
    const thread = this.idle.pop() ?? (this.count < this.most ? this.start() : undefined)
    if (!thread) return
    this.waiting.shift()
    thread.carryOut(first)
  }

  private start(): Thread {
    this.count++
    const leave = (thread: Thread) => {
      const at = this.idle.indexOf(thread)
      if (at >= 0) this.idle.splice(at, 1)
    }
    return new Thread({
      idle: (thread) => {
        this.idle.push(thread)
        this.next()
      },
      // Nobody gives work to one that is about to end.
      ending: leave,
      ended: (thread) => {
        leave(thread)
        this.count--
        this.next()
      },
    })
  }
}

type Told = Record<'idle' | 'ending' | 'ended', (thread: Thread) => void>

class Thread {
  private readonly worker: Worker
  private current: Waiting | undefined
  private timer: NodeJS.Timeout | undefined

  constructor(private readonly told: Told) {
    this.worker = new Worker(builtFile('source/text/look-thread.js'), { stderr: true })
    this.worker.on('message', (answer: LookAnswer) => {
      const { current } = this
      this.current = undefined
      // A thread that waits keeps no process alive.
      this.worker.unref()
      this.timer = setTimeout(() => this.end(), IDLE).unref()
      if ('found' in answer) current?.resolve(answer.found as never)
      else current?.reject(Object.assign(new Error(answer.failed.message), answer.failed))
      told.idle(this)
    })
    this.worker.on('error', (error) => this.current?.reject(error as Error))
    this.worker.on('exit', () => {
      this.current?.reject(new Error('a thread ended while it read a file'))
      told.ended(this)
    })
  }

  private end(): void {
    this.told.ending(this)
    void this.worker.terminate()
  }

  carryOut(waiting: Waiting): void {
    clearTimeout(this.timer)
    this.current = waiting
    this.worker.ref()
    this.worker.postMessage(waiting.job)
  }
}

/** Those of this process. */
const threads = new Threads(availableParallelism())
