import { withoutPasswords } from './secrets.js'

/**
 * What went wrong, as far as a caller may want to act on it.
 *
 * - `definition`: the lake's definition is wrong (exit code 2)
 * - `usage`: a command or a call was used wrongly (exit code 2)
 * - `source`: a source can't be read as declared
 * - `quality`: data broke a rule of severity `fail`
 * - `query`: a query is refused or fails
 * - `limit`: a query needs more than it may use: memory, time, disk, rows
 * - `export`: a warehouse can't be loaded, or has what an export may not touch
 * - `conflict`: somebody else changed what this commit writes
 * - `storage`, `engine`: the parts below refused
 * - `corrupt`: what lies in storage is not what the log says
 * - `version`: the lake uses what this version of Moraine does not know
 * - `cancelled`: the user stopped it
 */
export type ErrorKind =
  | 'definition'
  | 'usage'
  | 'source'
  | 'quality'
  | 'query'
  | 'limit'
  | 'export'
  | 'conflict'
  | 'storage'
  | 'engine'
  | 'corrupt'
  | 'version'
  | 'cancelled'

/** A place in a user's file. Line and column count from 1. */
export interface SourceLocation {
  file: string
  line: number
  column: number
  /** A text that the code frame should point at, searched from the line on. */
  near?: string
}

export interface ErrorDetails {
  /** What was being done, such as `read bronze.orders`. */
  doing?: string
  /** What the user can do next. */
  hint?: string
  /** Whether the same call may succeed later. */
  retryable?: boolean
  cause?: unknown
  place?: SourceLocation | undefined
  /** The object of the lake that it is about, where it is about one. */
  path?: string | undefined
}

/** The one error class of Moraine; `kind` tells the family, `hint` what to do next. */
export class MoraineError extends Error {
  override readonly name = 'MoraineError'
  readonly kind: ErrorKind
  readonly doing: string | undefined
  readonly hint: string | undefined
  readonly retryable: boolean
  readonly place: SourceLocation | undefined
  readonly path: string | undefined

  constructor(kind: ErrorKind, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.kind = kind
    this.doing = details.doing
    this.hint = details.hint
    this.retryable = details.retryable ?? false
    this.place = details.place
    this.path = details.path
  }
}

/** One mistake in a definition, with the place it was made at. */
export interface Problem {
  message: string
  hint?: string | undefined
  place?: SourceLocation | undefined
}

/** All mistakes of a definition together, so that they can be mended in one go. */
export class DefinitionError extends MoraineError {
  readonly problems: readonly Problem[]

  /** @param of what has them. */
  constructor(found: readonly Problem[], of = "The lake's definition") {
    const problems = found.map((one) => ({
      ...one,
      message: withoutPasswords(one.message),
      ...(one.hint === undefined ? {} : { hint: withoutPasswords(one.hint) }),
    }))
    const lines = problems.map((p) => `- ${p.message}`).join('\n')
    const count = problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`
    super('definition', `${of} has ${count}:\n${lines}`)
    this.problems = problems
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
