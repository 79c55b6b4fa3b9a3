import { type FSWatcher, watch } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Arrivals } from '../bronze/inbox/landed.js'
import { fullName } from '../define/dataset.js'
import { secondsOf } from '../define/interval.js'
import type { Lake } from '../define/lake.js'
import type { AnyDataset, Bronze } from '../define/model.js'
import type { Engine } from '../engine/engine.js'
import { messageOf } from '../errors.js'
import { CommitLog } from '../log/log.js'
import { quarantinedIn } from '../log/quarantined.js'
import { type Job, jobsOf } from '../plan/jobs.js'
import { runLake } from '../run/execute.js'
import { lineageTarget, OpenLineage } from '../run/openlineage.js'
import type { RunOptions } from '../run/options.js'
import { type Cause, type ScheduleEvent, Scheduler } from '../schedule/scheduler.js'
import { abortController } from '../signals.js'
import type { TryApart } from '../step/context.js'
import type { RunEvent, RunRecord } from '../step/events.js'
import type { JavaScript } from '../step/javascript.js'
import type { Storage } from '../storage/storage.js'
import { type AlertMessage, tell } from './alerts.js'
import { EnginePool } from './engine-pool.js'
import { Metrics } from './metrics.js'
import { listenTo } from './queue.js'
import { type HealthEvent, StorageHealth } from './storage-health.js'

export type DaemonEvent =
  | ScheduleEvent
  | HealthEvent
  /** What should be known of what a dataset's source holds; each of them is told once. */
  | { type: 'notes'; dataset: string; notes: string[] }
  | { type: 'run'; job: string; run: string; event: RunEvent }
  | { type: 'alert'; alert: AlertMessage }

export interface DaemonOptions {
  lake: Lake
  storage: Storage
  /** The same storage, of which calls fail at once. */
  impatient?: Storage
  startEngine: () => Promise<Engine>
  javascript: JavaScript
  /** Reads objects at which processes ended in processes of their own. */
  tryApart?: TryApart
  /** Jobs that run at the same time. */
  concurrency: number
  /** Milliseconds between two looks for what has arrived without a sign. */
  sweep: number
  onEvent: (event: DaemonEvent) => void
}

/** Milliseconds between two looks whether datasets are stale. */
const STALE_EVERY = 10_000
/** Milliseconds between two looks at a file that is being written. */
const LONGEST_WAIT = 2000
/** Milliseconds after which people are told that storage is away. */
const ALERT_AFTER = 10_000
/** Notes of one dataset that are remembered. */
const REMEMBERED = 1000

const lookFor = (job: string): string => `check for new data of ${job}`

/** Keeps a lake up to date for as long as the process lives. */
export class Daemon {
  readonly jobs: readonly Job[]
  readonly metrics = new Metrics()
  private readonly scheduler: Scheduler
  private readonly engines: EnginePool
  private readonly arrivals: { job: string; queue: string | undefined; arrivals: Arrivals }[]
  private readonly closing: (() => void)[] = []
  /** Ends what watches folders; it begins again with the next look. */
  private readonly watching: (() => void)[] = []
  private watched: Promise<unknown> | undefined
  /** Jobs, datasets and checks that somebody was told of. */
  private readonly alerted = new Set<string>()
  private readonly leftBehind = new Set<string>()
  private readonly noted = new Map<string, Set<string>>()
  /** What is wrong now, by what it is about: each is told when it begins. */
  private readonly warnings = new Map<string, string>()
  readonly health: StorageHealth
  private readonly ended = abortController()
  private readonly started = Date.now()

