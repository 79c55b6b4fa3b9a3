/**
 * Runs at most `size` pieces of work at a time: those of the greatest weight first, and else in the
 * order they come.
 */
export class Pool {
  private running = 0
  private readonly waiting: { weight: number; go: () => void }[] = []

  constructor(private readonly size: number) {}

  async run<T>(work: () => Promise<T>, weight = 0): Promise<T> {
    if (this.running >= this.size) await new Promise<void>((go) => this.wait(weight, go))
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

  private wait(weight: number, go: () => void): void {
    const before = this.waiting.findIndex((other) => other.weight < weight)
    this.waiting.splice(before < 0 ? this.waiting.length : before, 0, { weight, go })
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
    return (isShort ? this.short : this.long).run(work, weight)
  }
}
