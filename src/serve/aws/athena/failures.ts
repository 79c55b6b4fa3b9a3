import { MoraineError, messageOf } from '../../../errors.js'
import { RefusedUpdate } from '../../../iceberg/spec/updates/refused.js'
import { redact } from '../../../secrets.js'
import { failureIn } from '../../../sql/trino/write/written.js'
import { asRestError, RestError } from '../../rest/errors.js'
import { AwsError } from '../protocol/failure.js'
import { COMMIT_LOST_TYPE } from './execution.js'
import { NotStored } from './results/stored-files.js'

/** Why a statement failed, in words that clients know, and whose fault it was. */
export function failureOf(error: unknown): { reason: string; category: number; type: number } {
  const lost = commitLost(error)
  if (lost) return lost
  if (isUnknown(error))
    return { reason: `INTERNAL_ERROR: ${(error as Error).message}`, category: 1, type: 0 }
  if (error instanceof NotStored)
    return error.isFull
      ? { reason: `EXCEEDED_LIMIT: ${error.message}`, category: 2, type: 1 }
      : { reason: `INTERNAL_ERROR: ${error.message}`, category: 1, type: 0 }
  if (error instanceof RestError && error.status < 500)
    return { reason: `NOT_SUPPORTED: ${redact(error.message)}`, category: 2, type: 1 }
  if (error instanceof AwsError) return { reason: error.message, category: 2, type: 1 }
  const told = failureIn(messageOf(error))
  const { kind = 'internal', hint } = error instanceof MoraineError ? error : {}
  const message = told ?? messageOf(error)
  const whole = redact(hint === undefined || told !== undefined ? message : `${message}\n${hint}`)
  const isUsers = ['query', 'usage', 'limit', 'definition'].includes(kind)
  if (!isUsers)
    return {
      reason: 'INTERNAL_ERROR: The server failed to run the statement',
      category: 1,
      type: 0,
    }
  const code = codeOf(message, kind)
  return { reason: `${code}: ${whole}`, category: 2, type: code === 'SYNTAX_ERROR' ? 1006 : 1 }
}

/** Whether nobody knows if the commit of a statement is there. */
export const isUnknown = (error: unknown): boolean =>
  error instanceof RestError && error.type === 'CommitStateUnknownException'

/** That another writer was faster: clients know the code, and try again. */
function commitLost(error: unknown): ReturnType<typeof failureOf> | undefined {
  const rest = error instanceof RefusedUpdate ? asRestError(error) : error
  if (rest instanceof RestError && rest.type === 'CommitFailedException')
    return { reason: `${COMMIT_LOST}: ${rest.message}`, category: 2, type: COMMIT_LOST_TYPE }
  if (error instanceof MoraineError && error.kind === 'conflict')
    return { reason: `${COMMIT_LOST}: ${error.message}`, category: 2, type: COMMIT_LOST_TYPE }
  if (error instanceof RefusedUpdate)
    return { reason: `NOT_SUPPORTED: ${error.message}`, category: 2, type: 1 }
  return undefined
}

const COMMIT_LOST = 'ICEBERG_COMMIT_ERROR'

function codeOf(message: string, kind: string): string {
  if (kind === 'limit') return 'EXCEEDED_LIMIT'
  if (/cannot be resolved/.test(message)) return 'COLUMN_NOT_FOUND'
  if (/Table .* does not exist/.test(message)) return 'TABLE_NOT_FOUND'
  if (/Schema .* does not exist/.test(message)) return 'SCHEMA_NOT_FOUND'
  if (/matched more than one source row/.test(message)) return 'MERGE_TARGET_ROW_MULTIPLE_MATCHES'
  if (/, and the value is /.test(message)) return 'TYPE_MISMATCH'
  if (/^NULL value not allowed/.test(message)) return 'CONSTRAINT_VIOLATION'
  if (/Division by zero/.test(message)) return 'DIVISION_BY_ZERO'
  if (/is not translated|is not served/.test(message)) return 'NOT_SUPPORTED'
  if (/^line \d+:\d+/.test(message)) return 'SYNTAX_ERROR'
  return 'GENERIC_USER_ERROR'
}
