import { watch } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { type AnyDataset, type Bronze, fullName } from '../define/dataset.js'
import { secondsOf } from '../define/interval.js'
import type { Lake } from '../define/lake.js'
import type { Engine } from '../engine/engine.js'
import { messageOf } from '../errors.js'
import { CommitLog } from '../log/log.js'
import { type Job, jobsOf } from '../plan/jobs.js'
import type { RunEvent, RunRecord } from '../run/events.js'
import { runLake } from '../run/execute.js'
import { Arrivals } from '../run/inbox/landed.js'
import type { JavaScript } from '../run/javascript.js'
import { lineageTarget, OpenLineage } from '../run/openlineage.js'
import { type Cause, type ScheduleEvent, Scheduler } from '../run/schedule/scheduler.js'
import type { Storage } from '../storage/storage.js'
import { type Told, tell } from './alerts.js'
import { Engines } from './engines.js'
import { Metrics } from './metrics.js'
import { listenTo } from './queue.js'

export type KeeperEvent =
  | ScheduleEvent
  | { type: 'run'; job: string; run: string; event: RunEvent }
  | { type: 'alert'; told: Told }

export interface KeeperOptions {
  lake: Lake
  storage: Storage
  startEngine: () => Promise<Engine>
  javascript: JavaScript
  /** Jobs that run at the same time. */
  concurrency: number
  /** Milliseconds between two looks for what has arrived without a sign. */
  sweep: number
  onEvent: (event: KeeperEvent) => void
}

/** Milliseconds between two looks whether datasets are stale. */
const STALE_EVERY = 10_000
/** Milliseconds between two looks at a file that is being written. */
const LONGEST_WAIT = 2000

/** Keeps a lake up to date for as long as the process lives. */
export class Keeper {
  readonly jobs: readonly Job[]
  readonly metrics = new Metrics()
  private readonly scheduler: Scheduler
  private readonly engines: Engines
  private readonly arrivals: { job: string; queue: string | undefined; arrivals: Arrivals }[]
  private readonly closing: (() => void)[] = []
  /** Jobs, datasets and checks that somebody was told of. */
  private readonly told = new Set<string>()
  private readonly started = Date.now()

