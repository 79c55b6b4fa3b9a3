import { messageOf } from '../errors.js'
import type { DaemonEvent } from './daemon-options.js'
import type { StorageHealth } from './storage-health.js'

/** What goes on beside jobs until it is stopped, and what is wrong with it. */
export class BackgroundWork {
  private readonly stopping: (() => void)[] = []
  private isStopped = false
  /** What is wrong now, by what it is about: each is said when it begins. */
  private readonly warnings = new Map<string, string>()

  constructor(
    private readonly health: StorageHealth,
    private readonly onEvent: (event: DaemonEvent) => void,
  ) {}

  /**
   * Does something at once, and again each so many milliseconds, however it ends; resolves when it
   * was done, or has failed, for the first time.
   */
  repeat(about: string, milliseconds: number, work: () => Promise<void>): Promise<void> {
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
    this.onStop(() => clearInterval(timer))
    return first
  }

  /** Does something once all of this is to stop: at once where it has. */
  onStop(stop: () => void): void {
    if (this.isStopped) stop()
    else this.stopping.push(stop)
  }

  get hasStopped(): boolean {
    return this.isStopped
  }

  stop(): void {
    this.isStopped = true
    for (const stop of this.stopping.splice(0)) stop()
  }

  /** Tells what went wrong, unless storage is away: that is told of by itself. */
  async failed(about: string, error: unknown): Promise<undefined> {
    if (await this.health.answers(error)) this.warn(about, error)
  }

  /** Tells what is wrong, once for as long as it is the same. */
  warn(about: string, error: unknown): void {
    const message = messageOf(error)
    if (this.warnings.get(about) === message) return
    this.warnings.set(about, message)
    this.onEvent({ type: 'warning', message })
  }

  /** Nothing is wrong with it any more. */
  isSound(about: string): void {
    this.warnings.delete(about)
  }

  /** All that is wrong now. */
  get problems(): string[] {
    return [...this.warnings.values()]
  }
}
