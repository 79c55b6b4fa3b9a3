import { MoraineError } from '../../errors.js'

interface Waiting {
  admit: () => void
}

/**
 * Lets so many in at the same time. Others wait: each of those who ask in turn, so that nobody who
 * asks a thousand questions keeps another one waiting for all of them.
 */
export class FairQueue {
  private running = 0
  private readonly waiting = new Map<string, Waiting[]>()
  private waitingNow = 0

  constructor(
    private readonly concurrency: number,
    /** How many may wait. */
    private readonly most: number,
  ) {}

  /**
   * @returns what lets the next one in.
   * @throws MoraineError of kind `limit`, which is worth another try, when too many wait; the
   *   signal's reason.
   */
  async enter(who: string, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    if (this.running < this.concurrency && this.waitingNow === 0) {
      this.running++
      return this.leaver()
    }
    if (this.waitingNow >= this.most)
      throw new MoraineError(
        'limit',
        `${this.running} queries are running, and ${this.waitingNow} are waiting: no more are accepted now`,
        { hint: 'Try again in a few seconds.', retryable: true },
      )
    await this.turn(who, signal)
    return this.leaver()
  }

  private turn(who: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = () => {
        const own = this.waiting.get(who)
        const at = own?.indexOf(one) ?? -1
        if (at < 0) return
        own?.splice(at, 1)
        if (own?.length === 0) this.waiting.delete(who)
        this.waitingNow--
        reject(signal?.reason)
      }
      const one: Waiting = {
        admit: () => {
          signal?.removeEventListener('abort', abort)
          resolve()
        },
      }
      signal?.addEventListener('abort', abort)
      const own = this.waiting.get(who)
      if (own) own.push(one)
      else this.waiting.set(who, [one])
      this.waitingNow++
    })
  }

  private leaver(): () => void {
    let isGone = false
    return () => {
      if (isGone) return
      isGone = true
      this.running--
      this.next()
    }
  }

  private next(): void {
    const [first] = this.waiting
    if (!first || this.running >= this.concurrency) return
    const [who, own] = first
    const one = own.shift()
    this.waiting.delete(who)
    // The others come first before this one comes again.
    if (own.length > 0) this.waiting.set(who, own)
    this.waitingNow--
    this.running++
    one?.admit()
  }
}
