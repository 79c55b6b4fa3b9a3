import type { Silver } from '../define/dataset.js'
import { quoteName } from '../define/sql.js'
import type { Session } from '../engine/engine.js'

/**
 * What the newest row of a key says: that the key has these values, that it is gone, or (where
 * `onInvalidUpdate` removes) that nobody knows.
 */
const KIND = `CASE WHEN _reasons IS NOT NULL THEN 'invalid' WHEN _deleted THEN 'delete' ELSE 'valid' END`

/** Whether a dataset's rows can take keys away. */
export function removesKeys({ deleteWhen, onInvalidUpdate }: Silver): boolean {
  return deleteWhen !== undefined || onInvalidUpdate === 'remove'
}

export const keysOf = (dataset: Silver) => dataset.key.map(quoteName)

/** The number in the column `n` of a query's one row. */
export async function count(session: Session, sql: string): Promise<number> {
  return Number((await session.rows(sql))[0]?.n)
}

/**
 * Defines `winners`, one row a key: the newest by cursor, batch, file and row. Only rows whose key
 * appears again are compared. Returns how many rows of `checked` lost to a newer one.
 */
export async function pickWinners(session: Session, dataset: Silver): Promise<number> {
  const keys = keysOf(dataset).join(', ')
  const readable = keysOf(dataset).map((key) => `${key} IS NOT NULL`)
  const invalid = dataset.onInvalidUpdate === 'remove' ? ` OR (${readable.join(' AND ')})` : ''
  await session.run(
    `CREATE TEMP VIEW contenders AS SELECT *, ${KIND} AS _kind FROM checked
     WHERE NOT _superseded AND (_reasons IS NULL${invalid})`,
  )
  const repeated = keys === '' ? 0 : await findRepeated(session, keysOf(dataset))
  if (repeated === 0) {
    await session.run('CREATE TEMP VIEW winners AS FROM contenders')
    return 0
  }
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

/** Fills `repeated` with keys that several rows have; returns the rows beyond the first of each. */
async function findRepeated(session: Session, keys: readonly string[]): Promise<number> {
  if (await areUnique(session, keys)) return 0
  const names = keys.join(', ')
  const repeats = (columns: string, from: string) =>
    `SELECT ${columns} FROM ${from} GROUP BY ${names} HAVING count(*) > 1`
  await session.run(`CREATE TEMP TABLE suspects AS ${repeats(names, 'keyed')}`)
  await session.run(
    `CREATE TEMP TABLE repeated AS ${repeats(`${names}, count(*) - 1 AS _more`, `contenders SEMI JOIN suspects USING (${names})`)}`,
  )
  return count(session, 'SELECT coalesce(sum(_more), 0) AS n FROM repeated')
}

/** Rows whose order tells whether all may be in the order of their key. */
const SAMPLE = 10_000

/**
 * Looks for a proof that no key comes twice which is cheaper than grouping: rows that come in the order of
 * their keys, or as many hashes as rows.
 */
async function areUnique(session: Session, keys: readonly string[]): Promise<boolean> {
  const few = `(SELECT ${keys.join(', ')} FROM keyed LIMIT ${SAMPLE})`
  const likely = await ordersThatHold(session, keys, permutations(keys.slice(0, 3)), few)
  const rising = await ordersThatHold(session, keys, likely, 'keyed')
  if (rising.length > 0) return true
  const [row] = await session.rows(
    `SELECT count(*) AS n, count(DISTINCT hash(${keys.join(', ')})) AS h FROM keyed`,
  )
  return row?.n === row?.h
}

/** Those orders of key columns in which each row comes after the one before. */
async function ordersThatHold(
  session: Session,
  keys: readonly string[],
  orders: readonly (readonly string[])[],
  from: string,
): Promise<readonly (readonly string[])[]> {
  if (orders.length === 0) return []
  const rises = ([key, ...others]: readonly string[]): string =>
    key === undefined
      ? 'false'
      : `(${key} > _before.${key} OR (${key} = _before.${key} AND ${rises(others)}))`
  const falls = orders.map((order, i) => `count(*) FILTER (${rises(order)} IS NOT true) AS n${i}`)
  const row = `struct_pack(${keys.map((key) => `${key} := ${key}`).join(', ')})`
  const [found] = await session.rows(
    `SELECT ${falls.join(', ')} FROM (SELECT ${keys.join(', ')}, lag(${row}) OVER () AS _before FROM ${from})
     WHERE _before IS NOT NULL`,
  )
  return orders.filter((_, i) => found?.[`n${i}`] === 0n)
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((p) => [item, ...p]))
}

/** The order that decides between rows of one key. */
export function newestFirst(dataset: Silver): string {
  // Columns at the end settle ties between rows that have no lineage.
  const rest = Object.keys(dataset.schema.shape).filter((name) => name !== dataset.cursor)
  return [
    ...(dataset.cursor ? [`${quoteName(dataset.cursor)} DESC NULLS LAST`] : []),
    '_batch DESC',
    '_source_file DESC',
    '_source_line DESC',
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
