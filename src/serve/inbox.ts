import { randomUUID } from 'node:crypto'
import { type Landed, Landing } from '../run/landing.js'
import type { Storage } from '../storage/storage.js'

/** Bytes that wait to become durable, at most; whoever sends more is asked to come again. */
const WAITING = 64 * 2 ** 20
/** Bytes of one object. */
const TOGETHER = 16 * 2 ** 20
/** Requests that are remembered, at most. */
const REMEMBERED = 200_000

interface Waiting extends Landed {
  bytes: number
  resolve: () => void
  reject: (error: unknown) => void
}

/** What became of a request. */
export interface Accepted {
  rows: number
  key: string
  /** It had been sent before, and was accepted then. */
  duplicate: boolean
}

/** Makes requests for one dataset durable: while one object is written, those that come meanwhile wait for the next. */
export class Inbox {
  private readonly landing: Landing
  private readonly queue: Waiting[] = []
  private waiting = 0
  private writing: Promise<void> | undefined
  private readonly known = new Map<string, Promise<number>>()

  /** @param known keys of requests that are in the lake already. */
  constructor(storage: Storage, dataset: string, known: Iterable<string>) {
    this.landing = new Landing(storage, dataset)
    for (const key of known) this.known.set(key, Promise.resolve(0))
  }

  /** Learns which requests have landed and wait to be taken in. */
  async load(): Promise<void> {
    for (const { path } of await this.landing.list())
      for (const { key, rows } of await this.landing.read(path))
        this.known.set(key, Promise.resolve(rows.length))
  }

  /** Whether there is room for so many bytes. */
  hasRoom(bytes: number): boolean {
    return this.waiting + bytes <= WAITING
  }

  /** Resolves when the rows are durable. */
  async accept(rows: readonly string[], key: string | undefined): Promise<Accepted> {
    const before = key === undefined ? undefined : this.known.get(key)
    if (key !== undefined && before) return { rows: await before, key, duplicate: true }
    const own = key ?? randomUUID()
    const done = this.put({ key: own, rows })
    this.remember(own, done)
    await done
    return { rows: rows.length, key: own, duplicate: false }
  }

  /** Resolves when nothing waits any more. */
  async drain(): Promise<void> {
    while (this.writing) await this.writing
  }

  private put({ key, rows }: Landed): Promise<number> {
    const bytes = rows.reduce((sum, row) => sum + row.length + 1, 0)
    const put = new Promise<number>((resolve, reject) => {
      this.queue.push({ key, rows, bytes, resolve: () => resolve(rows.length), reject })
    })
    this.waiting += bytes
    this.writing ??= this.writeAll().finally(() => {
      this.writing = undefined
    })
    return put
  }

  private remember(key: string, done: Promise<number>): void {
    this.known.set(key, done)
    // What failed may be sent again.
    done.catch(() => this.known.delete(key))
    if (this.known.size <= REMEMBERED) return
    const [oldest] = this.known.keys()
    if (oldest !== undefined) this.known.delete(oldest)
  }

  private async writeAll(): Promise<void> {
    while (this.queue.length > 0) {
      const group = this.next()
      const bytes = group.reduce((sum, one) => sum + one.bytes, 0)
      try {
        await this.landing.write(group)
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
      this.waiting -= bytes
    }
  }

  private next(): Waiting[] {
    const group: Waiting[] = []
    let bytes = 0
    while (this.queue[0] && (group.length === 0 || bytes + this.queue[0].bytes <= TOGETHER)) {
      const one = this.queue.shift() as Waiting
      bytes += one.bytes
      group.push(one)
    }
    return group
  }
}
