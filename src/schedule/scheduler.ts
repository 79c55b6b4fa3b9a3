import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { fullName } from '../define/dataset.js'
import { millisecondsOf } from '../define/interval.js'
import { lastTime } from '../define/schedule.js'
import { messageOf } from '../errors.js'
import type { LakeState } from '../log/commit.js'
import type { Job } from '../plan/jobs.js'
import { abortController, anySignal } from '../signals.js'
import { keyOf } from '../source/database/open.js'
import type { RunRecord } from '../step/events.js'
import { backoff } from '../storage/retry.js'
import type { Storage } from '../storage/storage.js'
import { Lease, pausedJobs } from './leases.js'

/** What makes a job run. */
export type Cause = 'schedule' | 'event' | 'upstream' | 'retry'

export type ScheduleEvent =
  | { type: 'job-started'; job: string; cause: Cause; attempt: number }
  | {
      type: 'job-finished'
      job: string
      record: RunRecord
      attempt: number
      /** It is tried again. */
      again: boolean
      timedOut: boolean
    }
  | { type: 'job-failed'; job: string; message: string; again: boolean }
  | { type: 'job-lost'; job: string }
  | { type: 'warning'; message: string }

export interface SchedulerOptions {
  storage: Storage
  jobs: readonly Job[]
  /** Runs the datasets of a job. */
  run: (job: Job, signal: AbortSignal, cause: Cause) => Promise<RunRecord>
  /** The lake as it is now; asked only where a job runs after others. */
  head: () => Promise<LakeState>
  /** Jobs that run at the same time; 1. */
  concurrency?: number
  onEvent: (event: ScheduleEvent) => void
  now?: () => Date
  /** Milliseconds between two looks at the clock; 500. */
  interval?: number
  /** Whether storage is there; without it, it is taken to be. */
  health?: StorageWatch
}

/**
 * What a scheduler asks about the lake's storage: while it is away no job begins, and no failure
 * counts.
 */
export interface StorageWatch {
  readonly isSound: boolean
  /** Whether storage answers now, after something has failed. */
  answers(error: unknown): Promise<boolean>
  /** Resolves when it does, or when it is aborted. */
  sound(signal?: AbortSignal): Promise<void>
}

const alwaysThere: StorageWatch = {
  isSound: true,
  answers: async () => true,
  sound: async () => {},
}

/** Milliseconds between two looks at what other processes and people have done. */
const LOOK_AROUND = 2000
/** The same where each look is paid for. */
const LOOK_AROUND_BUCKET = 15_000
const RETRIES = 3
const BACKOFF = '10s'
/** Milliseconds after which a job is asked for again that another process is at. */
const BUSY = 1000
/** Milliseconds after which one is, at most, that can't even begin. */
const LONGEST_BUSY = 60_000
/** How often what a run did is noted, where that fails. */
const RELEASES = 5
/** Kinds of failures that another attempt does not change. */
const LASTING = ['definition', 'usage', 'corrupt', 'limit']

interface Waiting {
  job: Job
  lease: Lease
  running: boolean
  /** Something has arrived since the last run began. */
  dirty: boolean
  /** When it is considered again: another process is at it, or it could not begin. */
  busyUntil: number
  /** How often in a row it could not begin. */
  failures: number
}

/** Why a job is to run now. */
interface Due {
  cause: Cause
  /** The time of its schedule that is meant. */
  slot?: Date
  /** The versions of what it runs after. */
  seen?: string
}

/**
 * Runs jobs when they are due. Several schedulers may share a lake: of each job one of them takes
 * each turn.
 */
export class Scheduler {
  private readonly waiting: Waiting[]
  private readonly stopped = abortController()
  private readonly started: Date
  private readonly now: () => Date
  private active = 0
  private loop: Promise<void> | undefined
  private readonly runs = new Set<Promise<void>>()
  private paused = new Set<string>()
  /** Jobs that read a database now, by what tells it from others. */
  private readonly reading = new Map<unknown, number>()
  private versions: LakeState | undefined
  private askedVersions = 0
  private lookedAround = Number.NEGATIVE_INFINITY
  private wake = () => {}

