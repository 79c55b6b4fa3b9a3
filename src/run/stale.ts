import { fullName, type Silver } from '../define/dataset.js'
import type { Session } from '../engine/engine.js'
import type { RunContext } from './context.js'
import { candidates } from './merge.js'
import { tableFiles } from './table-files.js'
import {
  count,
  havePlaces,
  keyedColumns,
  keysOf,
  newer,
  newestFirst,
  newestPlaceFirst,
  PLACE,
  removesKeys,
} from './winners.js'

/**
 * Fills `stale` with the newest rows of keys that are invalid while an older, valid row of the key stays
 * in the table. Returns how many there are.
 */
export async function findStale(
  context: RunContext,
  session: Session,
  dataset: Silver,
  incremental: boolean,
  discarded: number,
): Promise<number> {
  const keys = keysOf(dataset)
  if (keys.length === 0 || dataset.onInvalidUpdate !== 'keep') return 0
  const list = keys.join(', ')
  if (discarded === 0) return none(session, list)
  const readable = `NOT _superseded AND ${keys.map((key) => `${key} IS NOT NULL`).join(' AND ')}`
  const bad = `(FROM flawed WHERE _reasons IS NOT NULL AND ${readable})`
  // A row that is alone with its key is not contested.
  const sameKeys = `FROM contested SEMI JOIN ${bad} USING (${list}) UNION SELECT ${keyedColumns(dataset)} FROM ${bad}`
  await session.run(
    havePlaces(dataset)
      ? `CREATE TEMP TABLE doubtful AS SELECT * FROM (
           SELECT k.*, f._reasons FROM (${sameKeys}) AS k
           LEFT JOIN (SELECT ${PLACE}, _reasons, _superseded FROM flawed) AS f USING (${PLACE})
           WHERE f._superseded IS NOT true
           QUALIFY row_number() OVER (PARTITION BY ${list} ORDER BY ${newestPlaceFirst(dataset)}) = 1)
         WHERE _reasons IS NOT NULL`
      : `CREATE TEMP TABLE doubtful AS SELECT * FROM (
           SELECT * FROM (FROM checked WHERE ${readable}) SEMI JOIN ${bad} USING (${list})
           QUALIFY row_number() OVER (PARTITION BY ${list} ORDER BY ${newestFirst(dataset)}) = 1)
         WHERE _reasons IS NOT NULL`,
  )
  if ((await count(session, 'SELECT count(*) AS n FROM doubtful')) === 0) return none(session, list)
  const table = incremental ? await context.relations.table(fullName(dataset)) : undefined
  // Keys alone are quicker to look at than winners, and where no row takes a key away, each that is fine tells of one.
  const valid = [
    havePlaces(dataset) && !removesKeys(dataset)
      ? `SELECT ${list} FROM (FROM contested SEMI JOIN doubtful USING (${list}))
         ANTI JOIN (FROM flawed WHERE _reasons IS NOT NULL OR _superseded) USING (${PLACE})`
      : `SELECT ${list} FROM winners WHERE _kind = 'valid'`,
  ]
  if (table) {
    const tasks = await candidates(session, dataset, table, 'doubtful')
    const existing = session.table(table.schema, tableFiles(context.storage, table, tasks))
    const on = keys.map((key) => `e.${key} = w.${key}`).join(' AND ')
    const shown = keys.map((key) => `e.${key}`).join(', ')
    valid.push(
      `SELECT ${shown} FROM (${existing}) AS e JOIN doubtful AS w ON ${on} WHERE NOT ${newer(dataset, 'e', 'w')}`,
    )
  }
  await session.run(
    `CREATE TEMP TABLE stale AS SELECT ${list}, _batch, _source_file, _source_line FROM doubtful
     SEMI JOIN (${valid.join(' UNION ')}) USING (${list})`,
  )
  return count(session, 'SELECT count(*) AS n FROM stale')
}

async function none(session: Session, keys: string): Promise<number> {
  const columns = `${keys}, _batch, _source_file, _source_line`
  await session.run(`CREATE TEMP TABLE stale AS SELECT ${columns} FROM flawed WHERE false`)
  return 0
}

/** SQL for a row of `flawed`: whether it is one of those. */
export function isStale(dataset: Silver): string {
  const keys = keysOf(dataset)
  if (keys.length === 0 || dataset.onInvalidUpdate !== 'keep') return 'false'
  const lineage = ['_batch', '_source_file', '_source_line']
  const same = [
    ...keys.map((key) => `s.${key} = flawed.${key}`),
    ...lineage.map((name) => `s.${name} IS NOT DISTINCT FROM flawed.${name}`),
  ]
  return `EXISTS (SELECT 1 FROM stale AS s WHERE ${same.join(' AND ')})`
}
