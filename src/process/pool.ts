/**
 * Runs at most `size` pieces of work at a time: those of the greatest weight first, and else in the
 * order they come.
 */
export class Pool {
  private running = 0
  private readonly waiting: { weight: number; go: () => void }[] = []

  constructor(private readonly size: number) {}

  /** @throws what the signal says, once nobody waits for the work's turn any more. */
  async run<T>(
    work: () => Promise<T>,
    { weight = 0, signal }: { weight?: number; signal?: AbortSignal } = {},
  ): Promise<T> {
    signal?.throwIfAborted()
    if (this.running >= this.size) await this.turn(weight, signal)
    else this.running++
    try {
      return await work()
    } finally {
      const next = this.waiting.shift()
      // Its place is handed on, so that nobody who comes meanwhile takes it.
      if (next) next.go()
      else this.running--
    }
  }

  private turn(weight: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        this.waiting.splice(this.waiting.indexOf(one), 1)
        reject(signal?.reason)
      }
      const go = () => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }
      const one = { weight, go }
      const before = this.waiting.findIndex((other) => other.weight < weight)
      this.waiting.splice(before < 0 ? this.waiting.length : before, 0, one)
      signal?.addEventListener('abort', stop)
    })
  }
}

/**
 * Two pools of the same size: short pieces of work, which wait for files more than they compute,
 * need not wait for long ones.
 */
export class Lanes {
  private readonly long: Pool
  private readonly short: Pool

  constructor(size: number) {
    this.long = new Pool(size)
    this.short = new Pool(size)
  }

  run<T>(work: () => Promise<T>, { weight, isShort }: { weight: number; isShort: boolean }) {
    return (isShort ? this.short : this.long).run(work, { weight })
  }
}
