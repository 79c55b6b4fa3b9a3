import { fullName } from '../define/dataset.js'
import type { AnyDataset, Bronze } from '../define/model.js'
import { CommitLog } from '../log/log.js'
import { quarantinedIn } from '../log/quarantined.js'
import { type Job, jobsOf } from '../plan/jobs.js'
import { runLake } from '../run/execute.js'
import { lineageTarget, OpenLineage } from '../run/openlineage.js'
import type { RunOptions } from '../run/options.js'
import { type Cause, Scheduler } from '../schedule/scheduler.js'
import { abortController } from '../signals.js'
import type { RunRecord } from '../step/events.js'
import { ArrivalWatch } from './arrival-watch.js'
import { BackgroundWork } from './background-work.js'
import type { DaemonOptions } from './daemon-options.js'
import { EnginePool } from './engine-pool.js'
import { Metrics } from './metrics.js'
import { Notifier } from './notifier.js'
import { type HealthEvent, refusedWriting, StorageHealth } from './storage-health.js'

/** Milliseconds between two looks whether a folder still holds the lake that is served. */
const OTHER_EVERY = 1000
/** Milliseconds between two looks whether datasets are stale. */
const STALE_EVERY = 10_000
/** Milliseconds after which people are told that storage is away. */
const ALERT_AFTER = 10_000
/** What is said of a lake that can't be begun, and of nothing else. */
const BEGINNING = 'begin the lake'
/** Notes of one dataset that are remembered. */
const REMEMBERED = 1000

/** Keeps a lake up to date for as long as the process lives. */
export class Daemon {
  readonly jobs: readonly Job[]
  readonly metrics = new Metrics()
  private readonly scheduler: Scheduler
  private readonly engines: EnginePool
  /** One after the other: each has an engine of its own. */
  private exporting: Promise<unknown> = Promise.resolve()
  private readonly arrivals: ArrivalWatch[]
  private readonly work: BackgroundWork
  private readonly notifier: Notifier
  private watched: Promise<unknown> | undefined
  /** Whether it may write, once it has started. */
  private isBegun = false
  private isStarted = false
  private readonly leftBehind = new Set<string>()
  private readonly noted = new Map<string, Set<string>>()
  readonly health: StorageHealth
  private readonly ended = abortController()

