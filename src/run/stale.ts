import { fullName, type Silver } from '../define/dataset.js'
import type { Session } from '../engine/engine.js'
import type { RunContext } from './context.js'
import { candidates } from './merge.js'
import { tableFiles } from './table-files.js'
import { count, keysOf, newer, newestFirst } from './winners.js'

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
  const readable = `NOT _superseded AND ${keys.map((key) => `${key} IS NOT NULL`).join(' AND ')}`
  const none = discarded === 0 ? ' AND false' : ''
  await session.run(
    `CREATE TEMP TABLE doubtful AS SELECT * FROM (
       SELECT * FROM (FROM checked WHERE ${readable})
       SEMI JOIN (FROM checked WHERE _reasons IS NOT NULL AND ${readable}${none}) USING (${list})
       QUALIFY row_number() OVER (PARTITION BY ${list} ORDER BY ${newestFirst(dataset)}) = 1)
     WHERE _reasons IS NOT NULL`,
  )
  const table = incremental ? await context.relations.table(fullName(dataset)) : undefined
  const valid = [`SELECT ${list} FROM winners WHERE _kind = 'valid'`]
  if (table && (await count(session, 'SELECT count(*) AS n FROM doubtful')) > 0) {
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

/** SQL for a row of `checked`: whether it is one of those. */
export function isStale(dataset: Silver): string {
  const keys = keysOf(dataset)
  if (keys.length === 0 || dataset.onInvalidUpdate !== 'keep') return 'false'
  const lineage = ['_batch', '_source_file', '_source_line']
  const same = [
    ...keys.map((key) => `s.${key} = checked.${key}`),
    ...lineage.map((name) => `s.${name} IS NOT DISTINCT FROM checked.${name}`),
  ]
  return `EXISTS (SELECT 1 FROM stale AS s WHERE ${same.join(' AND ')})`
}
