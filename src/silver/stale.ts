import { fullName } from '../define/dataset.js'
import type { Silver } from '../define/model.js'
import { count } from '../engine/count.js'
import type { Relation, Session } from '../engine/engine.js'
import type { StepContext } from '../step/context.js'
import { tableFiles } from '../step/table-files.js'
import {
  keyedColumns,
  keysOf,
  newer,
  newestFirst,
  newestPlaceFirst,
  ROW_ID,
  removesKeys,
} from './keys.js'
import { filesOfKeys } from './merge.js'
import type { Deduplicated, Validated, Work } from './stages.js'

/**
 * The newest rows of keys that are invalid while an older, valid row of the key stays in the table.
 */
export interface Stale {
  rows: number
  /** Key and place of each, where there may be some. */
  relation?: Relation
}

/** Whether rows of a dataset can be stale. */
export const mayBeStale = ({ key, onInvalidUpdate }: Silver) =>
  key.length > 0 && onInvalidUpdate === 'keep'

/** Looks for stale rows, where any were discarded. */
export async function findStale(
  context: StepContext,
  session: Session,
  dataset: Silver,
  rows: Pick<Validated, 'rows' | 'flagged'> & Deduplicated,
  { incremental, discarded }: { incremental: boolean; discarded: number },
): Promise<Stale> {
  if (!mayBeStale(dataset) || discarded === 0) return { rows: 0 }
  const list = keysOf(dataset).join(', ')
  const { duplicates, latest, outrun } = rows
  const { antiJoin, semiJoin } = session.dialect.rows
  const invalid = await newestInvalid(session, dataset, rows)
  const newest = outrun
    ? {
        sql: `(SELECT * FROM ${antiJoin(invalid.sql, outrun.sql, { using: ROW_ID })})`,
      }
    : invalid
  // Keys alone are quicker to look at than all of the latest rows, and where no row takes a key
  // away, each that is fine tells of one.
  const valid =
    duplicates && !removesKeys(dataset)
      ? `SELECT ${list} FROM ${antiJoin(
          `(SELECT * FROM ${semiJoin(duplicates.sql, newest.sql, { using: list })})`,
          `(SELECT * FROM ${rows.flagged.sql} WHERE _reasons IS NOT NULL OR _superseded)`,
          { using: ROW_ID },
        )}`
      : `SELECT ${list} FROM ${latest.sql} WHERE _kind = 'valid'`
  return staleAmong({ context, session, dataset }, newest, { valid, incremental })
}

/** Invalid rows that are the newest of their key. */
export async function newestInvalid(
  session: Session,
  dataset: Silver,
  {
    rows,
    flagged: { sql: flagged },
    duplicates,
  }: Pick<Validated, 'rows' | 'flagged'> & Pick<Deduplicated, 'duplicates'>,
): Promise<Relation> {
  const list = keysOf(dataset).join(', ')
  const { qualify, semiJoin } = session.dialect.rows
  const readable = isReadable(dataset)
  const bad = `(SELECT * FROM ${flagged} WHERE _reasons IS NOT NULL AND ${readable})`
  const first = (order: string) => `row_number() OVER (PARTITION BY ${list} ORDER BY ${order}) = 1`
  const withReasons = (sql: string) => `SELECT * FROM (${sql}) WHERE _reasons IS NOT NULL`
  const ofPlaces = ({ sql }: Relation) => {
    // A row that is alone with its key is no duplicate.
    const sameKeys = `SELECT * FROM ${semiJoin(sql, bad, { using: list })} UNION SELECT ${keyedColumns(dataset)} FROM ${bad}`
    const from = `(${sameKeys}) AS k
         LEFT JOIN (SELECT ${ROW_ID}, _reasons, _superseded FROM ${flagged}) AS f USING (${ROW_ID})
         WHERE f._superseded IS NOT true`
    return withReasons(qualify('k.*, f._reasons', from, first(newestPlaceFirst(dataset))))
  }
  const among = `(SELECT * FROM ${rows.sql} WHERE ${readable})`
  const sameKeys = semiJoin(among, bad, { using: list })
  const ofValues = withReasons(qualify('*', sameKeys, first(newestFirst(dataset))))
  return session.materialize(duplicates ? ofPlaces(duplicates) : ofValues)
}

/** SQL that a validated row counts and has a whole key. */
const isReadable = (dataset: Silver) =>
  `NOT _superseded AND ${keysOf(dataset)
    .map((key) => `${key} IS NOT NULL`)
    .join(' AND ')}`

/**
 * The stale ones of invalid rows that are the newest of their key.
 *
 * @param valid SQL for keys that valid rows of this step have.
 */
export async function staleAmong(
  { context, session, dataset }: Work,
  newest: Relation,
  { valid, incremental }: { valid: string; incremental: boolean },
): Promise<Stale> {
  const keys = keysOf(dataset)
  const list = keys.join(', ')
  const isNone = (await count(session, `SELECT count(*) AS n FROM ${newest.sql}`)) === 0
  if (isNone) return { rows: 0 }
  const table = incremental ? await context.relations.table(fullName(dataset)) : undefined
  const all = [valid]
  let behind = newest.sql
  const { antiJoin, semiJoin } = session.dialect.rows
  if (table) {
    const tasks = await filesOfKeys(session, dataset, table, newest)
    const existing = session.tables.scan(table.schema, tableFiles(context.storage, table, tasks))
    const on = keys.map((key) => `e.${key} = w.${key}`).join(' AND ')
    const shown = keys.map((key) => `e.${key}`).join(', ')
    const { sql: met } = await session.materialize(
      `SELECT ${shown}, ${newer(dataset, 'e', 'w')} AS _newer FROM (${existing}) AS e JOIN ${newest.sql} AS w ON ${on}`,
    )
    all.push(`SELECT ${list} FROM ${met} WHERE NOT _newer`)
    // Where the table's row is the newer one, no invalid row is the newest of its key.
    const late = `(SELECT * FROM ${met} WHERE _newer)`
    behind = `(SELECT * FROM ${antiJoin(newest.sql, late, { using: list })})`
  }
  const relation = await session.materialize(
    `SELECT ${list}, _batch, _source_file, _source_line FROM ${semiJoin(behind, `(${all.join(' UNION ')})`, { using: list })}`,
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
