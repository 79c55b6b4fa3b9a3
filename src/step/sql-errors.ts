import type { Sql } from '../define/model.js'
import { placeInSql } from '../define/sql/sql-places.js'
import { SqlError } from '../engine/sql-error.js'
import { MoraineError } from '../errors.js'

/**
 * Runs something that puts a user's SQL before the engine; an error names the line in the user's
 * file. `before` counts the lines that stand before it in the text that the engine saw.
 */
export async function atUserSql<T>(sql: Sql, before: number, use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } catch (error) {
    if (!(error instanceof SqlError)) throw error
    const line = error.line === undefined ? 1 : Math.max(1, error.line - before)
    throw new MoraineError(error.kind, error.message, {
      cause: error,
      retryable: error.retryable,
      place: placeInSql(sql, { line, column: error.column, near: error.near }),
      ...(error.hint ? { hint: error.hint } : {}),
    })
  }
}
