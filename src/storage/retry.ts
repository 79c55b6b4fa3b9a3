import { setTimeout as sleep } from 'node:timers/promises'
import { MoraineError } from '../errors.js'
import type { Storage } from './storage.js'

/** How long a call is tried again that fails for a reason which may pass. */
export interface Patience {
  /**
   * Milliseconds from the storage's first failure on, whichever call that was; a call that fails
   * later than that is not tried again.
   */
  total: number
  /** No call is tried again once it is aborted. */
  signal?: AbortSignal | undefined
  /** Waits so many milliseconds; tests give their own. */
  pause?: (milliseconds: number, signal?: AbortSignal) => Promise<void>
}

/** Milliseconds for which commands that work on a lake wait for its storage. */
export const PATIENT = 60_000
/** Milliseconds for which commands wait that somebody looks at. */
export const BRISK = 10_000

/** Milliseconds before the first further attempt, and at most between two. */
const FIRST = 50
const LONGEST = 5_000

/**
 * Milliseconds until another attempt: twice as long each time, up to a limit, and less by chance,
 * so that many that failed together do not come back together.
 *
 * @param attempt counted from 0.
 */
export function backoff(attempt: number, first = FIRST, longest = LONGEST): number {
  const whole = Math.min(longest, first * 2 ** Math.min(attempt, 30))
  return whole * (0.5 + Math.random() / 2)
}

/**
 * What becomes of a storage that fails: told of each failure, and of the first call that succeeds
 * again.
 */
export type StorageEvent =
  | {
      type: 'failing'
      /** The storage's URL. */
      storage: string
      error: MoraineError
      /** When the first of its calls failed, in milliseconds since 1970. */
      since: number
      /** Milliseconds until the call is tried again; nothing when it is given up. */
      wait?: number
      /** Milliseconds after which it is given up. */
      patience: number
    }
  | { type: 'answering'; storage: string; since: number }

type Listener = (event: StorageEvent) => void

const listeners = new Set<Listener>()
/** Storages whose last call failed: since when, and when that was. */
const failing = new Map<string, { since: number; last: number }>()
/** Milliseconds after which a failure says nothing of a call that begins. */
const RECENT = 2 * LONGEST
/** Failures that were waited for as long as was allowed. */
const exhausted = new WeakSet<object>()

/**
 * Is told of storages that fail and answer again, until the function that is returned is called.
 */
export function watchStorages(listener: Listener): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/**
 * Whether a failure was waited for already: whoever tries again at once waits as long once more.
 */
export const wasWaitedFor = (error: unknown): boolean =>
  error instanceof MoraineError && exhausted.has(error)

/** Calls until it succeeds, fails for good, or patience is at its end. */
export async function patiently<T>(
  storage: string,
  { total, signal, pause = wait }: Patience,
  call: () => Promise<T>,
): Promise<T> {
  let waited = 0
  // Work that asks for one object after another waits as long as for the first of them.
  let begun = failingSince(storage)
  for (let attempt = 0; ; attempt++) {
    try {
      const result = await call()
      if (failing.size > 0) answered(storage)
      return result
    } catch (error) {
      if (!(error instanceof MoraineError && error.retryable)) throw error
      begun ??= failingSince(storage) ?? Date.now()
      const since = failingSince(storage) ?? begun
      failing.set(storage, { since, last: Date.now() })
      const next = backoff(attempt)
      const late = Math.max(waited, Date.now() - begun) + next > total
      const about = { type: 'failing', storage, error, since, patience: total } as const
      if (late || signal?.aborted) {
        tell(about)
        if (total > 0) exhausted.add(error)
        throw error
      }
      tell({ ...about, wait: next })
      waited += next
      await pause(next, signal)
    }
  }
}

/** How often an object is created again whose creation got no answer. */
const LOST = 5

/**
 * Creates an object under a name that nobody else gives other bytes. An answer may be lost whether
 * it was created or not: what lies there with the same bytes is one's own.
 *
 * @returns whether it lies there; `false` where other bytes do.
 */
export async function createOnce(
  storage: Pick<Storage, 'createIfAbsent' | 'readIfPresent'>,
  path: string,
  bytes: Uint8Array,
): Promise<boolean> {
  for (let attempt = 0; ; attempt++) {
    try {
      const isNew = await storage.createIfAbsent(path, bytes)
      if (isNew || attempt === 0) return isNew
    } catch (error) {
      if (!(error instanceof MoraineError && error.retryable) || attempt >= LOST) throw error
    }
    const there = await storage.readIfPresent(path)
    if (there) return Buffer.compare(there, bytes) === 0
    await wait(backoff(attempt))
  }
}

async function wait(milliseconds: number, signal?: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, signal ? { signal } : {}).catch(() => {})
}

/** When a storage began to fail that was still failing a moment ago. */
function failingSince(storage: string): number | undefined {
  const known = failing.get(storage)
  return known && Date.now() - known.last < RECENT ? known.since : undefined
}

function answered(storage: string): void {
  const known = failing.get(storage)
  if (!known) return
  failing.delete(storage)
  tell({ type: 'answering', storage, since: known.since })
}

function tell(event: StorageEvent): void {
  for (const listener of listeners) listener(event)
}