  constructor(private readonly options: SchedulerOptions) {
    this.now = options.now ?? (() => new Date())
    this.started = this.now()
    this.waiting = options.jobs.map((job) => ({
      job,
      lease: new Lease(options.storage, job.name, () => this.now().getTime()),
      running: false,
      dirty: false,
      busyUntil: 0,
      failures: 0,
    }))
  }

  /** Says that something has arrived for a job. */
  notify(name: string): void {
    const found = this.waiting.find(({ job }) => job.name === name)
    if (!found) return
    found.dirty = true
    this.wake()
  }

  /** Whether a job runs in this process now. */
  isRunning(name: string): boolean {
    return this.waiting.some(({ job, running }) => job.name === name && running)
  }

  /** The last success of each job that is known. */
  get successes(): ReadonlyMap<string, Date> {
    return new Map(
      this.waiting.flatMap(({ job, lease }) =>
        lease.last.succeeded ? [[job.name, new Date(lease.last.succeeded)] as const] : [],
      ),
    )
  }

  start(): void {
    this.loop ??= this.work()
  }

  /** Starts nothing more, stops what runs, and resolves when nothing does. */
  async stop(): Promise<void> {
    this.stopped.abort()
    this.wake()
    await this.loop
    await Promise.all(this.runs)
  }

  private async work(): Promise<void> {
    while (!this.stopped.signal.aborted) {
      if (this.health.isSound) await this.lookAround().catch((error) => this.failed(error))
      for (const waiting of this.waiting) this.consider(waiting)
      const woken = new Promise<void>((resolve) => {
        this.wake = resolve
      })
      await Promise.race([woken, sleep(this.options.interval ?? 500)])
    }
  }

  private get health(): StorageWatch {
    return this.options.health ?? alwaysThere
  }

  /** Tells what went wrong, unless storage is away: that is told of once, for all. */
  private async failed(error: unknown): Promise<void> {
    if (await this.health.answers(error))
      this.options.onEvent({ type: 'warning', message: messageOf(error) })
  }

  /** What others did: pauses, runs of other processes, new versions of datasets. */
  private async lookAround(): Promise<void> {
    await this.lookAtVersions()
    const now = this.now().getTime()
    const bucket = this.options.storage.url.startsWith('s3://')
    if (Math.abs(now - this.lookedAround) < (bucket ? LOOK_AROUND_BUCKET : LOOK_AROUND)) return
    const first = this.lookedAround === Number.NEGATIVE_INFINITY
    this.lookedAround = now
    this.paused = await pausedJobs(this.options.storage)
    for (const { lease, running } of this.waiting) if (!running || first) await lease.look()
  }

  private async lookAtVersions(): Promise<void> {
    const now = this.now().getTime()
    const asked = this.waiting.some(({ job }) => job.schedule?.kind === 'after')
    if (!asked || (this.versions && Math.abs(now - this.askedVersions) < LOOK_AROUND)) return
    this.askedVersions = now
    this.versions = await this.options.head()
  }

  private consider(waiting: Waiting): void {
    const { job } = waiting
    const now = this.now().getTime()
    if (waiting.running || this.paused.has(job.name) || this.stopped.signal.aborted) return
    if (this.active >= (this.options.concurrency ?? 1) || !this.health.isSound) return
    // A clock that was put back does not make the pause longer.
    if (now < waiting.busyUntil && waiting.busyUntil - now <= LONGEST_BUSY) return
    if (!this.sourcesAreFree(job)) return
    const due = this.due(waiting)
    if (!due) return
    waiting.running = true
    this.active++
    const sources = sourcesOf(job)
    for (const { key } of sources) this.reading.set(key, (this.reading.get(key) ?? 0) + 1)
    const run = this.take(waiting, due).finally(() => {
      waiting.running = false
      this.active--
      // What it changed may be what others wait for.
      this.versions = undefined
      for (const { key } of sources) this.reading.set(key, (this.reading.get(key) ?? 1) - 1)
      this.runs.delete(run)
      this.wake()
    })
    this.runs.add(run)
  }

