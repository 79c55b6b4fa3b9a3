import { quoteName } from '../../define/sql/sql.js'
import type { Relation, Session } from '../../engine/engine.js'
import { CHANGE, greatest } from './known-rows.js'

/** All rows that bronze has of a dataset, as texts. */
interface InBronze {
  sql: string
  columns: readonly string[]
}

/** Keys that bronze has and that are not known to be gone, each with its newest cursor. */
export function aliveKeys(
  session: Session,
  { sql, columns }: InBronze,
  key: readonly string[],
  cursor: string | undefined,
): Promise<Relation> {
  const { dialect } = session
  const keys = key.map(quoteName).join(', ')
  const shows = cursor !== undefined && columns.includes(cursor)
  const newest = shows ? greatest(quoteName(cursor), dialect) : 'CAST(NULL AS VARCHAR)'
  // Keys may be compared only since lately.
  const change = columns.includes(CHANGE) ? `coalesce(${CHANGE}, '')` : "''"
  return session.materialize(
    `SELECT ${keys}, ${newest} AS _newest FROM (${sql})
     GROUP BY ${keys} HAVING ${dialect.aggregates.maxBy(change, '_batch')} <> 'delete'`,
  )
}

/**
 * Rows that say that a key is gone. They have what the last row of the key had, since a dataset may
 * take its own key and cursor from any column; and the newest cursor that the key had: so they
 * count as newer than the rows it had, and a row that comes back as it was counts as newer than
 * them.
 *
 * @param gone keys, as {@link aliveKeys} gives them.
 */
export function goneRows(
  session: Session,
  known: InBronze,
  gone: Relation,
  {
    key,
    cursor,
    columns,
  }: { key: readonly string[]; cursor: string | undefined; columns: readonly string[] },
): Promise<Relation> {
  const { rows } = session.dialect
  const keys = key.map(quoteName).join(', ')
  const last = rows.qualify(
    known.columns.map(quoteName).join(', '),
    rows.semiJoin(`(${known.sql})`, gone.sql, { using: keys }),
    `row_number() OVER (PARTITION BY ${keys} ORDER BY _batch DESC, _source_file DESC, _source_line DESC) = 1`,
  )
  const texts = columns.map((name) => {
    const column = quoteName(name)
    if (key.includes(name)) return column
    if (name === cursor) return `g._newest AS ${column}`
    return known.columns.includes(name) ? `l.${column}` : `CAST(NULL AS VARCHAR) AS ${column}`
  })
  return session.materialize(
    `SELECT CAST(NULL AS VARCHAR) AS _error, CAST(NULL AS VARCHAR) AS _raw, ${texts.join(', ')}, 'delete' AS ${CHANGE}
     FROM ${gone.sql} AS g JOIN (${last}) AS l USING (${keys})`,
  )
}
