import type { Engine } from '../engine/engine.js'

/** Runs after which an engine is replaced: what it gathers over months is given back so. */
const LIFE = 200

/** Engines for runs that happen at the same time; each has one for itself. */
export class Engines {
  private readonly free: { engine: Engine; runs: number }[] = []

  constructor(private readonly start: () => Promise<Engine>) {}

  async use<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    const taken = this.free.pop() ?? { engine: await this.start(), runs: 0 }
    try {
      return await work(taken.engine)
    } finally {
      taken.runs++
      if (taken.runs >= LIFE) await taken.engine.close()
      else this.free.push(taken)
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.free.splice(0).map(({ engine }) => engine.close()))
  }
}