  constructor(private readonly options: DaemonOptions) {
    const { lake, storage, concurrency, onEvent } = options
    this.jobs = jobsOf(lake)
    this.engines = new EnginePool(options.startEngine)
    this.health = new StorageHealth(options.impatient ?? storage, (event) => this.changed(event))
    this.metrics.storage(true)
    const log = new CommitLog(storage)
    const head = () => log.head()
    this.arrivals = this.jobs.flatMap(({ name, event, datasets }) => {
      const root = datasets.find((dataset) => fullName(dataset) === name) as Bronze
      if (!event) return []
      const queue = root.from.kind === 'inbox' ? root.from.queue : undefined
      return [{ job: name, queue, arrivals: new Arrivals(storage, root, head) }]
    })
    this.scheduler = new Scheduler({
      storage,
      jobs: this.jobs,
      concurrency,
      head,
      health: this.health,
      run: (job, signal, cause) => this.run(job, signal, cause),
      onEvent: (event) => {
        onEvent(event)
        this.follow(event)
      },
    })
  }

  /** The metrics, with what the lake says of its quarantine where its storage is there. */
  async metricsText(): Promise<string> {
    if (this.health.state.up) {
      const { impatient, storage } = this.options
      const state = await new CommitLog(impatient ?? storage).head().catch(() => undefined)
      if (state) this.metrics.quarantine(quarantinedIn(state))
    }
    return this.metrics.text()
  }

  /** Makes and watches the folders that files are dropped into; resolves once each was tried. */
  watchFolders(): Promise<unknown> {
    this.watched ??= Promise.all(
      this.arrivals.map(({ job, arrivals }) =>
        arrivals.path === undefined ? undefined : this.watch(job, arrivals.path, arrivals),
      ),
    )
    return this.watched
  }

  /** Begins to look, and to run; what does not work yet is tried again. */
  start(): void {
    void this.watchFolders()
    for (const { job, queue, arrivals } of this.arrivals) {
      if (queue !== undefined) this.listen(job, queue)
      // Each by itself: a bucket that does not answer keeps no other inbox waiting.
      this.repeat(lookFor(job), this.options.sweep, () => this.sweep(job, arrivals))
    }
    this.repeat('find stale datasets', STALE_EVERY, () => this.findStale())
    this.scheduler.start()
  }

  /** Hears of files as they come. Without that there are still the sweeps. */
  private watch(job: string, path: string, arrivals: Arrivals): Promise<void> {
    let watcher: FSWatcher | undefined
    const about = `watch ${path}`
    const end = () => {
      watcher?.close()
      watcher = undefined
    }
    const begin = async () => {
      if (watcher || !this.health.isSound) return
      await mkdir(path, { recursive: true })
      watcher = watch(path, this.attend(job, arrivals))
      watcher.on('error', (error) => {
        end()
        this.warn(about, error)
      })
    }
    this.watching.push(end)
    this.closing.push(end)
    return this.repeat(about, this.options.sweep, begin)
  }

  private listen(job: string, queue: string): void {
    const stop = abortController()
    this.closing.push(() => stop.abort())
    const warn = (error: unknown) => this.warn(`listen to ${queue}`, error)
    const heard = () => {
      this.warnings.delete(`listen to ${queue}`)
      this.scheduler.notify(job)
    }
    listenTo(queue, heard, warn, stop.signal).catch(warn)
  }

  /** Says that something has arrived for a dataset. */
  notify(dataset: string): void {
    this.scheduler.notify(dataset)
  }

  /** Stops what runs, after its step, and resolves when nothing does. */
  async stop(): Promise<void> {
    for (const close of this.closing.splice(0)) close()
    await this.scheduler.stop()
  }

  async close(): Promise<void> {
    this.health.close()
    this.ended.abort()
    await this.engines.close()
  }

  /** Runs datasets once, beside the jobs. */
  runNow(datasets: readonly AnyDataset[], signal?: AbortSignal): Promise<RunRecord> {
    return this.runOne(datasets, signal ? { signal } : {})
  }

  /** Runs datasets in one of the daemon's engines. */
  private runOne(
    datasets: readonly AnyDataset[],
    options: Partial<RunOptions>,
  ): Promise<RunRecord> {
    const { lake, storage, javascript, tryApart } = this.options
    return this.engines.use((engine) =>
      runLake(lake, {
        storage,
        engine,
        ownEngine: true,
        javascript,
        ...(tryApart ? { tryApart } : {}),
        leftBehind: this.leftBehind,
        select: datasets.map(fullName),
        ...options,
      }),
    )
  }

