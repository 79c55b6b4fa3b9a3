import { type FSWatcher, watch } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Arrivals } from '../bronze/inbox/landed.js'
import type { Bronze } from '../define/model.js'
import type { LakeState } from '../log/commit.js'
import { abortController } from '../signals.js'
import { makeFolder } from '../storage/disk.js'
import type { Storage } from '../storage/storage.js'
import type { BackgroundWork } from './background-work.js'
import { listenTo } from './queue.js'
import type { StorageHealth } from './storage-health.js'

/** Milliseconds between two looks at a file that is being written. */
const LONGEST_WAIT = 2000

export interface ArrivalWatchOptions {
  job: string
  storage: Storage
  dataset: Bronze
  head: () => Promise<LakeState>
  /** Milliseconds between two looks for what has arrived without a notification. */
  sweep: number
  scheduler: { isRunning(job: string): boolean; notify(job: string): void }
  health: StorageHealth
  work: BackgroundWork
  onNotes: (notes: readonly string[]) => void
}

/**
 * Notifies the scheduler of what arrives for one dataset: by a folder's events, a queue, and
 * sweeps.
 */
export class ArrivalWatch {
  private readonly arrivals: Arrivals
  private watcher: FSWatcher | undefined

  constructor(private readonly options: ArrivalWatchOptions) {
    const { storage, dataset, head } = options
    this.arrivals = new Arrivals(storage, dataset, head)
  }

  /**
   * Hears of files as they arrive; resolves once that was tried. Without it there are still the
   * sweeps.
   */
  async watch(): Promise<void> {
    const { path } = this.arrivals
    if (path === undefined) return
    const { health, work, sweep } = this.options
    const about = `watch ${path}`
    work.onStop(() => this.endWatching())
    return work.repeat(about, sweep, async () => {
      if (this.watcher || !health.isSound) return
      await makeFolder(path)
      if (work.hasStopped) return
      this.watcher = watch(path, this.attend())
      this.watcher.on('error', (error) => {
        this.endWatching()
        work.warn(about, error)
      })
    })
  }

  /** It begins again with the next look. */
  endWatching(): void {
    this.watcher?.close()
    this.watcher = undefined
  }

  /** Listens to the source's queue, and sweeps. */
  start(): void {
    const { dataset, work, sweep } = this.options
    const queue = dataset.from.kind === 'inbox' ? dataset.from.queue : undefined
    if (queue !== undefined) this.listen(queue)
    work.repeat(this.about, sweep, () => this.sweep())
  }

  private get about(): string {
    return `check for new data of ${this.options.job}`
  }

  private listen(queue: string): void {
    const { job, scheduler, work } = this.options
    const stop = abortController()
    work.onStop(() => stop.abort())
    const about = `listen to ${queue}`
    const warn = (error: unknown) => work.warn(about, error)
    const heard = () => {
      work.isSound(about)
      scheduler.notify(job)
    }
    listenTo(queue, heard, warn, stop.signal).catch(warn)
  }

  /** What a run is reading is nothing that has arrived since. */
  private get isRunning(): boolean {
    return this.options.scheduler.isRunning(this.options.job)
  }

  private async sweep(): Promise<void> {
    if (this.isRunning || !this.options.health.isSound) return
    const { ready, notes } = await this.arrivals.look()
    this.options.onNotes(notes)
    if (ready) this.notify()
  }

  private notify(): void {
    if (!this.isRunning) this.options.scheduler.notify(this.options.job)
  }

  /** What is done when a file is heard of: it is waited for until it is complete. */
  private attend(): (_: string, name: string | null) => void {
    let notifications = 0
    const wait = async () => {
      const { settle } = this.arrivals
      for (let pause = settle; notifications > 0; ) {
        const before = notifications
        await sleep(pause)
        if (this.isRunning) continue
        const { ready, unfinished } = await this.arrivals.look()
        if (ready) this.notify()
        if (!unfinished && notifications === before) notifications = 0
        // A file that is written for long is not asked about all the time.
        pause = notifications === before ? Math.min(pause * 2, LONGEST_WAIT) : settle
      }
    }
    return (_, name) => {
      // What is hidden is Moraine's own, or is not meant to be seen.
      if (name?.startsWith('.')) return
      if (notifications++ === 0)
        wait().catch((error) => {
          notifications = 0
          this.options.work.failed(this.about, error)
        })
    }
  }
}
