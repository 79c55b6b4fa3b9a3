import { Worker } from 'node:worker_threads'

/** What a thread answers to a job: what it found, or how it failed. */
export type Answer = { found: unknown } | { failed: { message: string; code: string | undefined } }

interface Waiting {
  job: unknown
  resolve: (found: never) => void
  reject: (error: Error) => void
}

/** Milliseconds after which a thread ends that has nothing to do. */
const IDLE = 5000

/**
 * Threads that are started when there is work for them, each of which carries out one job at a
 * time, and that end when there has been none. Those that wait keep no process alive.
 */
export class Threads {
  private readonly waiting: Waiting[] = []
  private readonly idle: Thread[] = []
  private count = 0
  private passed = 0

  /**
   * @param file what runs in each: see {@link answering}.
   * @param most how many there may be.
   * @param start bytes of work that take as long as to start the threads that it is handed to.
   */
  constructor(
    private readonly file: URL,
    private readonly most: number,
    private readonly start: number,
  ) {}

  /**
   * Whether work of so many bytes is worth a thread. Where none runs, it is once as much has come
   * as starting costs: whatever follows, that takes at most twice what would have been best.
   */
  isWorth(bytes: number): boolean {
    this.passed += bytes
    return this.count > 0 || this.passed > this.start
  }

  /** @throws what the job failed with, or that its thread ended. */
  ask<T>(job: unknown): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.waiting.push({ job, resolve, reject })
      this.next()
    })
  }

  private next(): void {
    const [first] = this.waiting
    if (!first) return
    const thread = this.idle.pop() ?? (this.count < this.most ? this.begin() : undefined)
    if (!thread) return
    this.waiting.shift()
    thread.carryOut(first)
  }

  private begin(): Thread {
    this.count++
    this.passed = 0
    const leave = (thread: Thread) => {
      const at = this.idle.indexOf(thread)
      if (at >= 0) this.idle.splice(at, 1)
    }
    return new Thread(this.file, {
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

  constructor(
    file: URL,
    private readonly told: Told,
  ) {
    this.worker = new Worker(file, { stderr: true })
    this.worker.on('message', (answer: Answer) => {
      const { current } = this
      this.current = undefined
      this.worker.unref()
      this.timer = setTimeout(() => this.end(), IDLE).unref()
      if ('found' in answer) current?.resolve(answer.found as never)
      else current?.reject(Object.assign(new Error(answer.failed.message), answer.failed))
      told.idle(this)
    })
    this.worker.on('error', (error) => this.current?.reject(error as Error))
    this.worker.on('exit', () => {
      clearTimeout(this.timer)
      this.current?.reject(new Error('a thread ended before its work was done'))
      told.ended(this)
    })
  }

  carryOut(waiting: Waiting): void {
    clearTimeout(this.timer)
    this.current = waiting
    this.worker.ref()
    this.worker.postMessage(waiting.job)
  }

  private end(): void {
    this.told.ending(this)
    void this.worker.terminate()
  }
}

/** What a thread answers to a job that it carries out by a function. */
export function answering<Job>(carryOut: (job: Job) => unknown): (job: Job) => Answer {
  return (job) => {
    try {
      return { found: carryOut(job) }
    } catch (error) {
      const { message, code } = error as NodeJS.ErrnoException
      return { failed: { message, code } }
    }
  }
}