  private async run(job: Job, signal: AbortSignal, cause: Cause): Promise<RunRecord> {
    const { lake, storage, onEvent } = this.options
    let run = ''
    const target = lineageTarget()
    const lineage = target && new OpenLineage(target, { name: lake.name, url: storage.url })
    const record = await this.runOne(job.datasets, {
      signal,
      // Files that arrive are no reason to ask databases sooner than they are scheduled.
      feeds: cause !== 'event',
      onEvent: (event) => {
        if (event.type === 'run-started') run = event.run
        if (event.type === 'step-finished')
          this.note(event.result.dataset, event.result.notes ?? [])
        onEvent({ type: 'run', job: job.name, run, event })
        lineage?.event(event)
      },
    })
    this.metrics.run(job.name, record)
    const problem = await lineage?.close()
    if (problem) this.warn('send lineage', new Error(problem))
    else this.warnings.delete('send lineage')
    return record
  }

  private async sweep(job: string, arrivals: Arrivals): Promise<void> {
    // What a run is at is nothing that has arrived since.
    if (this.scheduler.isRunning(job) || !this.health.isSound) return
    const { ready, notes } = await arrivals.look()
    this.note(job, notes)
    if (ready && !this.scheduler.isRunning(job)) this.scheduler.notify(job)
  }

  /** What is done at a sign that a file is there: it is waited for until it is complete. */
  private attend(job: string, arrivals: Arrivals): (_: string, name: string | null) => void {
    let notifications = 0
    const wait = async () => {
      for (let pause = arrivals.settle; notifications > 0; ) {
        const before = notifications
        await sleep(pause)
        // What a run is at is nothing that has arrived since.
        if (this.scheduler.isRunning(job)) continue
        const { ready, unfinished } = await arrivals.look()
        if (ready && !this.scheduler.isRunning(job)) this.scheduler.notify(job)
        if (!unfinished && notifications === before) notifications = 0
        // A file that is written for long is not asked about all the time.
        pause = notifications === before ? Math.min(pause * 2, LONGEST_WAIT) : arrivals.settle
      }
    }
    return (_, name) => {
      // What is hidden is Moraine's own, or is not meant to be seen.
      if (name?.startsWith('.')) return
      if (notifications++ === 0)
        wait().catch((error) => {
          notifications = 0
          this.failed(lookFor(job), error)
        })
    }
  }

  /**
   * Does something at once, and again each so many milliseconds, however it ends; resolves when it
   * was done, or has failed, for the first time.
   */
  private repeat(about: string, milliseconds: number, work: () => Promise<void>): Promise<void> {
    let busy = false
    const one = async () => {
      if (busy) return
      busy = true
      await work()
        .then(
          () => this.warnings.delete(about),
          (error) => this.failed(about, error),
        )
        .finally(() => {
          busy = false
        })
    }
    const first = one()
    const timer = setInterval(one, milliseconds)
    this.closing.push(() => clearInterval(timer))
    return first
  }

  /** Storage has gone away, or come back. */
  private changed(event: HealthEvent): void {
    this.options.onEvent(event)
    this.metrics.storage(event.type === 'storage-up')
    const job = 'storage'
    if (event.type === 'storage-up') {
      // A disk that was mounted anew has other folders of the same names.
      for (const end of this.watching) end()
      if (this.alerted.delete('failed storage'))
        this.send({ on: 'recovered', job, message: `it was unavailable for ${event.seconds} s` })
      return
    }
    // What is over in a moment is nothing that anybody could do something about.
    const timer = setTimeout(() => {
      const { state } = this.health
      if (state.up || state.since !== event.since) return
      this.alertOnce('failed storage', { on: 'failed', job, message: state.message })
    }, ALERT_AFTER)
    timer.unref()
    this.closing.push(() => clearTimeout(timer))
  }

  /** Says what should be known of a dataset, each time only what was not said before. */
  private note(dataset: string, notes: readonly string[]): void {
    const known = this.noted.get(dataset) ?? new Set()
    const fresh = notes.filter((note) => !known.has(note))
    if (fresh.length === 0) return
    if (known.size > REMEMBERED) known.clear()
    for (const note of fresh) known.add(note)
    this.noted.set(dataset, known)
    this.options.onEvent({ type: 'notes', dataset, notes: fresh })
  }

