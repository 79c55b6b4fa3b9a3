import { MoraineError, messageOf } from '../errors.js'

/**
 * What messages about the machine, or the engine itself, begin with. Others may hold the same
 * words: those of a value in a row, or of the SQL.
 */
const ABOUT_MACHINE = /^(IO|Out of Memory|TransactionContext|INTERNAL|FATAL|HTTP) Error\b/
/** What a store says of credentials that have ended meanwhile. */
const EXPIRED = /\nExpiredToken: /

const hints: readonly [pattern: RegExp, hint: string][] = [
  [
    /offload data block/i,
    'This is all the disk space it may use for spilling: free some, or give the engine more memory.',
  ],
  [/out of memory/i, 'Give the engine more memory, or close other programs.'],
  [
    EXPIRED,
    "The credentials for the bucket ended while the query ran: have them last longer, or add reads=copies to the lake's URL.",
  ],
  [/no space left/i, 'The disk is full: free some space and run again.'],
]

/** What the engine says, without what only its makers need: the kind of error, the SQL again. */
function readable(message: string): { said: string; near?: string; similar?: string } {
  const [first = ''] = message.replace(/\n+LINE \d+:[\s\S]*$/, '').split('\n')
  const said = first
    .replace(/^(Binder|Catalog|Parser|Invalid Input) Error: /, '')
    .replace(/^No statement to prepare.*$/, 'The SQL is empty')
    .replace(
      /^Cannot prepare multiple statements.*$/,
      'One SELECT is expected, but there are several statements',
    )
    .replace(/!$/, '')
  const near = (/"([^"]+)"/.exec(said) ?? /with name (\S+)/.exec(said))?.[1]
  const candidates = /\n(?:Candidate bindings|Did you mean)[:\s]+(.*)/.exec(message)?.[1]
  const names = [...(candidates ?? '').matchAll(/"([^"]+)"/g)].flatMap(([, name]) => name ?? [])
  const similar = names.filter((name) => !name.startsWith('_'))
  return {
    said,
    ...(near ? { near } : {}),
    ...(similar.length > 0 ? { similar: `Did you mean ${similar.join(' or ')}?` } : {}),
  }
}

/**
 * The column that the engine's mark is under: it shows a part of the line, with dots where it
 * leaves something out.
 */
function columnOf(message: string, sql: string): number | undefined {
  const found = /\nLINE (\d+): (.*)\n( *)\^/.exec(message)
  if (!found) return undefined
  const [, line = '', shown = '', space = ''] = found
  const mark = space.length - `LINE ${line}: `.length
  const dots = shown.startsWith('...') ? 3 : 0
  const part = shown.slice(dots).replace(/\.\.\.$/, '')
  const start = (sql.split('\n')[Number(line) - 1] ?? '').indexOf(part)
  return start < 0 || mark < dots ? undefined : start + mark - dots + 1
}

/** Whether what failed ended the engine: nothing that is asked of it can be answered any more. */
export function isEngineLost(error: unknown): boolean {
  return causesOf(error).some(({ message }) => /^(INTERNAL|FATAL) Error\b/.test(message))
}

/** Whether what failed found a disk full, be it one for temporary files. */
export function isDiskFull(error: unknown): boolean {
  return causesOf(error).some(
    ({ message, code }) =>
      code === 'ENOSPC' ||
      (ABOUT_MACHINE.test(message) &&
        /no space left|disk is full|offload data block/i.test(message)),
  )
}

/** An error and what it was caused by. */
function causesOf(error: unknown): (Error & { code?: unknown })[] {
  return error instanceof Error ? [error, ...causesOf(error.cause)] : []
}

/**
 * What SQL failed by, where that matters to who asked: a value in a row, an expression that can't
 * be tried by itself, or that more was needed than memory or the room for spilling gives.
 */
export type FailedBy = 'value' | 'trying' | 'memory' | 'spill'

/** What messages about a value in a row begin with. */
const ABOUT_VALUE = /^(Conversion|Out of Range|Invalid Input|Not implemented|Mismatch Type) Error/

/** What messages about an expression begin with that can't be tried by itself. */
const NOT_TRIED =
  /^Binder Error: (TRY can not be used|aggregates are not allowed inside the TRY|subqueries in lambda)|^Not implemented Error: Unimplemented expression class in ExpressionBinder/

function failedBy(message: string): FailedBy | undefined {
  if (NOT_TRIED.test(message)) return 'trying'
  if (ABOUT_VALUE.test(message)) return 'value'
  return shortOf(message)
}

/** What was short, by a message of the engine or of JavaScript itself; nothing may have been. */
export function shortOf(message: string): 'memory' | 'spill' | undefined {
  if (!/^Out of Memory Error|Array buffer allocation failed/.test(message)) return undefined
  return message.includes('max_temp_directory_size') ? 'spill' : 'memory'
}

/** SQL that the engine refused or that failed while it ran. */
export class SqlError extends MoraineError {
  readonly failedBy: FailedBy | undefined
  /** The message, without the kind of error before what is said of a value. */
  readonly reason: string
  /** The line of the SQL that the engine points to, from 1. */
  readonly line: number | undefined
  /** The column of that line, from 1, where it can be told. */
  readonly column: number | undefined
  /** The name that the message is about, as it stands in the SQL. */
  readonly near: string | undefined

  constructor(
    readonly sql: string,
    cause: unknown,
  ) {
    const message = messageOf(cause)
    const machine = ABOUT_MACHINE.test(message) ? message : ''
    const retryable = /out of memory/i.test(machine) || EXPIRED.test(machine)
    const hint = hints.find(([pattern]) => pattern.test(machine))?.[1]
    const { said, near, similar } = readable(message)
    const tip = hint ?? similar
    super('engine', said, { cause, retryable, ...(tip ? { hint: tip } : {}) })
    this.near = near
    this.failedBy = failedBy(message)
    this.reason = said.replace(ABOUT_VALUE, '').replace(/^:\s*/, '')
    const line = /\nLINE (\d+):/.exec(message)
    this.line = line ? Number(line[1]) : undefined
    this.column = columnOf(message, sql)
  }
}
