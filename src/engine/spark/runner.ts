import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { MoraineError, messageOf } from '../../errors.js'
import { builtFile, temporaryFolder } from '../../home.js'
import { endChild, isRunning } from '../../process/child.js'
import { orAborted } from '../../signals.js'
import { onLines } from '../workers/lines.js'
import { encodeLine } from '../workers/protocol.js'
import { WorkerGone } from '../workers/worker-process.js'
import { Executors, type Patience } from './executors.js'
import { lossOf, missingError } from './missing.js'
import type { Python } from './python.js'

/** What the runner begins with; see `runner.py`. */
export interface RunnerSettings {
  master?: string | undefined
  connect?: string | undefined
  conf: Readonly<Record<string, string>>
  /** An archive with Node and Moraine, which Spark brings to executors. */
  archive?: string | undefined
  /** The address of this machine, as executors find it. */
  host?: string | undefined
}

/** One job of Spark. */
export interface SparkJob {
  /** Names whose workers are dismissed together. */
  group: string
  /** What is said to each worker first, as a line. */
  hello: string
  /** What starts a worker, where executors run on this machine. */
  command?: readonly string[] | undefined
  /** What is said to a worker, as a line each. */
  tasks: readonly (readonly [id: string, line: string])[]
}

type Message =
  | { ready: { spark: string; slots: number | null } }
  | { missing: string; message: string }
  | { dismissed: string }
  | { executors: number }
  | { gone: string }
  | OfJob

type OfJob =
  | { job: string; task: string; place: string; line: string }
  | { job: string; ended: true }
  | { job: string; failed: string }

/** A line that a worker said while it was at a task; an empty one where it begins. */
export type Heard = (task: string, place: string, line: string) => void

interface Job {
  /** The first of its tasks, by which it hears what is about all of it. */
  first: string
  heard: Heard
  resolve: () => void
  reject: (error: unknown) => void
}

const LAST_LINES = 20
/** Milliseconds in which Spark may end by itself. */
const PATIENCE = 15_000

/** The process that speaks with Spark: Python, as Spark's clients are. */
export class Runner {
  /** How many tasks Spark carries out at the same time, where it says that. */
  slots: number | undefined
  private readonly jobs = new Map<string, Job>()
  private readonly dismissing = new Map<string, () => void>()
  private readonly lastLines: string[] = []
  private readonly gone: Promise<WorkerGone>
  private answered: (message: Message) => void = () => {}
  private made = 0
  private isEnding = false
  private why: string | undefined
  private readonly executors: Executors

  private constructor(
    private readonly child: ChildProcess,
    private readonly python: string,
    patience: Patience,
  ) {
    this.executors = new Executors({
      patience,
      isAsked: () => this.jobs.size > 0,
      tell: (text) => this.tellOnce(text),
      giveUp: (error) => this.giveUp(error),
    })
    child.stdin?.on('error', () => {})
    onLines(child.stdout as never, (line, isWhole) => {
      // Killed in the middle of a message, it has said nothing more: what it was at is tried again.
      if (isWhole) this.saidLine(line)
    })
    onLines(child.stderr as never, (line) => this.wrote(line))
    this.gone = new Promise((resolve) => {
      const ended = (how: string) => {
        const what = this.why
          ? `Spark’s session is lost: ${this.why}`
          : `Spark’s client ended: ${how}`
        resolve(new WorkerGone('engine', what, this.details()))
      }
      child.once('error', (error) => ended(messageOf(error)))
      child.once('close', (code, by) => ended(by ?? `exit code ${code}`))
    })
    this.gone.then((gone) => {
      for (const { reject } of this.jobs.values()) reject(gone)
      this.jobs.clear()
      this.executors.look()
    })
  }

