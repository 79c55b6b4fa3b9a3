import type { Sql } from '../define/model.js'
import { quoteName, renderSql } from '../define/sql/sql.js'
import type { Field } from '../define/types/column-type.js'
import type { Session } from '../engine/engine.js'
import type { Dialect } from '../sql/dialect.js'
import { atUserSql } from './sql-errors.js'

/** SQL for a relation with these columns and no rows. */
export function emptyRelation(columns: readonly Field[], { values }: Dialect): string {
  const nulls = columns.map((c) => `CAST(NULL AS ${values.type(c.type)}) AS ${quoteName(c.name)}`)
  return `SELECT ${nulls.join(', ')} WHERE false`
}

/** Binds a user's expression by itself, so that a mistake in it is shown where it stands. */
export async function bindExpression(
  session: Session,
  expression: Sql,
  from: string,
): Promise<void> {
  await atUserSql(expression, 1, () =>
    session.describe(`SELECT (\n${renderSql(expression)}\n) FROM (${from}) AS i`),
  )
}
