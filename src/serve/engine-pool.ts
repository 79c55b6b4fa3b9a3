import type { Engine } from '../engine/engine.js'

/**
 * Engines for runs that happen at the same time; each has one for itself, which is confined to the
 * lake in its course.
 */
export class EnginePool {
  private readonly running = new Set<Engine>()

  constructor(private readonly start: () => Promise<Engine>) {}

  async use<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    const engine = await this.start()
    this.running.add(engine)
    try {
      return await work(engine)
    } finally {
      if (this.running.delete(engine)) await engine.close()
    }
  }

  async close(): Promise<void> {
    const running = [...this.running]
    this.running.clear()
    await Promise.all(running.map((engine) => engine.close()))
  }
}
