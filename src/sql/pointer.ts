import { MoraineError } from '../errors.js'

/** Where a message of the engine points: the line, the part of it that is shown, and the mark. */
const POINTER = /\n+LINE (\d+): ([^\n]*)\n( *)\^\s*$/

/** A message without the line of SQL below it. */
export const withoutPointer = (message: string): string => message.replace(POINTER, '').trim()

/**
 * The character of a statement that a message points at, from 0; `undefined` where it points
 * nowhere, or the statement is another one.
 */
export function pointedAt(message: string, sql: string): number | undefined {
  const [, number, shown = '', indent = ''] = POINTER.exec(message) ?? []
  if (number === undefined) return undefined
  const lines = sql.split('\n')
  const line = lines[Number(number) - 1]
  if (line === undefined) return undefined
  const start = lines.slice(0, Number(number) - 1).reduce((sum, one) => sum + one.length + 1, 0)
  const column = indent.length - `LINE ${number}: `.length
  if (line === shown) return start + column
  // The engine shows a part of a long line, between dots.
  const part = shown.replace(/^\.\.\.|\.\.\.$/g, '')
  const at = line.indexOf(part)
  if (at < 0) return undefined
  return start + at + column - (shown.startsWith('...') ? 3 : 0)
}

/** The line of a character in a text, with a mark below it, as the engine shows it. */
export function pointAt(sql: string, at: number): string {
  const before = sql.slice(0, at).split('\n')
  const label = `LINE ${before.length}: `
  const line = sql.split('\n')[before.length - 1] ?? ''
  return `\n\n${label}${line}\n${' '.repeat(label.length + (before.at(-1) ?? '').length)}^`
}

/** A part of a statement that a user has written; what stands around it is Moraine's. */
export interface Fragment {
  /** As the user has it. */
  text: string
  /** The character of the statement at which it begins. */
  at: number
}

/**
 * An error of a statement as one of the parts that users have written: it shows their own text,
 * with the mark where the engine's is. What the engine finds wrong behind a part, it lacks at its
 * end.
 */
export function inFragments(error: unknown, sql: string, fragments: readonly Fragment[]): unknown {
  if (!(error instanceof MoraineError) || error.kind !== 'query') return error
  const at = pointedAt(error.message, sql)
  if (at === undefined) return error
  const own = fragments.findLast((one) => one.at <= at)
  const said = withoutPointer(error.message)
  const { hint, cause } = error
  const details = { ...(hint ? { hint } : {}), ...(cause === undefined ? {} : { cause }) }
  if (!own) return new MoraineError('query', said, details)
  const { text } = own
  const isWithin = at - own.at <= text.length
  // The word at which the engine gave up is none of the user's.
  const message = isWithin ? said : said.replace(/ at or near "[^"]*"/, ' at the end')
  return new MoraineError(
    'query',
    message + pointAt(text, isWithin ? at - own.at : text.trimEnd().length),
    details,
  )
}
