import { MoraineError, messageOf } from '../errors.js'

const hints: readonly [pattern: RegExp, hint: string][] = [
  [/out of memory/i, 'Give the engine more memory, or close other programs.'],
  [/no space left/i, 'The disk is full: free some space and run again.'],
]

/** SQL that the engine refused or that failed while it ran. */
export class SqlError extends MoraineError {
  /** The line of the SQL that the engine points to, from 1. */
  readonly line: number | undefined

  constructor(
    readonly sql: string,
    cause: unknown,
  ) {
    const message = messageOf(cause)
    const memory = /out of memory/i.test(message)
    const hint = hints.find(([pattern]) => pattern.test(message))?.[1]
    super('engine', message.replace(/\n+LINE \d+:[\s\S]*$/, ''), {
      cause,
      retryable: memory,
      ...(hint ? { hint } : {}),
    })
    const line = /\nLINE (\d+):/.exec(message)
    this.line = line ? Number(line[1]) : undefined
  }
}
