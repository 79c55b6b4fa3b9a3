import type { Silver } from '../define/dataset.js'
import { quoteName } from '../define/sql/sql.js'
import { count } from '../engine/count.js'
import type { Relation, Session } from '../engine/engine.js'
import { findDuplicates } from './duplicates.js'
import type { Validated } from './validate.js'

/**
 * What the newest row of a key says: that the key has these values, that it is gone, or (where
 * `onInvalidUpdate` removes) that nobody knows.
 */
const KIND = `CASE WHEN _reasons IS NOT NULL THEN 'invalid' WHEN _deleted THEN 'delete' ELSE 'valid' END`

/** Whether a dataset's rows can take keys away. */
export function removesKeys({ deleteWhen, onInvalidUpdate }: Silver): boolean {
  return deleteWhen !== undefined || onInvalidUpdate === 'remove'
}

/** What no two rows of bronze have in common. */
export const PLACE = '_source_line, _source_file, _batch'

/** Whether rows are told apart by where they were read. */
export function havePlaces({ from }: Silver): boolean {
  return from.length === 1 && from[0]?.tier === 'bronze'
}

/** SQL that rows of two relations have the same place. One number is quick to compare, texts that are looked at where it is equal cost nothing. */
export function samePlace(a: string, b: string): string {
  const same = (column: string) =>
    `${a}.${column} <= ${b}.${column} AND ${a}.${column} >= ${b}.${column}`
  return `${a}._source_line = ${b}._source_line AND ${same('_source_file')} AND ${same('_batch')}`
}

/** Key, cursor and place of rows, and what is known of them without looking. */
export interface Keyed {
  relation: Relation
  /** How many there are. */
  rows?: number
  /** SQL for keys among which are the least and the greatest of each column. */
  extremes?: string
}

/** The rows of a step, of which one a key is the latest. */
export interface Deduplicated {
  /** Rows of which one may be its key's latest, with what it says of the key in `_kind`. */
  candidates: Relation
  /** One row a key: the newest by cursor, batch, file and row. */
  latest: Relation
  /** Key, cursor and place of rows whose key may come more than once; only where rows have places. */
  duplicates: Relation | undefined
  /** Valid rows that lost to a newer one. */
  superseded: number
}

export const keysOf = (dataset: Silver) => dataset.key.map(quoteName)

/** The columns of keyed rows: key, cursor and place. */
export function keyedColumns({ key, cursor }: Silver): string {
  return [...new Set([...key, ...(cursor ? [cursor] : [])].map(quoteName)), PLACE].join(', ')
}

/** Finds the latest row of each key. Only rows whose key comes again are compared. */
export async function deduplicate(
  session: Session,
  dataset: Silver,
  validated: Validated,
): Promise<Deduplicated> {
  const keys = keysOf(dataset).join(', ')
  const readable = keysOf(dataset).map((key) => `${key} IS NOT NULL`)
  const invalid = dataset.onInvalidUpdate === 'remove' ? ` OR (${readable.join(' AND ')})` : ''
  const { rows, flagged, keyed } = validated
  const candidates = await session.view(
    `SELECT *, ${KIND} AS _kind FROM ${rows.sql} WHERE NOT _superseded AND (_reasons IS NULL${invalid})`,
  )
  const isRepeated =
    keys === '' ? undefined : await findDuplicates(session, keysOf(dataset), keyed, flagged)
  const duplicates =
    keys !== '' && havePlaces(dataset)
      ? await session.materialize(
          `SELECT ${keyedColumns(dataset)} FROM ${keyed.relation.sql} WHERE ${isRepeated ?? 'false'}`,
        )
      : undefined
  if (!isRepeated) return { candidates, latest: candidates, duplicates, superseded: 0 }
  if (duplicates && !removesKeys(dataset)) {
    const found = { candidates, duplicates, flagged }
    return { candidates, duplicates, ...(await latestByPlace(session, dataset, found)) }
  }
  return {
    candidates,
    duplicates,
    ...(await latestByValue(session, dataset, candidates, isRepeated)),
  }
}

