import { MoraineError, messageOf } from '../../../errors.js'
import { redact } from '../../../secrets.js'
import { PgError } from '../pg-error.js'

/** SQLSTATEs of what the engine says, by its words. */
const engineCodes: readonly (readonly [RegExp, string])[] = [
  [/^There is no table|^There is no '|needs its layer/, '42P01'],
  [/syntax error|^Parser Error|cannot be parsed/i, '42601'],
  [/^Unknown function|Function .* does not exist|No function matches/, '42883'],
  [/Referenced column|column .* not found|does not have a column/i, '42703'],
  [/^Ambiguous|Ambiguous reference/i, '42702'],
  [/^Conversion Error|Could not convert/i, '22P02'],
  [/^Out of Range Error|out of range/i, '22003'],
  [/division by zero/i, '22012'],
  [/must appear in the GROUP BY/i, '42803'],
  [/^Binder Error|^Catalog Error/i, '42804'],
  [/^Only SELECT|can be run here/, '25006'],
  [/cannot be called here|cannot be used here|may not|has no right|not allowed/i, '42501'],
]

const kinds: Readonly<Record<string, string>> = {
  query: '42000',
  limit: '54000',
  usage: '22023',
  cancelled: '57014',
  storage: '58030',
  engine: 'XX000',
  corrupt: 'XX001',
  conflict: '40001',
}

/** Marks below a line of SQL, as the engine shows where something is wrong. */
const POINTER = /\n+LINE (\d+): ([^\n]*)\n( *)\^\s*$/

/**
 * An error as clients hear of it.
 *
 * @param sql the statement, where places in it are those of the client's own text.
 */
export function pgErrorOf(error: unknown, sql?: string): PgError {
  if (error instanceof PgError) return error
  const text = redact(messageOf(error))
  const message = text.replace(POINTER, '').trim()
  const pointed = sql === undefined ? null : POINTER.exec(text)
  const position = pointed ? positionOf(sql as string, pointed) : undefined
  const isOurs = error instanceof MoraineError
  const byWords =
    isOurs && error.kind !== 'query'
      ? undefined
      : engineCodes.find(([words]) => words.test(message))?.[1]
  const code = byWords ?? (isOurs ? kinds[error.kind] : undefined) ?? 'XX000'
  const hint = isOurs && error.hint ? redact(error.hint) : undefined
  return new PgError(code, message, { hint, position, cause: error })
}

/** The character that a mark stands below, from 1; `undefined` where the line was cut. */
function positionOf(sql: string, [, number, shown = '', indent = '']: RegExpExecArray) {
  const lines = sql.split('\n')
  const line = lines[Number(number) - 1]
  const label = `LINE ${number}: `.length
  if (line === undefined) return undefined
  const column = indent.length - label
  const before = lines.slice(0, Number(number) - 1).join('\n').length
  const start = Number(number) > 1 ? before + 1 : 0
  if (line === shown) return start + column + 1
  // The engine shows a part of a long line, between dots.
  const part = shown.replace(/^\.\.\.|\.\.\.$/g, '')
  const at = line.indexOf(part)
  if (at < 0) return undefined
  return start + at + column - (shown.startsWith('...') ? 3 : 0) + 1
}
