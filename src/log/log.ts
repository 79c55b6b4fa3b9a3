import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { MoraineError } from '../errors.js'
import type { Storage } from '../storage/storage.js'
import {
  type Changes,
  type Commit,
  type CommitInfo,
  emptyState,
  fold,
  type LakeState,
  written,
} from './commit.js'

/** What the log takes from the world; tests give their own. */
export interface LogEffects {
  now: () => Date
  id: () => string
  /** Waits before another attempt; the argument counts from 0. */
  pause: (attempt: number) => Promise<void>
}

const realEffects: LogEffects = {
  now: () => new Date(),
  id: randomUUID,
  pause: (attempt) => sleep(Math.random() * Math.min(1000, 10 * 2 ** attempt)),
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const ATTEMPTS = 40

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A commit with the hash of its bytes. */
export interface Entry {
  commit: Commit
  hash: string
}

/**
 * The commit log of a branch: the lake's one source of truth. Commit n is the object
 * `<n>.json`, created only if it does not exist yet; that create decides everything.
 */
export class CommitLog {
  private cache: LakeState = emptyState

  constructor(
    private readonly storage: Storage,
    private readonly branch = 'main',
    private readonly effects: LogEffects = realEffects,
  ) {}

  private pathOf(number: number): string {
    return `_moraine/log/${this.branch}/${String(number).padStart(20, '0')}.json`
  }

  /** Refuses a storage that lets two writers create the same object. */
  async probe(): Promise<void> {
    if (await this.storage.stat(this.pathOf(1))) return
    const path = `_moraine/probe/${this.effects.id()}`
    const first = await this.storage.createIfAbsent(path, encoder.encode('1'))
    const second = await this.storage.createIfAbsent(path, encoder.encode('2'))
    await this.storage.remove(path)
    if (!first || second)
      throw new MoraineError('storage', `${this.storage.url} can't hold a lake`, {
        hint: 'It does not refuse to create an object a second time, so two runs could overwrite each other.',
      })
  }

  /** The commit of that number; `undefined` when there is none yet. */
  async entry(number: number): Promise<Entry | undefined> {
    const path = this.pathOf(number)
    if (!(await this.storage.stat(path))) return undefined
    const bytes = await this.storage.read(path)
    return { commit: parseCommit(bytes, path), hash: sha256(bytes) }
  }

  /** The newest state. */
  async head(): Promise<LakeState> {
    this.cache = await this.advance(this.cache)
    return this.cache
  }

  private async advance(state: LakeState, until = Number.POSITIVE_INFINITY): Promise<LakeState> {
    let current = state
    while (current.number < until) {
      const next = await this.entry(current.number + 1)
      if (!next) break
      current = checkedFold(current, next, this.pathOf(current.number + 1))
    }
    return current
  }

  /** The state at a commit, or at the last commit up to a time. */
  async stateAt(at: number | Date): Promise<LakeState> {
    if (typeof at === 'number') {
      const state = await this.advance(emptyState, at)
      if (state.number === at) return state
      throw new MoraineError('usage', `There is no commit ${at}; the last one is ${state.number}`, {
        hint: 'See the commits with: moraine history',
      })
    }
    let state = emptyState
    for (;;) {
      const next = await this.entry(state.number + 1)
      if (!next || new Date(next.commit.time) > at) return state
      state = fold(state, next.commit, next.hash)
    }
  }

  /** All commits, oldest first. */
  async *entries(): AsyncGenerator<Entry> {
    for (let number = 1; ; number++) {
      const entry = await this.entry(number)
      if (!entry) return
      yield entry
    }
  }

  /**
   * Makes changes visible, all at once. Commits of others since `base` are no hindrance unless
   * they wrote something that these changes write too.
   *
   * @throws MoraineError of kind `conflict` in that case.
   */
  async commit(base: LakeState, changes: Changes, info: CommitInfo): Promise<LakeState> {
    const id = this.effects.id()
    const mine = written(changes)
    let state = base
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const body = encoder.encode(JSON.stringify(this.next(state, id, changes, info), null, 1))
      await this.tryCreate(this.pathOf(state.number + 1), body)
      // Whatever the answer was, or if it was lost: what lies there now is what happened.
      const there = await this.entry(state.number + 1)
      if (there) {
        state = checkedFold(state, there, this.pathOf(there.commit.number))
        if (there.commit.id === id) {
          this.cache = state
          return state
        }
        refuseConflict(mine, there.commit)
      }
      await this.effects.pause(attempt)
    }
    throw new MoraineError('conflict', 'The log is too busy: other commits came first each time', {
      retryable: true,
      hint: 'Run it again.',
    })
  }

  private async tryCreate(path: string, body: Uint8Array): Promise<void> {
    try {
      await this.storage.createIfAbsent(path, body)
    } catch (error) {
      // An answer may be lost although the object is there.
      if (!(await this.storage.stat(path))) throw error
    }
  }

  private next(state: LakeState, id: string, changes: Changes, info: CommitInfo): Commit {
    const earliest = state.time === null ? 0 : new Date(state.time).getTime() + 1
    const time = new Date(Math.max(this.effects.now().getTime(), earliest)).toISOString()
    return { format: 1, id, number: state.number + 1, time, previous: state.hash, ...info, changes }
  }
}

function parseCommit(bytes: Uint8Array, path: string): Commit {
  let commit: Commit
  try {
    commit = JSON.parse(decoder.decode(bytes))
  } catch (cause) {
    throw new MoraineError('corrupt', `${path} is damaged: it is not JSON`, {
      cause,
      hint: 'Restore this object from a backup of the lake; nothing was changed.',
    })
  }
  if (commit.format !== 1)
    throw new MoraineError(
      'corrupt',
      `${path} has format ${commit.format}, which this version does not know`,
      {
        hint: 'Use a newer version of Moraine.',
      },
    )
  return commit
}

function checkedFold(state: LakeState, { commit, hash }: Entry, path: string): LakeState {
  if (commit.number !== state.number + 1 || commit.previous !== state.hash)
    throw new MoraineError('corrupt', `${path} does not follow from the commit before it`, {
      hint: 'An object of the log was changed or replaced: moraine verify shows what is wrong.',
    })
  return fold(state, commit, hash)
}

function refuseConflict(mine: ReadonlySet<string>, other: Commit): void {
  const both = [...written(other.changes)].filter((name) => mine.has(name))
  if (both.length === 0) return
  throw new MoraineError(
    'conflict',
    `Commit ${other.number} changed the same: ${both.join(', ')}`,
    {
      retryable: true,
      hint: 'Another run was faster. Nothing of this one was published; run it again.',
    },
  )
}
