import type { RowValue } from '../../engine/engine.js'
import { HeldBytes } from './held-bytes.js'
import type { QueryAnswer } from './request.js'
import { Spool } from './spool.js'

/** Milliseconds for which rows wait to be taken before those that follow are put aside. */
const SLOW = 10_000
/** Bytes that are put aside of an answer: a query waits with more. */
const MOST = 2 ** 30
/** The same of all answers. */
const TOGETHER = 16 * 2 ** 30
const together = new HeldBytes(TOGETHER)

/**
 * An answer whose query does not wait for a slow reader: its rows go to a file of this machine
 * meanwhile, so that process, memory and place are free for others once it is done.
 *
 * @param slow milliseconds after which a reader is slow.
 * @param all what may be put aside of all answers.
 */
export function unheld(answer: QueryAnswer, slow = SLOW, all = together): QueryAnswer {
  const aside = new Aside(answer, slow, all)
  const close = () => aside.close()
  return { ...answer, rows: aside.rows(), close, [Symbol.asyncDispose]: close }
}

class Aside {
  private readonly source: AsyncIterator<RowValue[][]>
  private readonly spool = new Spool({ most: 0 })
  /** Batches that were put aside, and how many of them were taken. */
  private kept = 0
  private taken = 0
  /** One that found no room, and comes after those. */
  private left: RowValue[][] | undefined
  private isOver = false
  private failure: { error: unknown } | undefined
  /** Bytes of what was put aside that count among those of all. */
  private counted = 0
  /** Whether nothing more can be put aside. */
  private isFull = false
  private draining: Promise<void> | undefined
  /** Tells the reader that there is another batch. */
  private arrived = () => {}
  private closed: Promise<void> | undefined

  constructor(
    private readonly answer: QueryAnswer,
    private readonly slow: number,
    private readonly all: HeldBytes,
  ) {
    this.source = answer.rows[Symbol.asyncIterator]()
  }

  async *rows(): AsyncGenerator<RowValue[][]> {
    try {
      for (;;) {
        const batch = await this.next()
        if (!batch) return
        const timer = setTimeout(() => this.begin(), this.slow).unref()
        try {
          yield batch
        } finally {
          clearTimeout(timer)
        }
      }
    } finally {
      await this.close()
    }
  }

  close(): Promise<void> {
    this.closed ??= (async () => {
      await this.answer.close()
      await this.draining
      await this.spool.close()
      this.all.give(this.counted)
      this.counted = 0
    })()
    return this.closed
  }

  private async next(): Promise<RowValue[][] | undefined> {
    while (this.draining && this.taken >= this.kept) {
      const arrived = new Promise<void>((resolve) => {
        this.arrived = resolve
      })
      await Promise.race([arrived, this.draining])
    }
    if (this.taken < this.kept) return this.spool.batch(this.taken++)
    const { left } = this
    this.left = undefined
    if (left) return left
    if (this.failure) throw this.failure.error
    if (this.isOver) return undefined
    const { done, value } = await this.source.next()
    return done ? undefined : value
  }

  private begin(): void {
    if (this.draining || this.isFull || this.isOver || this.closed) return
    this.draining = this.drain().finally(() => {
      this.draining = undefined
    })
  }

  /** Puts rows aside until there are no more, or there is no room. */
  private async drain(): Promise<void> {
    try {
      while (!this.isFull) {
        const { done, value } = await this.source.next()
        if (done) {
          this.isOver = true
          return
        }
        if (value.length > 0) await this.keep(value)
      }
    } catch (error) {
      this.isOver = true
      this.failure = { error }
    }
  }

  private async keep(batch: RowValue[][]): Promise<void> {
    try {
      await this.spool.add(batch)
      this.kept++
      const more = this.spool.bytes - this.counted
      // A batch that finds no room is kept, and the last one.
      const hasRoom = this.all.take(more)
      if (hasRoom) this.counted += more
      this.isFull = !hasRoom || this.spool.bytes > MOST
      this.arrived()
    } catch {
      // On a disk that is full, the query waits for its reader.
      this.left = batch
      this.isFull = true
    }
  }
}
