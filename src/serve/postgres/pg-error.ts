/** What an error of PostgreSQL has beside its code and message. */
interface Details {
  hint?: string | undefined
  detail?: string | undefined
  /** Where in the statement, counting characters from 1. */
  position?: number | undefined
  /**
   * The function of PostgreSQL that says it: drivers go by it where a code means several things.
   */
  routine?: string | undefined
  /** Whether the connection ends with it. */
  fatal?: boolean
  cause?: unknown
}

/** What went wrong, as clients of PostgreSQL hear of it. */
export class PgError extends Error {
  override readonly name = 'PgError'
  readonly hint: string | undefined
  readonly detail: string | undefined
  readonly position: number | undefined
  readonly routine: string | undefined
  readonly fatal: boolean

  /** @param code the SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html */
  constructor(
    readonly code: string,
    message: string,
    { hint, detail, position, routine, fatal = false, cause }: Details = {},
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.hint = hint
    this.detail = detail
    this.position = position
    this.routine = routine
    this.fatal = fatal
  }
}
