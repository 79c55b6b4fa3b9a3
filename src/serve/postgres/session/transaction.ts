import { PgError } from '../pg-error.js'
import type { Command } from '../sql/command.js'

/**
 * The state of a session's transaction. Every statement sees the lake as its last commit left it,
 * so that a transaction is nothing but this state.
 */
export class Transaction {
  /** Idle, within one, or within one that has failed. */
  status: 'I' | 'T' | 'E' = 'I'

  /** A statement has failed. */
  failed(): void {
    if (this.status === 'T') this.status = 'E'
  }

  /** @throws PgError where a failed transaction has to be ended first. */
  check({ kind, ...command }: Command): void {
    const ends =
      kind === 'commit' || kind === 'rollback' || ('tag' in command && command.tag === 'ROLLBACK')
    if (this.status !== 'E' || ends) return
    throw new PgError('25P02', 'The transaction has failed: statements are ignored until it ends', {
      hint: 'Send ROLLBACK.',
    })
  }

  /** @returns the tag of the answer, and what is odd about it. */
  apply(kind: 'begin' | 'commit' | 'rollback'): { tag: string; warning?: string } {
    const before = this.status
    if (kind === 'begin') {
      this.status = 'T'
      const warning = 'There is already a transaction in progress'
      return { tag: 'BEGIN', ...(before === 'I' ? {} : { warning }) }
    }
    this.status = 'I'
    const warning = before === 'I' ? { warning: 'There is no transaction in progress' } : {}
    return { tag: kind === 'commit' && before !== 'E' ? 'COMMIT' : 'ROLLBACK', ...warning }
  }
}
