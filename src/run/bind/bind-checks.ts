import { fullName } from '../../define/dataset.js'
import type { Check, Gold, Silver } from '../../define/model.js'
import { nearest } from '../../define/nearest.js'
import { renderSql } from '../../define/sql/sql.js'
import type { Field } from '../../define/types/column-type.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { emptyRelation } from '../../step/expressions.js'
import { atUserSql } from '../../step/sql-errors.js'

/**
 * Binds a check of a whole table, whose columns are known.
 *
 * @throws MoraineError where it names columns that the table does not have, or its SQL does not
 * bind.
 */
export async function bindCheck(
  session: Session,
  dataset: Silver | Gold,
  check: Check,
  fields: readonly Field[],
): Promise<void> {
  const names = fields.map(({ name }) => name)
  for (const column of 'columns' in check ? check.columns : []) {
    if (names.includes(column)) continue
    const similar = nearest(column, names)
    throw new MoraineError(
      'definition',
      `${fullName(dataset)}: check.${check.check} '${column}' is not a column of the table`,
      {
        place: dataset.place && { ...dataset.place, near: `'${column}'` },
        hint: similar ? `Did you mean '${similar}'?` : `Its columns are: ${names.join(', ')}`,
      },
    )
  }
  if (check.check !== 'sql') return
  await session.defineHere('this_table', emptyRelation(fields, session.dialect))
  await atUserSql(check.query, 1, () =>
    session.describe(`SELECT count(*) AS n FROM (\n${renderSql(check.query)}\n)`),
  )
}
