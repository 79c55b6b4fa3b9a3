import { abortController, orAborted } from '../../signals.js'
import { WorkerGone } from '../workers/worker-process.js'
import { confOf } from './conf.js'
import { NoExecutors } from './executors.js'
import { findPython } from './python.js'
import { type Heard, Runner, type RunnerSettings, type SparkJob } from './runner.js'

export interface SparkSession extends RunnerSettings {
  /** The Python that has pyspark. */
  python?: string | undefined
  /** Milliseconds that jobs wait while there is no executor; Infinity for as long as it takes. */
  waitForExecutors?: number | undefined
}

/** Where Spark does not say how many tasks go on at the same time. */
const SLOTS = 4
/** Milliseconds in which a cluster is to have an executor. */
const WAIT = 600_000

/**
 * A session of Spark. Where its process ends, what it was at is lost, and what comes next has a new
 * one. So it is, for half of the time that there is, where a cluster has no executors any more: a
 * master that was started again knows nothing of earlier sessions.
 */
export class Spark {
  private starting: Promise<Runner> | undefined

  /** Sessions that end. */
  private readonly endings: Promise<void>[] = []

  private readonly closing = abortController()

  private constructor(
    private readonly begin: (signal: AbortSignal) => Promise<Runner>,
    private runner: Runner,
    /** Whether the session is the second one that is to get executors. */
    private readonly state: { isSecond: boolean },
  ) {}

  /**
   * Starts Spark, or finds a cluster.
   *
   * @param signal ends the start; what goes on later has signals of its own.
   * @throws MoraineError of kind `usage` that says what to install, or of kind `engine` where Spark
   *   does not start; what the signal says.
   */
  static async open(
    { python: named, waitForExecutors: wait = WAIT, ...session }: SparkSession,
    signal: AbortSignal = abortController().signal,
  ): Promise<Spark> {
    const python = findPython(named)
    const settings = { ...session, conf: confOf(session, session.conf) }
    const state = { isSecond: false }
    const patience = (hadSome: boolean) => (hadSome || state.isSecond ? wait / 2 : wait)
    const begin = (stop: AbortSignal) => Runner.start(python, settings, patience, stop)
    return new Spark(begin, await begin(signal), state)
  }

  /** Tasks that Spark carries out at the same time. */
  get slots(): number {
    return this.runner.slots ?? SLOTS
  }

  /** @see Runner.job */
  async job(job: SparkJob, signal: AbortSignal, heard: Heard): Promise<void> {
    if (!this.runner.isThere) {
      this.starting ??= this.begin(this.closing.signal)
        .then((runner) => {
          this.runner = runner
          return runner
        })
        .finally(() => {
          this.starting = undefined
        })
      const { starting } = this
      await orAborted(signal, () => starting)
    }
    const { runner } = this
    try {
      await runner.job(job, signal, heard)
      this.state.isSecond = false
    } catch (error) {
      if (error instanceof NoExecutors && this.mayHaveOther(runner))
        throw new WorkerGone('engine', error.message)
      throw error
    }
  }

  /** Ends a session that has lost its executors, where another one may get some. */
  private mayHaveOther(runner: Runner): boolean {
    // Another job has found it before.
    if (runner !== this.runner || !runner.isThere) return true
    if (this.state.isSecond || !runner.hadExecutors) return false
    this.state.isSecond = true
    this.endings.push(runner.end())
    return true
  }

  /** @see Runner.dismiss */
  async dismiss(group: string): Promise<void> {
    await this.runner.dismiss(group)
  }

  /** Ends the session with all of its workers; resolves when they are gone. */
  async close(): Promise<void> {
    this.closing.abort()
    await (await this.starting?.catch(() => undefined))?.end()
    await Promise.all([this.runner.end(), ...this.endings])
  }
}
