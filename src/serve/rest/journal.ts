import { setTimeout as sleep } from 'node:timers/promises'
import { MoraineError } from '../../errors.js'
import type { Changes, LakeState } from '../../log/commit.js'
import { isEmpty } from '../../log/fold.js'
import type { CommitLog } from '../../log/log.js'
import type { Caller } from './caller.js'
import { forbidden } from './errors.js'

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
   * @param decide refuses what can't be done; nothing is committed where it changes nothing.
   */
  change<T>(request: Request, decide: (state: LakeState) => Promise<Outcome<T>>): Promise<T> {
    if (this.readOnly !== undefined) return Promise.reject(forbidden(this.readOnly))
    const done = this.last.then(() => this.attempt(request, decide))
    this.last = done.catch(() => {})
    return done
  }

  private async attempt<T>(
    request: Request,
    decide: (state: LakeState) => Promise<Outcome<T>>,
  ): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const state = await this.log.head()
      const { changes, answer, message, since = new Date(0) } = await decide(state)
      if (isEmpty(changes)) return answer
      try {
        const author = request.caller.principal.name
        const info = { author, run: null, message: message ?? request.message }
        await this.log.commit(state, changes, info, { since })
        return answer
      } catch (error) {
        const isConflict = error instanceof MoraineError && error.kind === 'conflict'
        if (!isConflict || attempt >= ATTEMPTS) throw error
        // Where nobody was faster, it would be refused again: a vacuum has taken its files.
        if ((await this.log.head()).number === state.number) throw error
        await sleep(Math.random() * Math.min(1000, 10 * 2 ** attempt))
      }
    }
  }
}
