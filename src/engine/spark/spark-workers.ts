import { randomUUID } from 'node:crypto'
import { type Answer, AttemptedTasks, type Mapping } from '../workers/attempted-tasks.js'
import {
  encodeLine,
  type Hello,
  howFar,
  readWorkerLine,
  refusalOf,
  refusedBy,
} from '../workers/protocol.js'
import { WorkerGone } from '../workers/worker-process.js'
import type { WorkerTask } from '../workers/workers.js'
import type { Spark } from './spark.js'

export interface SparkWorkersOptions {
  /** What starts a worker, where executors run on this machine. */
  command?: readonly string[] | undefined
  /** Tasks at the same time; as many as Spark says without it. */
  slots?: number | undefined
  hello: Hello
  /** How often a task is tried that gets no answer. */
  attempts?: number | undefined
  /** Milliseconds without a word of a job after which that is told. */
  silence?: number | undefined
}

/** Tasks that one job of Spark has at most; small ones share it, as each job takes its time. */
const JOB_TASKS = 64
/** Tasks beyond the slots that are taken for that. */
const AHEAD = 128
/** Milliseconds of a job below which the next has more tasks, and above which it has fewer. */
const [SHORT, LONG] = [5000, 20_000]

/** As long may a cluster take to find an executor. */
const SILENCE = 30_000

/** What the runner says in the place of a worker that can't. */
const VANISHED = '{"vanished": true}'

/** A task that waits for its attempt. */
interface Waiting extends Mapping {
  task: WorkerTask
  attempt: number
  resolve: (answer: Answer) => void
  reject: (error: unknown) => void
}

/** Has tasks carried out by workers on a cluster of Spark, which schedules them. */
export class SparkWorkers extends AttemptedTasks {
  private readonly waiting: Waiting[] = []
  private running = 0
  private together = 1
  private readonly group = randomUUID()

  /** @param spark is there for others as well, and stays when these are closed. */
  constructor(
    protected readonly spark: Spark,
    private readonly options: SparkWorkersOptions,
  ) {
    const slots = options.slots ?? spark.slots
    super(slots, slots + Math.min(AHEAD, slots * (JOB_TASKS - 1)), options.attempts)
  }

  protected async end(): Promise<void> {
    await this.spark.dismiss(this.group)
  }

  protected attempt(task: WorkerTask, attempt: number, mapping: Mapping): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ task, attempt, ...mapping, resolve, reject })
      this.startJobs()
    })
  }

  private startJobs(): void {
    while (this.running < this.slots) {
      const job = this.nextJob()
      if (job.length === 0) return
      this.running++
      this.carryOutJob(job).finally(() => {
        this.running--
        this.startJobs()
      })
    }
  }

  /** Tasks of one `map`, so that they end together where it is cancelled. */
  private nextJob(): Waiting[] {
    const [first] = this.waiting
    if (!first) return []
    // None waits behind others while a slot is free.
    const most = Math.min(this.together, Math.ceil(this.waiting.length / this.slots))
    const job = this.waiting.filter(({ signal }) => signal === first.signal).slice(0, most)
    for (const one of job) this.waiting.splice(this.waiting.indexOf(one), 1)
    return job
  }

  private async carryOutJob(job: readonly Waiting[]): Promise<void> {
    const [{ signal }] = job as [Waiting]
    const silent = this.tellSilence(job)
    const byId = new Map(job.map((one) => [one.task.id, one]))
    const { hello, command } = this.options
    const tasks = job.map(({ task: { id, text }, attempt }) => {
      const line = encodeLine({ task: { id, attempt, text } })
      return [id, line.trimEnd()] as const
    })
    const begin = performance.now()
    try {
      const first = encodeLine({ hello }).trimEnd()
      const asked = { group: this.group, hello: first, command, tasks }
      await this.spark.job(asked, signal, (id, place, line) => {
        clearTimeout(silent)
        const one = byId.get(id)
        if (one) this.heard(one, place, line)
      })
      this.learn(job.length, performance.now() - begin)
      for (const { task, reject } of job)
        reject(new WorkerGone('engine', `Spark gave no answer of ${task.id}`))
    } catch (error) {
      // To who has an answer already this says nothing.
      for (const { reject } of job) reject(error)
    } finally {
      clearTimeout(silent)
    }
  }

  /** A job waits for as long as a cluster has no room for it, and says nothing of that. */
  private tellSilence([first]: readonly Waiting[]): NodeJS.Timeout {
    const silence = this.options.silence ?? SILENCE
    return setTimeout(() => {
      const text = `Spark has begun no task of a job for ${silence / 1000} s: its cluster may have no executor that is free (its web UI says which there are), or executors may not reach this machine`
      first?.onEvent({ type: 'log', text, where: 'Spark', task: first.task.id })
    }, silence)
  }

  /** Small tasks share jobs. */
  private learn(tasks: number, took: number): void {
    if (took > LONG) this.together = Math.max(1, Math.floor(tasks / 2))
    else if (took < SHORT && tasks === this.together) this.together = Math.min(JOB_TASKS, 2 * tasks)
  }

  private heard(one: Waiting, where: string, line: string): void {
    const { task, attempt, onEvent, resolve, reject } = one
    const { id } = task
    const message = readWorkerLine(line)
    const lost = lossIn(line)
    if (line === '') onEvent({ type: 'started', task: id, attempt, where })
    else if (line === VANISHED) onEvent({ type: 'vanished', task: id, attempt, where })
    else if (lost !== undefined) reject(new WorkerGone('engine', lost))
    else if (message === undefined) onEvent({ type: 'log', text: line, where, task: id })
    else if ('log' in message) onEvent({ type: 'log', text: message.log.text, where, task: id })
    else if ('refused' in message) reject(refusedBy(message.refused))
    else if ('ready' in message) {
      const refusal = refusalOf(this.options.hello, message.ready)
      const { machine, duckdb } = message.ready
      if (refusal) reject(refusal)
      else if (machine) onEvent({ type: 'ready', where: message.ready.where, duckdb, machine })
    } else if ('progress' in message && message.progress.id === id)
      onEvent({ type: 'progress', task: id, ...howFar(message.progress) })
    else if ('reply' in message && message.reply.id === id && message.reply.attempt === attempt)
      resolve({ reply: message.reply.text, where })
  }
}

/** How a worker ended, as the runner says in its place. */
function lossIn(line: string): string | undefined {
  if (!line.startsWith('{"lost":')) return undefined
  try {
    return String(JSON.parse(line).lost)
  } catch {
    return line
  }
}