  constructor(private readonly options: KeeperOptions) {
    const { lake, storage, concurrency, onEvent } = options
    this.jobs = jobsOf(lake)
    this.engines = new Engines(options.startEngine)
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
      run: (job, signal, cause) => this.run(job, signal, cause),
      onEvent: (event) => {
        onEvent(event)
        this.follow(event)
      },
    })
  }

  async start(): Promise<void> {
    for (const { job, queue, arrivals } of this.arrivals) {
      if (queue !== undefined) this.listen(job, queue)
      if (arrivals.path === undefined) continue
      await mkdir(arrivals.path, { recursive: true })
      const watcher = watch(arrivals.path, this.attend(job, arrivals))
      // Without signs there are still the sweeps.
      watcher.on('error', (error) => this.trouble(error))
      this.closing.push(() => watcher.close())
    }
    this.repeat(this.options.sweep, () => this.sweep())
    this.repeat(STALE_EVERY, () => this.findStale())
    await this.sweep()
    this.scheduler.start()
  }

  private listen(job: string, queue: string): void {
    const stop = new AbortController()
    this.closing.push(() => stop.abort())
    const trouble = (error: unknown) => this.trouble(error)
    listenTo(queue, () => this.scheduler.notify(job), trouble, stop.signal).catch(trouble)
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
    await this.engines.close()
  }

  /** Runs datasets once, beside the jobs. */
  runNow(datasets: readonly AnyDataset[], signal?: AbortSignal): Promise<RunRecord> {
    const { lake, storage, javascript } = this.options
    return this.engines.use((engine) =>
      runLake(lake, {
        storage,
        engine,
        javascript,
        select: datasets.map(fullName),
        ...(signal ? { signal } : {}),
      }),
    )
  }

  private async run(job: Job, signal: AbortSignal, cause: Cause): Promise<RunRecord> {
    const { lake, storage, javascript, onEvent } = this.options
    let run = ''
    const target = lineageTarget()
    const lineage = target && new OpenLineage(target, { name: lake.name, url: storage.url })
    const record = await this.engines.use((engine) =>
      runLake(lake, {
        storage,
        engine,
        javascript,
        signal,
        // Files that arrive are no reason to ask databases sooner than they are scheduled.
        feeds: cause !== 'event',
        select: job.datasets.map(fullName),
        onEvent: (event) => {
          if (event.type === 'run-started') run = event.run
          onEvent({ type: 'run', job: job.name, run, event })
          lineage?.event(event)
        },
      }),
    )
    this.metrics.run(job.name, record)
    const problem = await lineage?.close()
    if (problem) this.trouble(new Error(problem))
    return record
  }

  private async sweep(): Promise<void> {
    for (const { job, arrivals } of this.arrivals) {
      // What a run is at is nothing that has arrived since.
      if (this.scheduler.isRunning(job)) continue
      const { ready } = await arrivals.look()
      if (ready && !this.scheduler.isRunning(job)) this.scheduler.notify(job)
    }
  }

  /** What is done at a sign that a file is there: it is waited for until it is complete. */
  private attend(job: string, arrivals: Arrivals): (_: string, name: string | null) => void {
    let signs = 0
    const wait = async () => {
      for (let pause = arrivals.settle; signs > 0; ) {
        const before = signs
        await sleep(pause)
        // What a run is at is nothing that has arrived since.
        if (this.scheduler.isRunning(job)) continue
        const { ready, unfinished } = await arrivals.look()
        if (ready && !this.scheduler.isRunning(job)) this.scheduler.notify(job)
        if (!unfinished && signs === before) signs = 0
        // A file that is written for long is not asked about all the time.
        pause = signs === before ? Math.min(pause * 2, LONGEST_WAIT) : arrivals.settle
      }
    }
    return (_, name) => {
      // What is hidden is Moraine's own, or is not meant to be seen.
      if (name?.startsWith('.')) return
      if (signs++ === 0)
        wait().catch((error) => {
          signs = 0
          this.trouble(error)
        })
    }
  }

  private repeat(milliseconds: number, work: () => Promise<void>): void {
    let busy = false
    const timer = setInterval(() => {
      if (busy) return
      busy = true
      work()
        .catch((error) => this.trouble(error))
        .finally(() => {
          busy = false
        })
    }, milliseconds)
    this.closing.push(() => clearInterval(timer))
  }

  /** Tells people what a run found, once until it is over. */
  private follow(event: ScheduleEvent): void {
    if (event.type !== 'job-finished' || event.again) return
    const { job, record, timedOut } = event
    const failed = record.steps.find(({ error }) => error)
    const { message = record.error?.message, hint } = failed?.error ?? {}
    const way = failed?.outcome === 'held' ? `. ${hint}` : ''
    if (record.outcome === 'failed' || timedOut)
      this.tellOnce(`failed ${job}`, {
        on: 'failed',
        job,
        ...(failed ? { dataset: failed.dataset } : {}),
        run: record.run,
        message: timedOut ? 'it was stopped: it took too long' : `${message ?? 'it failed'}${way}`,
      })
    else if (record.outcome === 'done' && this.told.delete(`failed ${job}`))
      this.send({ on: 'recovered', job, run: record.run, message: 'it succeeds again' })
    for (const { dataset, checks = [] } of record.steps)
      for (const { check, passed, severity, message: found = check } of checks) {
        if (severity !== 'warn') continue
        const key = `warned ${dataset} ${check}`
        if (passed) this.told.delete(key)
        else this.tellOnce(key, { on: 'warned', job, dataset, run: record.run, message: found })
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
        if (Date.now() - last <= (secondsOf(freshWithin) as number) * 1000) this.told.delete(key)
        else
          this.tellOnce(key, {
            on: 'stale',
            job: name,
            dataset: fullName(dataset),
            message: `it was last brought up to date ${new Date(last).toISOString()}, longer ago than ${freshWithin}`,
          })
      }
  }

  private tellOnce(key: string, told: Omit<Told, 'lake' | 'time'>): void {
    if (this.told.has(key)) return
    this.told.add(key)
    this.send(told)
  }

  private send(what: Omit<Told, 'lake' | 'time'>): void {
    const { lake, onEvent } = this.options
    const told = { ...what, lake: lake.name, time: new Date().toISOString() }
    onEvent({ type: 'alert', told })
    tell(lake.alerts, told).then((failures) => {
      for (const message of failures) onEvent({ type: 'trouble', message })
    })
  }

  private trouble(error: unknown): void {
    this.options.onEvent({ type: 'trouble', message: messageOf(error) })
  }
}
