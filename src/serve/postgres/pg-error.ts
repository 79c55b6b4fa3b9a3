/** What an error of PostgreSQL has beside its code and message. */
interface Details {
  hint?: string | undefined
  detail?: string | undefined
  /** Where in the statement, counting characters from 1. */
  position?: number | undefined
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
  readonly fatal: boolean

  /** @param code the SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html */
  constructor(
    readonly code: string,
    message: string,
    { hint, detail, position, fatal = false, cause }: Details = {},
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.hint = hint
    this.detail = detail
    this.position = position
    this.fatal = fatal
  }
}
