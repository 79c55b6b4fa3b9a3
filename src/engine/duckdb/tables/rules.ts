import type { TableRules } from '../../../define/access/rights.js'
import { quoteName } from '../../../define/sql/sql.js'

/**
 * A relation without what is kept from whoever asks. A mask that fails shows NULL, and a condition
 * that does, no row: the engine's message could have the value.
 *
 * `OFFSET 0` keeps conditions of the query above those of the rules. The engine moves conditions
 * down to where rows are read; one that fails there would show values of rows that are not seen.
 */
export function withRules(relation: string, { masks, rows }: TableRules): string {
  const shown = Object.entries(masks).map(
    ([column, mask]) => `TRY((${mask}\n)) AS ${quoteName(column)}`,
  )
  const columns = shown.length > 0 ? `* REPLACE (${shown.join(', ')})` : '*'
  const where = rows === undefined ? '' : ` WHERE coalesce(TRY((${rows}\n)), false)`
  return `SELECT ${columns} FROM (${relation})${where} OFFSET 0`
}
