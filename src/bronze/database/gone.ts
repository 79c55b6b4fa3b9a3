import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import { countOf } from '../../define/thousands.js'
import { count } from '../../engine/count.js'
import type { Relation, Session } from '../../engine/engine.js'
import type { LakeState } from '../../log/commit.js'
import { type RunContext, withSession } from '../../step/context.js'
import { bronzeRows, CHANGE, greatest } from './known-rows.js'

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

/**
 * What is said of rows that a batch has brought back with an older cursor than their key has had:
 * tables that order rows by a cursor take the deletion for newer.
 */
export async function noteOlder(
  context: RunContext,
  state: LakeState,
  dataset: Bronze,
  { batch, key, cursor }: { batch: string; key: readonly string[]; cursor: string },
): Promise<string[]> {
  const readers = context.lake.datasets.flatMap((reader) =>
    reader.tier === 'silver' && reader.cursor && reader.from.includes(dataset)
      ? [fullName(reader)]
      : [],
  )
  if (readers.length === 0) return []
  const name = fullName(dataset)
  const rows = await withSession(context, name, async (session) => {
    const { storage } = context
    const { sql, columns } = await bronzeRows({ session, storage, state, dataset })
    if (!columns.includes(cursor)) return 0
    const { dialect } = session
    const keys = key.map(quoteName).join(', ')
    const isBack = `_batch = ${quoteText(batch)} AND coalesce(${CHANGE}, '') <> 'delete'`
    const back = `(SELECT ${keys} FROM (${sql}) WHERE ${isBack})`
    const column = quoteName(cursor)
    const now = `CASE WHEN ${isBack} THEN ${column} END`
    return count(
      session,
      `SELECT count(*) AS n FROM (SELECT ${greatest(column, dialect)} AS _newest, ${greatest(now, dialect)} AS _now
       FROM ${dialect.rows.semiJoin(`(${sql})`, back, { using: keys })} GROUP BY ${keys}) WHERE _now IS DISTINCT FROM _newest`,
    )
  })
  if (rows === 0) return []
  const [keep, are, have] = [
    readers.length === 1 ? 'keeps' : 'keep',
    rows === 1 ? 'is' : 'are',
    rows === 1 ? 'it has' : 'they have',
  ]
  return [
    `${countOf(rows, 'row')} ${are} back with an older ${cursor} than before the deletion: ${readers.join(', ')} ${keep} the deletion until ${have} a newer one`,
  ]
}