  private sourcesAreFree(job: Job): boolean {
    return sourcesOf(job).every(({ key, limit }) => (this.reading.get(key) ?? 0) < limit)
  }

  /** Whether a job is to run now, and for which time of its schedule. */
  private due(waiting: Waiting): Due | undefined {
    const { job, lease, dirty } = waiting
    const slot = this.slotOf(job, lease)
    if (slot) return { cause: 'schedule', slot }
    if (dirty) return { cause: 'event' }
    if (job.schedule?.kind === 'after' && this.versions) {
      const seen = versionsOf(job, this.versions)
      if (seen !== null && seen !== lease.last.seen) return { cause: 'upstream', seen }
    }
    return undefined
  }

  private slotOf({ name, schedule }: Job, lease: Lease): Date | undefined {
    if (schedule?.kind !== 'cron' && schedule?.kind !== 'every') return undefined
    const { missed = 'run', jitter } = schedule.policy
    const { slot } = lease.last
    // A job that never ran runs at once, unless what was missed is left out.
    if (slot === null && missed === 'run') return this.started
    const begin = missed === 'skip' ? this.started : new Date(0)
    // A time that lies ahead was run by a clock that was wrong.
    const known = slot === null ? 0 : Date.parse(slot)
    const before = known > this.now().getTime() ? this.started.getTime() : known
    const since = new Date(Math.max(begin.getTime(), before))
    const last = lastTime(schedule, since, this.now())
    if (!last || !jitter) return last
    const part = createHash('sha256')
      .update(`${name} ${last.toISOString()}`)
      .digest()
      .readUInt16BE()
    const from = last.getTime() + (part / 65_536) * millisecondsOf(jitter)
    return this.now().getTime() >= from ? last : undefined
  }

  private async take(waiting: Waiting, due: Due): Promise<void> {
    const { job, lease } = waiting
    try {
      if (!(await lease.acquire())) {
        waiting.busyUntil = this.now().getTime() + BUSY
        return
      }
      // Another process may have been quicker.
      const slot = lease.last.slot === null ? 0 : Date.parse(lease.last.slot)
      if (due.slot && slot >= due.slot.getTime() && slot <= this.now().getTime())
        return await lease.release({})
      waiting.dirty = false
      const ok = await this.attempts(waiting, due.cause)
      const ended = this.now()
      const queued = job.schedule?.policy.overlap === 'queue'
      const passed = queued ? due.slot : lastSlot(job, due.slot, ended)
      waiting.failures = 0
      await this.release(lease, {
        ...(passed ? { slot: passed.toISOString() } : {}),
        ...(due.seen === undefined ? {} : { seen: due.seen }),
        ...(ok ? { succeeded: ended.toISOString(), failed: null } : {}),
        ...(ok || this.stopped.signal.aborted ? {} : { failed: ended.toISOString() }),
      })
    } catch (error) {
      waiting.dirty ||= job.event
      const answers = await this.health.answers(error)
      const pause = answers ? backoff(waiting.failures++, BUSY, LONGEST_BUSY) : 0
      waiting.busyUntil = this.now().getTime() + pause
      if (!answers) return
      this.options.onEvent({
        type: 'job-failed',
        job: job.name,
        message: messageOf(error),
        again: true,
      })
    }
  }

