import { MoraineError, messageOf } from '../../../errors.js'
import { redact } from '../../../secrets.js'
import { pointedAt, withoutPointer } from '../../../sql/pointer.js'
import { isForClients, OWN_FAILURE } from '../../own-failure.js'
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

/**
 * An error as clients hear of it.
 *
 * @param sql the statement, where places in it are those of the client's own text.
 */
export function pgErrorOf(error: unknown, sql?: string): PgError {
  if (error instanceof PgError) return error
  if (!isForClients(error)) {
    const code = (error instanceof MoraineError ? kinds[error.kind] : undefined) ?? 'XX000'
    return new PgError(code, OWN_FAILURE, { cause: error })
  }
  const text = redact(messageOf(error))
  const message = withoutPointer(text)
  const at = sql === undefined ? undefined : pointedAt(text, sql)
  const position = at === undefined ? undefined : at + 1
  const byWords =
    error.kind !== 'query' ? undefined : engineCodes.find(([words]) => words.test(message))?.[1]
  const code = byWords ?? kinds[error.kind] ?? 'XX000'
  const hint = error.hint ? redact(error.hint) : undefined
  return new PgError(code, message, { hint, position, cause: error })
}

/** An error as clients hear of it; the log hears of what was no fault of theirs. */
export function toldOf(error: unknown, onError: (error: unknown) => void): PgError {
  const found = pgErrorOf(error)
  const inner = error instanceof PgError ? error.cause : error
  if (inner !== undefined && !isForClients(inner)) onError(inner)
  return found
}
