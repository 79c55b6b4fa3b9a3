import { randomUUID } from 'node:crypto'
import { type Landed, Landing } from '../bronze/ingest/landing.js'
import { hashOfRows, KEPT, type SentRequest } from '../bronze/ingest/sent-requests.js'
import { MoraineError } from '../errors.js'
import type { Storage } from '../storage/storage.js'

/** Bytes that wait to become durable, at most; whoever sends more is asked to come again. */
const WAITING = 64 * 2 ** 20
/** Bytes of one object. */
const TOGETHER = 16 * 2 ** 20
/** Requests that are remembered, at most. */
const REMEMBERED = 500_000

const none = Promise.resolve(0)

interface Waiting extends Landed {
  bytes: number
  resolve: () => void
  reject: (error: unknown) => void
}

/** What a buffer takes from the world. */
interface BufferEffects {
  now?: () => number
  /** Fails where storage holds another lake than the one that is served. */
  refuseOther?: () => Promise<void>
}

/** What became of a request. */
export interface Accepted {
  rows: number
  key: string
  /** It had been sent before, and was accepted then. */
  duplicate: boolean
}

/** A key that came with other rows before. */
export class KeyConflict extends Error {}

/** A request that is known by its key, and how many rows it has once they are durable. */
interface Known extends SentRequest {
  rows: Promise<number>
}

/**
 * Makes requests for one dataset durable: while one object is written, those that come meanwhile
 * wait for the next.
 */
export class IngestBuffer {
  private readonly landing: Landing
  private readonly queue: Waiting[] = []
  private waiting = 0
  private writing: Promise<void> | undefined
  private readonly known = new Map<string, Known>()

  private readonly now: () => number
  private readonly refuseOther: () => Promise<void>

  /** @param known requests that are in the lake already, by their keys. */
  constructor(
    storage: Storage,
    dataset: string,
    known: ReadonlyMap<string, SentRequest>,
    { now = Date.now, refuseOther = async () => {} }: BufferEffects = {},
  ) {
    this.now = now
    this.refuseOther = refuseOther
    this.landing = new Landing(storage, dataset)
    this.learn(known)
  }

  /** Learns which requests are in the lake already, by their keys. */
  learn(known: ReadonlyMap<string, SentRequest>): void {
    for (const [key, request] of known) this.remember(key, { ...request, rows: none })
  }

  /** Learns which requests have landed and wait to be taken in. */
  async load(): Promise<void> {
    for (const { path } of await this.landing.list())
      for (const { key, rows, generated } of await this.requestsOf(path)) {
        if (generated || this.known.has(key)) continue
        const request = { hash: hashOfRows(rows), at: this.now() }
        this.remember(key, { ...request, rows: Promise.resolve(rows.length) })
      }
  }

  /**
   * None of an object that is gone, or can't be read: that is for the run which is to ingest it.
   */
  private async requestsOf(path: string): Promise<readonly Landed[]> {
    try {
      return (await this.landing.read(path)) ?? []
    } catch (error) {
      if (error instanceof MoraineError && error.kind === 'storage') throw error
      return []
    }
  }

  /** Whether there is room for so many bytes. */
  hasRoom(bytes: number): boolean {
    return this.waiting + bytes <= WAITING
  }

  /**
   * Resolves when the rows are durable.
   *
   * @throws KeyConflict when the key came with other rows within a day.
   */
  async accept(rows: readonly string[], key: string | undefined): Promise<Accepted> {
    if (key === undefined) {
      const own = randomUUID()
      await this.put({ key: own, rows, generated: true })
      return { rows: rows.length, key: own, duplicate: false }
    }
    const hash = hashOfRows(rows)
    const before = this.known.get(key)
    if (before && this.now() - before.at <= KEPT) {
      if (before.hash !== '' && before.hash !== hash) throw new KeyConflict()
      return { rows: (await before.rows) || rows.length, key, duplicate: true }
    }
    const done = this.put({ key, rows })
    this.remember(key, { hash, at: this.now(), rows: done })
    // What failed may be sent again.
    done.catch(() => this.known.delete(key))
    await done
    return { rows: rows.length, key, duplicate: false }
  }

  /** Resolves when nothing waits any more. */
  async drain(): Promise<void> {
    while (this.writing) await this.writing
  }

  private put({ key, rows, generated }: Landed): Promise<number> {
    const bytes = rows.reduce((sum, row) => sum + row.length + 1, 0)
    const put = new Promise<number>((resolve, reject) => {
      const landed = { key, rows, ...(generated ? { generated } : {}) }
      this.queue.push({ ...landed, bytes, resolve: () => resolve(rows.length), reject })
    })
    this.waiting += bytes
    this.writing ??= this.writeAll().finally(() => {
      this.writing = undefined
    })
    return put
  }

  private remember(key: string, request: Known): void {
    this.known.delete(key)
    this.known.set(key, request)
    if (this.known.size <= REMEMBERED) return
    const [oldest] = this.known.keys()
    if (oldest !== undefined) this.known.delete(oldest)
  }

  private async writeAll(): Promise<void> {
    while (this.queue.length > 0) {
      const group = this.next()
      const bytes = group.reduce((sum, one) => sum + one.bytes, 0)
      try {
        await this.land(group)
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
      this.waiting -= bytes
    }
  }

  /**
   * What was written is only accepted if it lies in the lake that is served: another may have taken
   * its place meanwhile, and must not keep rows that are sent once more.
   */
  private async land(group: readonly Waiting[]): Promise<void> {
    await this.refuseOther()
    const path = await this.landing.write(group)
    await this.refuseOther().catch(async (error) => {
      await this.landing.remove(path).catch(() => {})
      throw error
    })
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