  /**
   * Starts a session of Spark; resolves when there is one.
   *
   * @param patience how long it waits for executors.
   * @param signal ends a start that may take as long as a cluster has no room.
   * @throws MoraineError of kind `usage` where something has to be installed; what the signal says.
   */
  static async start(
    { program, env }: Python,
    settings: RunnerSettings,
    patience: Patience,
    signal: AbortSignal,
  ): Promise<Runner> {
    signal.throwIfAborted()
    const script = fileURLToPath(builtFile('engine/spark/runner.py'))
    const child = spawn(program, ['-u', script], {
      cwd: temporaryFolder(),
      env: { ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    if (child.pid === undefined) throw await noPython(child, program)
    const runner = new Runner(child, program, patience)
    try {
      await orAborted(signal, () => runner.begin(settings))
      return runner
    } catch (error) {
      await endChild(child)
      throw error
    }
  }

  /** Whether it can be told anything more. */
  get isThere(): boolean {
    return isRunning(this.child) && !this.child.killed && !this.isEnding
  }

  /** Whether it had executors at some time, so that it has lost those that it does not have. */
  get hadExecutors(): boolean {
    return this.executors.hadSome
  }

  /**
   * Has Spark carry out one job; resolves when all has been heard of it.
   *
   * @throws WorkerGone where Spark could not; NoExecutors; what the signal says once Spark has
   *   ended the job.
   */
  async job({ group, ...rest }: SparkJob, signal: AbortSignal, heard: Heard): Promise<void> {
    signal.throwIfAborted()
    if (!this.isThere) throw await this.gone
    const job = `${group}/${++this.made}`
    const stop = () => this.tell({ cancel: job })
    try {
      await new Promise<void>((resolve, reject) => {
        this.jobs.set(job, { first: rest.tasks[0]?.[0] ?? '', heard, resolve, reject })
        this.tell({ job, ...rest })
        signal.addEventListener('abort', stop)
        this.executors.look()
      })
      // Its workers may have ended before Spark has ended the job.
      signal.throwIfAborted()
    } catch (error) {
      throw signal.aborted ? signal.reason : error
    } finally {
      signal.removeEventListener('abort', stop)
      this.jobs.delete(job)
      this.executors.look()
    }
  }

  /** Ends the workers of a group; resolves when they are gone. */
  async dismiss(group: string): Promise<void> {
    if (!this.isThere) return
    const done = new Promise<void>((resolve) => this.dismissing.set(`${group}/`, resolve))
    this.tell({ dismiss: `${group}/` })
    await Promise.race([done, this.gone])
  }

  /** Ends Spark and all of its workers; resolves when they are gone. */
  async end(): Promise<void> {
    this.isEnding = true
    this.child.stdin?.end()
    const timer = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE)
    await this.gone
    clearTimeout(timer)
  }

  private async begin(settings: RunnerSettings): Promise<void> {
    const answer = new Promise<Message>((resolve, reject) => {
      this.answered = resolve
      this.gone.then(reject)
    })
    this.tell(settings)
    const message = await answer
    if ('missing' in message) throw missingError(message.missing, message.message, this.python)
    if ('ready' in message) this.slots = message.ready.slots ?? undefined
  }

  private saidLine(line: string): void {
    const message = messageIn(line)
    if (message) this.said(message)
    else this.wrote(line)
  }

  private wrote(line: string): void {
    this.lastLines.push(line)
    if (this.lastLines.length > LAST_LINES) this.lastLines.shift()
  }

  private said(message: Message): void {
    if ('executors' in message) this.executors.are(message.executors)
    else if ('gone' in message) this.why = message.gone
    else if ('dismissed' in message) this.dismissing.get(message.dismissed)?.()
    else if ('job' in message) this.saidOf(message, this.jobs.get(message.job))
    else this.answered(message)
  }

  private saidOf(message: OfJob, job: Job | undefined): void {
    if ('line' in message) job?.heard(message.task, message.place, message.line)
    else if ('ended' in message) job?.resolve()
    else job?.reject(new WorkerGone('engine', lossOf(message.failed)))
  }

  /** Says what is about all jobs; one of them hears it. */
  private tellOnce(text: string): void {
    const [job] = this.jobs.values()
    job?.heard(job.first, 'Spark', encodeLine({ log: { text } }).trimEnd())
  }

  /** Jobs do not wait any longer. */
  private giveUp(error: Error): void {
    const waiting = [...this.jobs]
    // None of them looks for executors any more, and gives the others up again.
    this.jobs.clear()
    for (const [cancel, { reject }] of waiting) {
      this.tell({ cancel })
      reject(error)
    }
  }

  private tell(message: object): void {
    this.child.stdin?.write(`${JSON.stringify(message)}\n`)
  }

  private details(): { hint?: string } {
    const last = this.lastLines.filter((line) => !/^\s*at |WARN|INFO/.test(line)).slice(-5)
    return last.length > 0 ? { hint: `It wrote:\n${last.join('\n')}` } : {}
  }
}

/** What it says in a line; `undefined` for what Python itself may print when it starts. */
function messageIn(line: string): Message | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function noPython(child: ChildProcess, program: string): Promise<MoraineError> {
  const hint =
    'Install Python 3.9 or later with pip install "pyspark[sql]>=3.5", or set MORAINE_PYTHON to the Python that has it.'
  return new Promise((resolve) =>
    child.once('error', (cause) =>
      resolve(
        new MoraineError('usage', `Spark needs Python, and ${program} does not start`, {
          cause,
          hint,
        }),
      ),
    ),
  )
}
