/**
 * Work that many ask for at the same time, and that is done once for all of them. Who asks while it
 * is being done has missed its beginning, and shares the next turn with whoever else comes until
 * then: each turn begins after it was asked for.
 */
export class Shared<T> {
  private running: Promise<T> | undefined
  private waiting: Promise<T> | undefined

  constructor(private readonly work: () => Promise<T>) {}

  next(): Promise<T> {
    if (!this.running) return this.begin()
    this.waiting ??= this.running
      .catch(() => {})
      .then(() => {
        this.waiting = undefined
        return this.begin()
      })
    return this.waiting
  }

  private begin(): Promise<T> {
    const running = this.work().finally(() => {
      if (this.running === running) this.running = undefined
    })
    this.running = running
    return running
  }
}
