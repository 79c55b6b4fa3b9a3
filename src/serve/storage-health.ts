import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { MoraineError, messageOf } from '../errors.js'
import { abortController } from '../signals.js'
import { backoff, type StorageEvent, watchStorages } from '../storage/retry.js'
import type { Storage } from '../storage/storage.js'

/** Milliseconds of failures after which storage counts as away. */
const GRACE = 1500
/** Milliseconds between two probes of a storage that is away: at first, and at most. */
const FIRST = 200
const LONGEST = 15_000
/** Milliseconds after which a probe has failed. */
const PROBE = 10_000

export type HealthEvent =
  | { type: 'storage-down'; message: string; since: number }
  /** `seconds` that it was away. */
  | { type: 'storage-up'; seconds: number }

/** What is known of the lake's storage. */
export type Health =
  | { up: true }
  | {
      up: false
      /** When it first failed, in milliseconds since 1970. */
      since: number
      message: string
      /** When it is tried again, in milliseconds since 1970. */
      retryAt: number
    }

const encoder = new TextEncoder()

/**
 * Knows whether the lake's storage can be read and written. It hears of calls that fail, and then
 * tries by itself, with longer and longer pauses, until a small object can be created, read and
 * removed again. A storage that holds another lake than before is as good as away.
 */
export class StorageHealth {
  private suspected: { since: number; message: string; retryAt: number } | undefined
  private declared = false
  private readonly waiting = new Set<() => void>()
  private readonly ended = abortController()
  private wake = abortController()
  private readonly unwatch: () => void

  constructor(
    /** It should not wait by itself: a call that fails is a probe that failed. */
    private readonly storage: Storage,
    private readonly onEvent: (event: HealthEvent) => void,
    /** Fails where it holds another lake than the one that is served. */
    private readonly refuseOther: () => Promise<void> = async () => {},
  ) {
    this.unwatch = watchStorages((event) => this.hear(event))
  }

  /** Whether nothing is known to be wrong. */
  get isSound(): boolean {
    return this.suspected === undefined
  }

  get state(): Health {
    const { suspected } = this
    return suspected && this.declared ? { up: false, ...suspected } : { up: true }
  }

  /** Says that a call has failed; finds out whether storage is away. */
  suspect(error: unknown, since = Date.now()): void {
    if (this.suspected) {
      this.suspected.message = messageOf(error)
      return
    }
    this.suspected = { since, message: messageOf(error), retryAt: Date.now() }
    void this.probeUntilUp()
  }

  /**
   * Whether storage answers, asked now.
   *
   * @param error why somebody thinks that it does not.
   */
  async answers(error: unknown): Promise<boolean> {
    if (this.suspected) return false
    const failure = await this.probe()
    if (failure === undefined) return true
    this.suspect(failure ?? error)
    return false
  }

  /** Resolves when nothing is wrong, or when it is aborted. */
  async sound(signal?: AbortSignal): Promise<void> {
    while (!this.isSound && !signal?.aborted && !this.ended.signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = () => {
          this.waiting.delete(done)
          signal?.removeEventListener('abort', done)
          resolve()
        }
        this.waiting.add(done)
        signal?.addEventListener('abort', done)
      })
    }
  }

  close(): void {
    this.unwatch()
    this.ended.abort()
    this.wake.abort()
    for (const done of [...this.waiting]) done()
  }

  private hear(event: StorageEvent): void {
    if (event.storage !== this.storage.url) return
    // It answers somebody: no reason to wait longer.
    if (event.type === 'answering') this.wake.abort()
    else if (event.wait === undefined || Date.now() - event.since >= GRACE)
      this.suspect(event.error, event.since)
  }

  private async probeUntilUp(): Promise<void> {
    for (let attempt = 0; !this.ended.signal.aborted; attempt++) {
      const failure = await this.probe()
      if (failure === undefined) return this.recovered()
      const pause = backoff(attempt, FIRST, LONGEST)
      const { suspected } = this
      if (!suspected) return
      suspected.message = messageOf(failure)
      suspected.retryAt = Date.now() + pause
      if (!this.declared && Date.now() + pause - suspected.since >= GRACE) {
        this.declared = true
        this.onEvent({ type: 'storage-down', message: suspected.message, since: suspected.since })
      }
      this.wake = abortController()
      await sleep(pause, undefined, { signal: this.wake.signal }).catch(() => {})
    }
  }

  /** What went wrong. */
  private async probe(): Promise<unknown> {
    const slow = abortController()
    const late = sleep(PROBE, undefined, { signal: slow.signal, ref: false }).then(() => {
      throw new MoraineError('storage', `${this.storage.url} takes too long to respond`)
    })
    late.catch(() => {})
    try {
      await Promise.race([this.writeAndRead(), late])
      return undefined
    } catch (error) {
      return error ?? new Error('storage failed')
    } finally {
      slow.abort()
    }
  }

  private async writeAndRead(): Promise<void> {
    await this.refuseOther()
    const path = `_moraine/probe/${randomUUID()}`
    await this.storage.createIfAbsent(path, encoder.encode('1'))
    await this.storage.read(path)
    await this.storage.remove(path)
  }

  private recovered(): void {
    const since = this.suspected?.since ?? Date.now()
    this.suspected = undefined
    if (this.declared)
      this.onEvent({ type: 'storage-up', seconds: Math.round((Date.now() - since) / 1000) })
    this.declared = false
    for (const done of [...this.waiting]) done()
  }
}

/** Codes that say that nothing can be written there for as long as nobody changes that. */
const REFUSED = ['EACCES', 'EPERM', 'EROFS']

/**
 * What to do where a failure to write is one of permissions, or of a file system that is read-only;
 * `undefined` of any other.
 */
export function refusedWriting(error: unknown): string | undefined {
  if (!(error instanceof MoraineError)) return undefined
  const { code } = (error.cause ?? {}) as { code?: unknown }
  return REFUSED.includes(String(code)) ? (error.hint ?? messageOf(error)) : undefined
}
