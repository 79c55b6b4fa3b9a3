import { MoraineError, messageOf } from '../errors.js'

/** SQL that the engine refused or that failed while it ran. */
export class SqlError extends MoraineError {
  /** The line of the SQL that the engine points to, from 1. */
  readonly line: number | undefined

  constructor(
    readonly sql: string,
    cause: unknown,
  ) {
    const message = messageOf(cause)
    const full = /out of memory/i.test(message)
    super('engine', message.replace(/\n+LINE \d+:[\s\S]*$/, ''), {
      cause,
      retryable: full,
      ...(full ? { hint: 'Give the engine more memory, or close other programs.' } : {}),
    })
    const line = /\nLINE (\d+):/.exec(message)
    this.line = line ? Number(line[1]) : undefined
  }
}
