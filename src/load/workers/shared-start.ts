import { abortController, orAborted } from '../../signals.js'

/**
 * Something that takes long to start, and that several may wait for. Whoever is cancelled leaves it
 * to the others; when nobody waits for it any more, the start is ended.
 */
export class SharedStart<T> {
  readonly started: Promise<T>
  private readonly stop = abortController()
  private isThere = false
  private waiting = 0

  constructor(start: (signal: AbortSignal) => Promise<T>) {
    this.started = start(this.stop.signal)
    this.started.then(
      () => {
        this.isThere = true
      },
      () => {},
    )
  }

  /** Whether the start was ended: whoever comes now needs another one. */
  get isEnded(): boolean {
    return this.stop.signal.aborted
  }

  /** @throws what the signal says, and why the start failed. */
  async wait(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    this.waiting++
    try {
      return await orAborted(signal, () => this.started)
    } finally {
      this.waiting--
      if (this.waiting === 0) this.end()
    }
  }

  /** Ends the start; what is there already stays. */
  end(): void {
    if (!this.isThere) this.stop.abort()
  }
}
