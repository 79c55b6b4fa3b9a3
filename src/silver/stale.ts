import { fullName } from '../define/dataset.js'
import type { Silver } from '../define/model.js'
import { count } from '../engine/count.js'
import type { Relation, Session } from '../engine/engine.js'
import type { RunContext } from '../step/context.js'
import { tableFiles } from '../step/table-files.js'
import {
  keyedColumns,
  keysOf,
  newer,
  newestFirst,
  newestPlaceFirst,
  PLACE,
  removesKeys,
} from './keys.js'
import { filesOfKeys } from './merge.js'
import type { Deduplicated, Validated } from './stages.js'

/** The newest rows of keys that are invalid while an older, valid row of the key stays in the table. */
export interface Stale {
  rows: number
  /** Key and place of each, where there may be some. */
  relation?: Relation
}

/** Looks for stale rows, where any were discarded. */
export async function findStale(
  context: RunContext,
  session: Session,
  dataset: Silver,
  rows: Pick<Validated, 'rows' | 'flagged'> & Deduplicated,
  { incremental, discarded }: { incremental: boolean; discarded: number },
): Promise<Stale> {
  const keys = keysOf(dataset)
  if (keys.length === 0 || dataset.onInvalidUpdate !== 'keep' || discarded === 0) return { rows: 0 }
  const list = keys.join(', ')
  const { duplicates, latest } = rows
  const flagged = rows.flagged.sql
  const readable = `NOT _superseded AND ${keys.map((key) => `${key} IS NOT NULL`).join(' AND ')}`
  const bad = `(FROM ${flagged} WHERE _reasons IS NOT NULL AND ${readable})`
  const ofPlaces = ({ sql }: Relation) => {
    // A row that is alone with its key is no duplicate.
    const sameKeys = `FROM ${sql} SEMI JOIN ${bad} USING (${list}) UNION SELECT ${keyedColumns(dataset)} FROM ${bad}`
    return `SELECT * FROM (
         SELECT k.*, f._reasons FROM (${sameKeys}) AS k
         LEFT JOIN (SELECT ${PLACE}, _reasons, _superseded FROM ${flagged}) AS f USING (${PLACE})
         WHERE f._superseded IS NOT true
         QUALIFY row_number() OVER (PARTITION BY ${list} ORDER BY ${newestPlaceFirst(dataset)}) = 1)
       WHERE _reasons IS NOT NULL`
  }
  const ofValues = `SELECT * FROM (
       SELECT * FROM (FROM ${rows.rows.sql} WHERE ${readable}) SEMI JOIN ${bad} USING (${list})
       QUALIFY row_number() OVER (PARTITION BY ${list} ORDER BY ${newestFirst(dataset)}) = 1)
     WHERE _reasons IS NOT NULL`
  const newest = await session.materialize(duplicates ? ofPlaces(duplicates) : ofValues)
  const isNone = (await count(session, `SELECT count(*) AS n FROM ${newest.sql}`)) === 0
  if (isNone) return { rows: 0 }
  const table = incremental ? await context.relations.table(fullName(dataset)) : undefined
  // Keys alone are quicker to look at than all of the latest rows, and where no row takes a key away, each that is fine tells of one.
  const valid = [
    duplicates && !removesKeys(dataset)
      ? `SELECT ${list} FROM (FROM ${duplicates.sql} SEMI JOIN ${newest.sql} USING (${list}))
         ANTI JOIN (FROM ${flagged} WHERE _reasons IS NOT NULL OR _superseded) USING (${PLACE})`
      : `SELECT ${list} FROM ${latest.sql} WHERE _kind = 'valid'`,
  ]
  if (table) {
    const tasks = await filesOfKeys(session, dataset, table, newest)
    const existing = session.tables.scan(table.schema, tableFiles(context.storage, table, tasks))
    const on = keys.map((key) => `e.${key} = w.${key}`).join(' AND ')
    const shown = keys.map((key) => `e.${key}`).join(', ')
    valid.push(
      `SELECT ${shown} FROM (${existing}) AS e JOIN ${newest.sql} AS w ON ${on} WHERE NOT ${newer(dataset, 'e', 'w')}`,
    )
  }
  const relation = await session.materialize(
    `SELECT ${list}, _batch, _source_file, _source_line FROM ${newest.sql}
     SEMI JOIN (${valid.join(' UNION ')}) USING (${list})`,
  )
  const found = await count(session, `SELECT count(*) AS n FROM ${relation.sql}`)
  return { rows: found, relation }
}

/** SQL for a row of flagged ones, `f`: whether it is stale. */
export function isStale(dataset: Silver, { relation }: Stale): string {
  if (!relation) return 'false'
  const keys = keysOf(dataset)
  const lineage = ['_batch', '_source_file', '_source_line']
  const same = [
    ...keys.map((key) => `s.${key} = f.${key}`),
    ...lineage.map((name) => `s.${name} IS NOT DISTINCT FROM f.${name}`),
  ]
  return `EXISTS (SELECT 1 FROM ${relation.sql} AS s WHERE ${same.join(' AND ')})`
}
