import type { Silver } from '../define/dataset.js'
import { quoteName } from '../define/sql.js'
import type { Session } from '../engine/engine.js'
import { findSuspects } from './suspects.js'

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

/** What is known of the rows of `keyed`. */
export interface Keyed {
  /** How many there are; `undefined` where that has to be counted. */
  rows: number | undefined
  /** SQL for keys among which are the least and the greatest of each column. */
  extremes: string
}

export const keysOf = (dataset: Silver) => dataset.key.map(quoteName)

/** The columns of `keyed`: key, cursor and place. */
export function keyedColumns({ key, cursor }: Silver): string {
  return [...new Set([...key, ...(cursor ? [cursor] : [])].map(quoteName)), PLACE].join(', ')
}

/** The number in the column `n` of a query's one row. */
export async function count(session: Session, sql: string): Promise<number> {
  return Number((await session.rows(sql))[0]?.n)
}

/**
 * Defines `winners`, one row a key: the newest by cursor, batch, file and row. Only rows whose key
 * appears again are compared. Where rows have places, `contested` has those of `keyed` whose key may appear again. Returns how
 * many rows of `checked` lost to a newer one.
 */
export async function pickWinners(
  session: Session,
  dataset: Silver,
  keyed: Partial<Keyed>,
): Promise<number> {
  const keys = keysOf(dataset).join(', ')
  const readable = keysOf(dataset).map((key) => `${key} IS NOT NULL`)
  const invalid = dataset.onInvalidUpdate === 'remove' ? ` OR (${readable.join(' AND ')})` : ''
  await session.run(
    `CREATE TEMP VIEW contenders AS SELECT *, ${KIND} AS _kind FROM checked
     WHERE NOT _superseded AND (_reasons IS NULL${invalid})`,
  )
  const suspects = keys === '' ? undefined : await findSuspects(session, keysOf(dataset), keyed)
  if (keys !== '' && havePlaces(dataset))
    await session.run(
      `CREATE TEMP TABLE contested AS SELECT ${keyedColumns(dataset)} FROM keyed WHERE ${suspects ?? 'false'}`,
    )
  if (!suspects) {
    await session.run('CREATE TEMP VIEW winners AS FROM contenders')
    return 0
  }
  if (havePlaces(dataset) && !removesKeys(dataset)) return findLosers(session, dataset)
  const repeated = await findRepeated(session, keys, suspects)
  await session.run(
    `CREATE TEMP TABLE newest AS SELECT * FROM (FROM contenders SEMI JOIN repeated USING (${keys}))
     QUALIFY row_number() OVER (PARTITION BY ${keys} ORDER BY ${newestFirst(dataset)}) = 1`,
  )
  await session.run(
    `CREATE TEMP VIEW winners AS FROM contenders ANTI JOIN repeated USING (${keys})
     UNION ALL BY NAME FROM newest`,
  )
  // Invalid rows are counted as discarded, whether they lost or not.
  const before = `SELECT count(*) AS n FROM contenders SEMI JOIN repeated USING (${keys}) WHERE _kind <> 'invalid'`
  const after = `SELECT count(*) AS n FROM newest WHERE _kind <> 'invalid'`
  return removesKeys(dataset)
    ? (await count(session, before)) - (await count(session, after))
    : repeated
}

/** Defines `winners` by the places of rows that lose: only keys, cursors and places are looked at. */
async function findLosers(session: Session, dataset: Silver): Promise<number> {
  const keys = keysOf(dataset).join(', ')
  await session.run(
    `CREATE TEMP TABLE losers AS SELECT ${PLACE} FROM contested
     ANTI JOIN (FROM flawed WHERE _reasons IS NOT NULL OR _superseded) USING (${PLACE})
     QUALIFY row_number() OVER (PARTITION BY ${keys} ORDER BY ${newestPlaceFirst(dataset)}) > 1`,
  )
  await session.run(
    `CREATE TEMP VIEW winners AS FROM contenders ANTI JOIN losers ON ${samePlace('contenders', 'losers')}`,
  )
  return count(session, 'SELECT count(*) AS n FROM losers')
}

/** The order that decides between rows of one key which have places. */
export function newestPlaceFirst({ cursor }: Silver): string {
  const places = PLACE.split(', ').reverse()
  return [
    ...(cursor ? [`${quoteName(cursor)} DESC NULLS LAST`] : []),
    ...places.map((name) => `${name} DESC`),
  ].join(', ')
}

/** Fills `repeated` with keys that several rows have; returns the rows beyond the first of each. */
async function findRepeated(session: Session, keys: string, suspects: string): Promise<number> {
  await session.run(
    `CREATE TEMP TABLE repeated AS SELECT ${keys}, count(*) - 1 AS _more FROM contenders
     WHERE ${suspects} GROUP BY ${keys} HAVING count(*) > 1`,
  )
  return count(session, 'SELECT coalesce(sum(_more), 0) AS n FROM repeated')
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
