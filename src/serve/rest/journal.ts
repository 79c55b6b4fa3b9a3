import { setTimeout as sleep } from 'node:timers/promises'
import { MoraineError } from '../../errors.js'
import type { Changes, CommitInfo, LakeState, SeenRequest } from '../../log/commit.js'
import type { Entry } from '../../log/entry.js'
import { isEmpty } from '../../log/fold.js'
import type { CommitLog } from '../../log/log.js'
import { requestAt } from '../../log/reading/requests.js'
import type { Caller, RequestKey } from './caller.js'
import { forbidden, RestError, stateUnknown } from './errors.js'

/** Who asks for a change, and what it is. */
export interface Request {
  caller: Caller
  /** As the history of the lake shows it. */
  message: string
}

/** What a request changes, and what it is answered. */
export interface Outcome<T> {
  changes: Changes
  answer: T
  /** What the commit says, where that is known only now. */
  message?: string
  /**
   * When the first of the files may have been written. Without it at any time: they are looked for
   * once a vacuum has removed some.
   */
  since?: Date
}

/** What a request is answered that comes again: what the commit of the first one changed. */
export type Again<T> = (changes: Changes, before: LakeState) => Promise<T>

const ATTEMPTS = 20

/**
 * Brings what clients ask for into the commit log: one request after the other in this process,
 * beside those of others.
 */
export class Journal {
  private last: Promise<unknown> = Promise.resolve()

  /** @param readOnly why nothing can be written here, where that is so. */
  constructor(
    private readonly log: CommitLog,
    private readonly readOnly?: string,
  ) {}

  async head(): Promise<LakeState> {
    return this.log.head()
  }

  /**
   * Commits what `decide` makes of the newest state. Where somebody else was faster, it decides
   * again on what is there then.
   *
   * A request whose key a commit has is answered as it was then, and nothing is done.
   *
   * @param decide refuses what can't be done; nothing is committed where it changes nothing.
   * @param again the answer to a request that was carried out; without it, the one that `decide`
   *   gives on the state before.
   */
  change<T>(
    request: Request,
    decide: (state: LakeState) => Promise<Outcome<T>>,
    again: Again<T> = async (_, before) => (await decide(before)).answer,
  ): Promise<T> {
    if (this.readOnly !== undefined) return Promise.reject(forbidden(this.readOnly))
    const done = this.last.then(() => this.attempt(request, decide, again))
    this.last = done.catch(() => {})
    return done
  }

  private async attempt<T>(
    request: Request,
    decide: (state: LakeState) => Promise<Outcome<T>>,
    again: Again<T>,
  ): Promise<T> {
    const { request: key, principal } = request.caller
    for (let attempt = 0; ; attempt++) {
      const state = await this.log.head()
      const seen = key && requestAt(state, key.key)
      if (seen) return this.answered(seen, key, again)
      const { changes, answer, message, since = new Date(0) } = await decide(state)
      if (isEmpty(changes)) return answer
      if (state.number === 0) await this.log.probe()
      try {
        const run = principal.run?.id ?? null
        const info = { author: principal.name, run, message: message ?? request.message }
        const known = key ? { requests: { [key.key]: key.sha256 } } : {}
        const number = await this.committed(state, { ...changes, ...known }, info, since)
        if (request.caller.noted) request.caller.noted.commit = number
        return answer
      } catch (error) {
        const isConflict = error instanceof MoraineError && error.kind === 'conflict'
        // To a branch that was deleted, it may have been committed: nobody sees it there.
        if (!isConflict || !error.retryable || attempt >= ATTEMPTS) throw error
        // Where nobody was faster, it would be refused again: a vacuum has taken its files.
        if ((await this.log.head()).number === state.number) throw error
        await sleep(Math.random() * Math.min(1000, 10 * 2 ** attempt))
      }
    }
  }

  /** The commit's number. */
  private async committed(
    state: LakeState,
    changes: Changes,
    info: CommitInfo,
    since: Date,
  ): Promise<number> {
    try {
      return (await this.log.commit(state, changes, info, { since })).number
    } catch (error) {
      throw asUnknown(error)
    }
  }

  private async answered<T>(seen: SeenRequest, key: RequestKey, again: Again<T>): Promise<T> {
    if (seen.sha256 !== key.sha256)
      throw new RestError(
        422,
        'UnprocessableEntityException',
        `The idempotency key ${key.key} was used for another request`,
      )
    try {
      const entry = await this.log.entry(seen.commit)
      const before = await this.log.stateAt(seen.commit - 1)
      return await again((entry as Entry).commit.changes, before)
    } catch (error) {
      throw asUnknown(error)
    }
  }
}

/** What storage fails with once a commit may be there: nobody may be told that it is not. */
const asUnknown = (error: unknown): unknown =>
  error instanceof MoraineError && error.kind === 'storage' ? stateUnknown(error) : error
