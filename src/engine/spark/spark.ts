import { confOf } from './conf.js'
import { findPython, type Python } from './python.js'
import { type Heard, Runner, type RunnerSettings, type SparkJob } from './runner.js'

export interface SparkSession extends RunnerSettings {
  /** The Python that has pyspark. */
  python?: string | undefined
}

/** Where Spark does not say how many tasks go on at the same time. */
const SLOTS = 4

/**
 * A session of Spark. Where its process ends, what it was at is lost, and what comes next has a new
 * one.
 */
export class Spark {
  private starting: Promise<Runner> | undefined

  private constructor(
    private readonly python: Python,
    private readonly settings: RunnerSettings,
    private runner: Runner,
  ) {}

  /**
   * Starts Spark, or finds a cluster.
   *
   * @throws MoraineError of kind `usage` that says what to install, or of kind `engine` where Spark
   *   does not start.
   */
  static async open({ python: named, ...session }: SparkSession): Promise<Spark> {
    const python = findPython(named)
    const settings = { ...session, conf: confOf(session, session.conf) }
    return new Spark(python, settings, await Runner.start(python, settings))
  }

  /** Tasks that Spark carries out at the same time. */
  get slots(): number {
    return this.runner.slots ?? SLOTS
  }

  /** @see Runner.job */
  async job(job: SparkJob, signal: AbortSignal, heard: Heard): Promise<void> {
    if (!this.runner.isThere) {
      this.starting ??= Runner.start(this.python, this.settings).finally(() => {
        this.starting = undefined
      })
      this.runner = await this.starting
    }
    await this.runner.job(job, signal, heard)
  }

  /** @see Runner.dismiss */
  async dismiss(group: string): Promise<void> {
    await this.runner.dismiss(group)
  }

  /** Ends the session with all of its workers; resolves when they are gone. */
  async close(): Promise<void> {
    await (await this.starting?.catch(() => undefined))?.end()
    await this.runner.end()
  }
}
