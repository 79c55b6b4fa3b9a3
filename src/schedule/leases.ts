import { randomUUID } from 'node:crypto'
import { isThere, ownIdentity, type ProcessIdentity } from '../storage/alive.js'
import { createOnce } from '../storage/retry.js'
import { encodeSealed, parseSealed } from '../storage/sealed.js'
import type { Storage } from '../storage/storage.js'

/** What is known of a job: who is at it, and what was done of it last. */
export interface LeaseState {
  format: 1
  /** Who has it; `null` when nobody does. */
  holder: string | null
  /** The process that has it. */
  by: ProcessIdentity | null
  /** Milliseconds since 1970 after which a holder that says nothing counts as gone. */
  until: number
  /** The last time of its schedule that was run, or passed over. */
  slot: string | null
  /** The versions of the datasets that it runs after, when it last ran. */
  seen: string | null
  /** When it last succeeded. */
  succeeded: string | null
  /**
   * When it failed, with its retries used up, and has not succeeded since; absent where it was
   * never told.
   */
  failed?: string | null
}

const nothing: LeaseState = {
  format: 1,
  holder: null,
  by: null,
  until: 0,
  slot: null,
  seen: null,
  succeeded: null,
}

/** Milliseconds for which a holder need not say that it is there. */
const HELD = 30_000
/** Milliseconds between two words that a holder is there. */
const BEAT = 10_000
/** Milliseconds beyond which somebody's clock is wrong. */
const LONGEST = 600_000
/** States that are left behind the newest. */
const LEFT = 3

/**
 * Who runs a job, so that of several processes one does: a row of numbered objects, each created
 * only if it is not there. It saves work and does not protect anything: a process that was stopped
 * for an hour and goes on finds out when it commits.
 */
export class Lease {
  private number = -1
  private state: LeaseState = nothing
  private readonly me = randomUUID()

  constructor(
    private readonly storage: Storage,
    readonly job: string,
    private readonly now: () => number = Date.now,
  ) {}

  private get folder(): string {
    return `_moraine/leases/${this.job}/`
  }

  /** What is known now. */
  async look(): Promise<LeaseState> {
    const objects = await this.storage.entries(this.folder)
    let newest: number | undefined
    for (const { path } of objects.reverse()) {
      // Other files may lie there, as anywhere.
      const [, number] = /\/(\d{12})\.json$/.exec(path) ?? []
      const bytes = number === undefined ? undefined : await this.storage.readIfPresent(path)
      const state = bytes && stateIn(bytes)
      if (!bytes) continue
      newest ??= Number(number)
      this.number = newest
      // One that is damaged says nothing, and the one before it does; the next number is free all
      // the same.
      if (!state) continue
      this.state = state
      return state
    }
    return this.state
  }

  /** What was known when somebody last looked. */
  get last(): LeaseState {
    return this.state
  }

  /** Whether it is this process's now. */
  async acquire(): Promise<boolean> {
    await this.look()
    const { holder, until } = this.state
    const left = until - this.now()
    const others = holder !== null && holder !== this.me && left > 0 && left < LONGEST
    if (others && !isGone(this.state)) return false
    const by = ownIdentity()
    return this.put({ ...this.state, holder: this.me, by, until: this.now() + HELD })
  }

  /**
   * Says that this process is still at it, again and again, until what is returned is called;
   * `lost` is once another has taken over.
   */
  keep(lost: () => void): () => Promise<void> {
    let beat: Promise<void> | undefined
    const told = (held: boolean) => {
      if (held) return
      clearInterval(timer)
      lost()
    }
    const timer = setInterval(() => {
      // One that is slow is waited for: the next one would find what it has put.
      beat ??= this.renew()
        .then(told, () => {})
        .finally(() => {
          beat = undefined
        })
    }, BEAT)
    return async () => {
      clearInterval(timer)
      await beat
    }
  }

  /** Says so once; `false` when another has taken over. */
  renew(): Promise<boolean> {
    return this.put({ ...this.state, until: this.now() + HELD })
  }

  /** Gives it back, with what was done. */
  async release(
    done: Partial<Pick<LeaseState, 'slot' | 'seen' | 'succeeded' | 'failed'>>,
  ): Promise<void> {
    // Another one has it by now.
    if (this.state.holder !== this.me) return
    await this.put({ ...this.state, ...done, holder: null, by: null, until: 0 })
  }

  private async put(state: LeaseState): Promise<boolean> {
    const bytes = encodeSealed({ ...state, format: 2 })
    const first = this.number + 1
    for (;;) {
      const number = this.number + 1
      if (await this.storage.createIfAbsent(this.pathOf(number), bytes)) {
        this.number = number
        this.state = state
        for (let old = Math.max(first, LEFT); old <= number; old++)
          await this.storage.remove(this.pathOf(old - LEFT))
        return true
      }
      // An answer that was lost may have been a yes: to this state, or to one before it.
      const { holder, until } = await this.look()
      if (this.number === number && holder === state.holder && until === state.until) return true
      if (holder !== this.me || this.number < number) return false
    }
  }

  private pathOf(number: number): string {
    return `${this.folder}${String(number).padStart(12, '0')}.json`
  }
}

function stateIn(bytes: Uint8Array): LeaseState | undefined {
  const found = parseSealed<Omit<LeaseState, 'format'> & { format: number }>(bytes)
  return found && { ...found.head, format: 1 }
}

/** Whether the holder was a process of this machine that is no more. */
function isGone({ by }: LeaseState): boolean {
  return by !== null && isThere(by) === false
}

const pausedAt = (job: string) => `_moraine/paused/${job}.json`

/** The jobs that somebody has paused. */
export async function pausedJobs(storage: Storage): Promise<Set<string>> {
  const objects = await storage.list('_moraine/paused/')
  const own = objects.filter(({ path }) => path.endsWith('.json'))
  return new Set(own.map(({ path }) => path.replace(/^.*\//, '').replace(/\.json$/, '')))
}

/** Whether somebody has paused one job: a look at one object, rather than at all that is paused. */
export async function isPaused(storage: Storage, job: string): Promise<boolean> {
  return (await storage.stat(pausedAt(job))) !== undefined
}

export async function pause(storage: Storage, job: string, by: string): Promise<void> {
  const text = JSON.stringify({ format: 1, by, time: new Date().toISOString() })
  await createOnce(storage, pausedAt(job), new TextEncoder().encode(text))
}

export async function resume(storage: Storage, job: string): Promise<void> {
  await storage.remove(pausedAt(job))
}
