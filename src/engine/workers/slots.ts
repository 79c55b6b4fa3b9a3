/** Lets so many go on at the same time; the others wait for their turn, as they came. */
export class Slots {
  private readonly waiting = new Set<() => void>()

  constructor(private free: number) {}

  /** Resolves when there is a slot; fails with the signal's reason. */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.free > 0) {
      this.free--
      return
    }
    await new Promise<void>((resolve, reject) => {
      const stop = () => {
        this.waiting.delete(go)
        reject(signal.reason)
      }
      const go = () => {
        signal.removeEventListener('abort', stop)
        resolve()
      }
      this.waiting.add(go)
      signal.addEventListener('abort', stop)
    })
  }

  give(): void {
    const [next] = this.waiting
    if (!next) this.free++
    else {
      this.waiting.delete(next)
      next()
    }
  }
}