type Latest = Pick<Deduplicated, 'latest' | 'superseded'>

/** Finds the latest rows by the places of those that are not: only keys, cursors and places are looked at. */
async function latestByPlace(
  session: Session,
  dataset: Silver,
  { candidates, duplicates, flagged }: Record<'candidates' | 'duplicates' | 'flagged', Relation>,
): Promise<Latest> {
  const keys = keysOf(dataset).join(', ')
  const superseded = await session.materialize(
    `SELECT ${PLACE} FROM ${duplicates.sql}
     ANTI JOIN (FROM ${flagged.sql} WHERE _reasons IS NOT NULL OR _superseded) USING (${PLACE})
     QUALIFY row_number() OVER (PARTITION BY ${keys} ORDER BY ${newestPlaceFirst(dataset)}) > 1`,
  )
  const latest = await session.view(
    `FROM ${candidates.sql} AS c ANTI JOIN ${superseded.sql} AS s ON ${samePlace('c', 's')}`,
  )
  return {
    latest,
    superseded: await count(session, `SELECT count(*) AS n FROM ${superseded.sql}`),
  }
}

/** Finds the latest rows by all that rows have. */
async function latestByValue(
  session: Session,
  dataset: Silver,
  { sql: candidates }: Relation,
  isRepeated: string,
): Promise<Latest> {
  const keys = keysOf(dataset).join(', ')
  const { sql: repeated } = await session.materialize(
    `SELECT ${keys}, count(*) - 1 AS _more FROM ${candidates} WHERE ${isRepeated} GROUP BY ${keys} HAVING count(*) > 1`,
  )
  const { sql: newest } = await session.materialize(
    `SELECT * FROM (FROM ${candidates} SEMI JOIN ${repeated} USING (${keys}))
     QUALIFY row_number() OVER (PARTITION BY ${keys} ORDER BY ${newestFirst(dataset)}) = 1`,
  )
  const latest = await session.view(
    `FROM ${candidates} ANTI JOIN ${repeated} USING (${keys}) UNION ALL BY NAME FROM ${newest}`,
  )
  if (!removesKeys(dataset)) {
    const all = `SELECT coalesce(sum(_more), 0) AS n FROM ${repeated}`
    return { latest, superseded: await count(session, all) }
  }
  // Invalid rows are counted as discarded, whether they lost or not.
  const before = `SELECT count(*) AS n FROM ${candidates} SEMI JOIN ${repeated} USING (${keys}) WHERE _kind <> 'invalid'`
  const after = `SELECT count(*) AS n FROM ${newest} WHERE _kind <> 'invalid'`
  return { latest, superseded: (await count(session, before)) - (await count(session, after)) }
}

/** The order that decides between rows of one key which have places. */
export function newestPlaceFirst({ cursor }: Silver): string {
  const places = PLACE.split(', ').reverse()
  return [
    ...(cursor ? [`${quoteName(cursor)} DESC NULLS LAST`] : []),
    ...places.map((name) => `${name} DESC`),
  ].join(', ')
}

/** The order that decides between rows of one key. */
export function newestFirst(dataset: Silver): string {
  // Columns at the end settle ties between rows that have no lineage.
  const rest = Object.keys(dataset.schema.shape).filter((name) => name !== dataset.cursor)
  return [
    newestPlaceFirst(dataset),
    ...rest.map((name) => `${quoteName(name)} DESC NULLS LAST`),
  ].join(', ')
}

/** SQL that row `a` is newer than row `b` of its key, by cursor and batch. */
export function newer(dataset: Silver, a: string, b: string): string {
  const batch = `coalesce(${a}._batch > ${b}._batch, false)`
  if (!dataset.cursor) return batch
  const cursor = quoteName(dataset.cursor)
  return `CASE WHEN ${a}.${cursor} IS NOT DISTINCT FROM ${b}.${cursor} THEN ${batch}
    WHEN ${a}.${cursor} IS NULL THEN false WHEN ${b}.${cursor} IS NULL THEN true
    ELSE ${a}.${cursor} > ${b}.${cursor} END`
}
