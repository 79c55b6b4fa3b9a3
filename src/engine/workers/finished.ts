/**
 * What several have finished, for one who reads it as it comes. Holds a few at most: whoever has
 * more to put waits until it is read.
 */
export class Finished<T> implements AsyncIterable<T> {
  private readonly items: T[] = []
  private state: 'open' | 'ended' | 'dropped' | { error: unknown } = 'open'
  private wake: () => void = () => {}
  private readonly waiting: (() => void)[] = []

  constructor(private readonly most: number) {}

  async put(item: T): Promise<void> {
    while (this.items.length >= this.most && this.state === 'open')
      await new Promise<void>((go) => this.waiting.push(go))
    this.items.push(item)
    this.wake()
  }

  end(): void {
    if (this.state === 'open') this.settle('ended')
  }

  /** What is read next is an error. */
  fail(error: unknown): void {
    if (this.state === 'open') this.settle({ error })
  }

  /** Nobody reads any more. */
  drop(): void {
    this.settle('dropped')
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      if (typeof this.state === 'object') throw this.state.error
      if (this.items.length > 0) {
        const item = this.items.shift() as T
        this.waiting.shift()?.()
        yield item
      } else if (this.state === 'open') await new Promise<void>((go) => this.setWake(go))
      else return
    }
  }

  private setWake(go: () => void): void {
    this.wake = go
  }

  private settle(state: Finished<T>['state']): void {
    this.state = state
    this.wake()
    for (const go of this.waiting.splice(0)) go()
  }
}