  /** Tells people what a run found, once until it is over. */
  private follow(event: ScheduleEvent): void {
    if (event.type !== 'job-finished' || event.again) return
    const { job, record, timedOut } = event
    const failed = record.steps.find(({ error }) => error)
    const { message = record.error?.message, hint } = failed?.error ?? {}
    const way = failed?.outcome === 'held' ? `. ${hint}` : ''
    if (record.outcome === 'failed' || timedOut)
      this.alertOnce(`failed ${job}`, {
        on: 'failed',
        job,
        ...(failed ? { dataset: failed.dataset } : {}),
        run: record.run,
        message: timedOut
          ? 'it was stopped because it took too long'
          : `${message ?? 'it failed'}${way}`,
      })
    else if (record.outcome === 'done' && this.alerted.delete(`failed ${job}`))
      this.send({ on: 'recovered', job, run: record.run, message: 'it succeeded again' })
    for (const { dataset, quarantine } of record.steps)
      for (const { id, name, reason, failures, held } of quarantine?.objects ?? [])
        if (failures === 1 || held)
          this.alertOnce(`quarantined ${id} ${held}`, {
            on: 'quarantined',
            job,
            dataset,
            run: record.run,
            message: `${name} could not be read: ${reason}; ${held ? `it stays in quarantine: moraine quarantine show ${id}` : 'it will be retried'}`,
          })
    for (const { dataset, checks = [] } of record.steps)
      for (const { check, passed, severity, message: found = check } of checks) {
        if (severity !== 'warn') continue
        const key = `warned ${dataset} ${check}`
        if (passed) this.alerted.delete(key)
        else this.alertOnce(key, { on: 'warned', job, dataset, run: record.run, message: found })
      }
  }

  /** Datasets that were not brought up to date for longer than they say. */
  private async findStale(): Promise<void> {
    const { successes } = this.scheduler
    for (const { name, datasets } of this.jobs)
      for (const dataset of datasets) {
        const { freshWithin } = dataset.about
        if (freshWithin === undefined) continue
        const last = successes.get(name)?.getTime() ?? this.started
        const key = `stale ${fullName(dataset)}`
        if (Date.now() - last <= (secondsOf(freshWithin) as number) * 1000) this.alerted.delete(key)
        else
          this.alertOnce(key, {
            on: 'stale',
            job: name,
            dataset: fullName(dataset),
            message: `it was last updated ${new Date(last).toISOString()}, longer ago than ${freshWithin}`,
          })
      }
  }

  private alertOnce(key: string, alert: Omit<AlertMessage, 'lake' | 'time'>): void {
    if (this.alerted.has(key)) return
    this.alerted.add(key)
    this.send(alert)
  }

  private send(what: Omit<AlertMessage, 'lake' | 'time'>): void {
    const { lake, onEvent } = this.options
    const alert = { ...what, lake: lake.name, time: new Date().toISOString() }
    onEvent({ type: 'alert', alert })
    void tell(lake.alerts, alert, {
      onFailure: (message) => onEvent({ type: 'warning', message }),
      signal: this.ended.signal,
    })
  }

  /** Tells what went wrong, unless storage is away: that is told of by itself. */
  private async failed(about: string, error: unknown): Promise<undefined> {
    if (await this.health.answers(error)) this.warn(about, error)
  }

  /** Tells what is wrong, once for as long as it is the same. */
  private warn(about: string, error: unknown): void {
    const message = messageOf(error)
    if (this.warnings.get(about) === message) return
    this.warnings.set(about, message)
    this.options.onEvent({ type: 'warning', message })
  }

  isRunning(job: string): boolean {
    return this.scheduler.isRunning(job)
  }

  lastSuccess(job: string): Date | undefined {
    return this.scheduler.successes.get(job)
  }

  /** All that is wrong now. */
  get problems(): string[] {
    return [...this.warnings.values()]
  }
}