  /**
   * Notes what was done, also where storage goes away at that moment: it would be done once more
   * otherwise.
   */
  private async release(lease: Lease, done: Parameters<Lease['release']>[0]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await lease.release(done)
      } catch (error) {
        if (attempt >= RELEASES || this.stopped.signal.aborted) throw error
        if (await this.health.answers(error)) await sleep(backoff(attempt, 100))
        else await this.health.sound(this.stopped.signal)
      }
    }
  }

  /** Runs a job until it succeeds or has failed often enough. */
  private async attempts({ job, lease }: Waiting, cause: Cause): Promise<boolean> {
    const { backoff = BACKOFF } = job.schedule?.policy ?? {}
    const lost = abortController()
    const letGo = lease.keep(() => {
      lost.abort()
      this.options.onEvent({ type: 'job-lost', job: job.name })
    })
    const ended = anySignal([this.stopped.signal, lost.signal])
    try {
      for (let attempt = 0; ; attempt++) {
        const { ok, again, away, kinds } = await this.attempt(job, cause, attempt, ended)
        if (!again) return ok
        if (away) {
          // Such an attempt does not count.
          attempt--
          await this.health.sound(ended)
          if (ended.aborted) return false
          continue
        }
        // Whoever was quicker has done it by now.
        const pause = kinds.includes('conflict') ? 0 : millisecondsOf(backoff) * 2 ** attempt
        await sleep(pause, undefined, { signal: ended }).catch(() => {})
      }
    } finally {
      await letGo()
    }
  }

  /** Runs a job once: whether that was all right, and else whether it is run again. */
  private async attempt(job: Job, cause: Cause, attempt: number, ended: AbortSignal) {
    const { onEvent, run } = this.options
    const { retries = RETRIES, timeout } = job.schedule?.policy ?? {}
    const late = timeout ? AbortSignal.timeout(millisecondsOf(timeout)) : undefined
    const why = attempt === 0 ? cause : 'retry'
    onEvent({ type: 'job-started', job: job.name, cause: why, attempt })
    const record = await run(job, anySignal([ended, ...(late ? [late] : [])]), cause)
    const ok = record.outcome === 'done'
    const kinds = errorsOf(record)
    // What is held back waits for somebody, and what failed beside it is tried again.
    const isHeld = kinds.length > 0 && kinds.every((kind) => kind === 'held')
    const final = isHeld || kinds.some((kind) => LASTING.includes(kind))
    const isOver = ended.aborted
    // While storage is away nothing that a job does can help.
    const away =
      !ok &&
      !isOver &&
      kinds.includes('storage') &&
      !(await this.health.answers(new Error(`${job.name} could not reach the storage`)))
    const again = !ok && !isOver && (away || (!final && attempt < retries))
    const timedOut = late?.aborted === true && !isOver
    onEvent({ type: 'job-finished', job: job.name, record, attempt, again, timedOut })
    return { ok, again, away, kinds }
  }
}

/** The databases that a job reads, and how many jobs may at the same time. */
function sourcesOf({ datasets }: Job): { key: unknown; limit: number }[] {
  const found = new Map<unknown, number>()
  for (const dataset of datasets) {
    if (dataset.tier !== 'bronze') continue
    const source = dataset.from.kind === 'inbox' ? dataset.from.feed : dataset.from
    if (source?.kind !== 'database') continue
    found.set(keyOf(source), source.connection.concurrency ?? Number.POSITIVE_INFINITY)
  }
  return [...found].map(([key, limit]) => ({ key, limit }))
}

const errorsOf = ({ steps, error }: RunRecord): string[] =>
  [...steps.map((step) => step.error?.kind), error?.kind].filter((kind) => kind !== undefined)

/** The last time of a schedule that is over: what passed during the run is left out. */
function lastSlot({ schedule }: Job, slot: Date | undefined, ended: Date): Date | undefined {
  if (!slot || !schedule) return slot
  return lastTime(schedule, slot, ended) ?? slot
}

/** The versions of the datasets that a job runs after; `null` when one of them is not there yet. */
function versionsOf({ schedule }: Job, state: LakeState): string | null {
  if (schedule?.kind !== 'after') return null
  const found = schedule.datasets.map((dataset) => {
    const name = fullName(dataset)
    return dataset.tier === 'bronze'
      ? state.batches[name]?.at(-1)?.batch
      : state.tables[name]?.metadata
  })
  return found.every((version) => version !== undefined) ? JSON.stringify(found) : null
}
