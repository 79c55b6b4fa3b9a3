import type { Silver, Sql } from '../define/model.js'
import { lookupOf } from '../define/sql/lookup.js'
import { renderSql } from '../define/sql/sql.js'
import type { Session } from '../engine/engine.js'
import { SqlError } from '../engine/sql-error.js'

/*
 * SQL of the user's may fail on a row: a cast that meets a word, a date that is none. The engine
 * then stops with the first such row. So that it costs nothing where all is well, a step is first
 * taken as it is; if a value makes it fail it is taken once more, with each expression tried on
 * each row by itself.
 */

/** Whether SQL failed by what is in a row, rather than by how it is written. */
export function isAboutValue(error: unknown): error is SqlError {
  return error instanceof SqlError && error.failedBy === 'value'
}

/** Takes a step of a dataset, and takes it carefully where it fails by a value. */
export async function carefully<C extends object, T>(
  context: C,
  dataset: Silver,
  step: (context: C & { careful?: boolean }) => Promise<T>,
): Promise<T> {
  try {
    return await step(context)
  } catch (error) {
    const hasSql = expressionsOf(dataset).length > 0 || dataset.rules.length > 0
    if (!hasSql || !isAboutValue(error)) throw error
    return step({ ...context, careful: true })
  }
}

/** SQL over the input's row, and what it is called. */
export function expressionsOf({ select, deleteWhen }: Silver): { said: string; sql: Sql }[] {
  const selected = Object.entries(select).flatMap(([name, sql]) =>
    typeof sql === 'string' || lookupOf(sql) ? [] : [{ said: `select of '${name}'`, sql }],
  )
  return [...selected, ...(deleteWhen ? [{ said: 'deleteWhen', sql: deleteWhen }] : [])]
}

/** Whether an expression can be tried: not with subqueries, nor with functions such as random(). */
export async function canBeTried(session: Session, sql: Sql, from: string): Promise<boolean> {
  try {
    await session.describe(
      `SELECT ${session.dialect.values.attempt(renderSql(sql))} FROM (${from}) AS i`,
    )
    return true
  } catch (error) {
    if (error instanceof SqlError && error.failedBy === 'trying') return false
    throw error
  }
}