  constructor(private readonly options: DaemonOptions) {
    const { lake, storage, concurrency, onEvent } = options
    this.jobs = jobsOf(lake)
    this.engines = new EnginePool(options.startEngine)
    this.health = new StorageHealth(
      options.impatient ?? storage,
      (event) => this.changed(event),
      () => this.refuseOther(),
    )
    this.metrics.storage(true)
    const head = () => options.log.head()
    this.work = new BackgroundWork(this.health, onEvent)
    this.notifier = new Notifier(lake, onEvent, this.ended.signal)
    this.scheduler = new Scheduler({
      storage,
      jobs: this.jobs,
      concurrency,
      head,
      health: this.health,
      run: (job, signal, cause) => this.run(job, signal, cause),
      onEvent: (event) => {
        onEvent(event)
        this.notifier.jobFinished(event)
      },
    })
    this.arrivals = this.jobs
      .filter(({ event }) => event)
      .map(({ name, datasets }) => {
        const root = datasets.find((dataset) => fullName(dataset) === name) as Bronze
        return new ArrivalWatch({
          job: name,
          storage,
          dataset: root,
          head,
          sweep: options.sweep,
          scheduler: this.scheduler,
          health: this.health,
          work: this.work,
          onNotes: (notes) => this.note(name, notes),
        })
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
    if (!this.isBegun) return Promise.resolve()
    this.watched ??= Promise.all(this.arrivals.map((arrivals) => arrivals.watch()))
    return this.watched
  }

  /** Begins to look, and to run; what does not work yet is tried again. */
  start(): void {
    if (this.options.storage.url.startsWith('file:'))
      this.work.repeat('look at the lake', OTHER_EVERY, () => this.lookForOther())
    if (this.isBegun) this.startJobs()
  }

  private startJobs(): void {
    if (this.isStarted || this.work.hasStopped) return
    this.isStarted = true
    void this.watchFolders()
    for (const arrivals of this.arrivals) arrivals.start()
    this.work.repeat('find stale datasets', STALE_EVERY, async () =>
      this.notifier.stale(this.jobs, this.scheduler.successes),
    )
    this.scheduler.start()
  }

  /** Fails where storage holds another lake than the one that is served. */
  refuseOther(): Promise<void> {
    const { log, impatient, storage } = this.options
    return log.refuseOther(undefined, impatient ?? storage)
  }

  /**
   * Has the lake say which it is. One that has no commit, in a folder that can't be written, is
   * served as it is: nobody looks for work in it until it can be written, or has commits.
   *
   * @throws MoraineError where storage holds another lake than the one that is served.
   */
  async beginLake(): Promise<void> {
    try {
      await this.refuseOther()
      this.isBegun = true
      this.work.isSound(BEGINNING)
    } catch (error) {
      const why = refusedWriting(error)
      if (this.isBegun || why === undefined) throw error
      const { log, storage } = this.options
      if ((await log.head()).number > 0) throw error
      this.work.warn(
        BEGINNING,
        `There is no lake at ${storage.url} yet, and it can't be written: it is served empty, and no job runs until that changes. ${why}`,
      )
    }
  }

  /** Nobody should need to send something before it is known that it can't be accepted. */
  private async lookForOther(): Promise<void> {
    if (!this.health.isSound) return
    await this.beginLake()
    await this.options.log.head()
    if (this.isBegun) this.startJobs()
  }

  /** Says that something has arrived for a dataset. */
  notify(dataset: string): void {
    this.scheduler.notify(dataset)
  }

  /** Stops what runs, after its step, and resolves when nothing does. */
  async stop(): Promise<void> {
    this.work.stop()
    await this.scheduler.stop()
  }

  async close(): Promise<void> {
    this.work.stop()
    this.health.close()
    this.ended.abort()
    await this.engines.close()
  }

  /** Runs datasets once, beside the jobs. */
  runNow(datasets: readonly AnyDataset[], signal?: AbortSignal): Promise<RunRecord> {
    return this.runOne(datasets, signal ? { signal } : {})
  }

  /** Runs datasets in one of the daemon's engines. */
  private async runOne(
    datasets: readonly AnyDataset[],
    options: Partial<RunOptions>,
  ): Promise<RunRecord> {
    const {
      lake,
      storage,
      log,
      startEngine,
      javascript,
      tryApart,
      worker,
      stepsAtOnce,
      elsewhere,
    } = this.options
    await this.refuseOther()
    const record = await this.engines.use((engine) =>
      runLake(lake, {
        storage,
        engine,
        ownEngine: true,
        javascript,
        ...(tryApart ? { tryApart } : {}),
        ...(worker ? { worker } : {}),
        ...(stepsAtOnce ? { stepsAtOnce } : {}),
        ...(elsewhere ? { elsewhere } : {}),
        leftBehind: this.leftBehind,
        select: datasets.map(fullName),
        ...options,
      }),
    )
    if (lake.exports.length === 0) return record
    const { exportAfterRun } = await import('../export/export-lake.js')
    const inTurn = <T>(work: () => Promise<T>) => this.exportInTurn(work)
    return exportAfterRun({ lake, storage, log, startEngine, inTurn }, record, options.onEvent)
  }

  private exportInTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.exporting.then(work)
    this.exporting = done.catch(() => {})
    return done
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
    if (problem) this.work.warn('send lineage', new Error(problem))
    else this.work.isSound('send lineage')
    return record
  }

  /** Storage has gone away, or come back. */
  private changed(event: HealthEvent): void {
    this.options.onEvent(event)
    this.metrics.storage(event.type === 'storage-up')
    if (event.type === 'storage-up') {
      // A disk that was mounted anew has other folders of the same names.
      for (const arrivals of this.arrivals) arrivals.endWatching()
      this.notifier.storageIsBack(event.seconds)
      return
    }
    // What is over in a moment is nothing that anybody could do something about.
    const timer = setTimeout(() => {
      const { state } = this.health
      if (state.up || state.since !== event.since) return
      this.notifier.once('failed storage', { on: 'failed', job: 'storage', message: state.message })
    }, ALERT_AFTER)
    timer.unref()
    this.work.onStop(() => clearTimeout(timer))
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

  isRunning(job: string): boolean {
    return this.scheduler.isRunning(job)
  }

  lastSuccess(job: string): Date | undefined {
    return this.scheduler.successes.get(job)
  }

  /** All that is wrong now. */
  get problems(): string[] {
    return this.work.problems
  }
}
