import type { Session } from '../engine/engine.js'
import { NearlySorted } from './nearly-sorted.js'
import type { Keyed } from './stages.js'

/**
 * First rows whose order tells whether all may be in order: so many that few other orders hold for
 * them.
 */
const SAMPLE = 200_000
/**
 * Keys that are looked at one by one, beside all rows, and at most: of more, all are put into
 * groups.
 */
const FEW = 0.05
const MOST = 500_000
/** What numbers of JavaScript count to without a gap. */
const EXACT = 2 ** 53

/**
 * Looks for keys that come more than once. Returns SQL that holds for rows of all keys that do, and
 * of few that do not; `undefined` where none does.
 *
 * @param isFlawed something is wrong with some rows: their order is often wrong, too.
 */
export async function findDuplicates(
  session: Session,
  keys: readonly string[],
  keyed: Keyed,
  isFlawed: boolean,
  sample = SAMPLE,
): Promise<string | undefined> {
  const from = keyed.relation.sql
  if (!isFlawed && (await areInOrder(session, keys, from, sample))) return undefined
  const packing = await packingOf(session, keys, keyed)
  const sorted =
    packing && packing.rows > sample && (await nearlySorted(session, packing, from, sample / 4))
  if (sorted) return sorted.none ? undefined : sorted.sql
  if (isFlawed && (await areInOrder(session, keys, from, sample))) return undefined
  // Hashes are quicker to group than keys.
  const hash = session.dialect.values.hash(...keys)
  const { sql: repeated } = await session.materialize(
    `SELECT ${hash} AS _hash FROM ${from} GROUP BY 1 HAVING count(*) > 1`,
  )
  const [found] = await session.rows(`SELECT 1 FROM ${repeated} LIMIT 1`)
  return found ? `${hash} IN (SELECT * FROM ${repeated})` : undefined
}

/**
 * Whether all rows come in the order of their keys, so that none comes twice: quick to see, and
 * often so.
 */
async function areInOrder(
  session: Session,
  keys: readonly string[],
  from: string,
  sample: number,
): Promise<boolean> {
  const few = `(SELECT ${keys.join(', ')} FROM ${from} LIMIT ${sample})`
  const likely = await ordersThatHold(session, keys, permutations(keys.slice(0, 3)), few)
  // Fewer rows than that are all that there are.
  if (likely.orders.length === 0 || likely.rows < sample) return likely.orders.length > 0
  return (await ordersThatHold(session, keys, likely.orders, from)).orders.length > 0
}

/**
 * Those orders of key columns in which each row comes after the one before, and how many rows were
 * looked at.
 */
async function ordersThatHold(
  session: Session,
  keys: readonly string[],
  orders: readonly (readonly string[])[],
  from: string,
): Promise<{ orders: readonly (readonly string[])[]; rows: number }> {
  const rises = ([key, ...others]: readonly string[]): string =>
    key === undefined
      ? 'false'
      : `(${key} > ${before(key)} OR (${key} = ${before(key)} AND ${rises(others)}))`
  const before = (key: string) => `_before${keys.indexOf(key)}`
  const falls = orders.map(
    (order, i) => `count(*) FILTER (WHERE ${rises(order)} IS NOT true) AS n${i}`,
  )
  const all = keys.map((key) => `${key}, lag(${key}) OVER () AS ${before(key)}`)
  const [found] = await session.rows(
    `SELECT count(*) AS n, ${falls.join(', ')} FROM (SELECT ${all.join(', ')} FROM ${from})`,
  )
  // There is none before the first row, which counts as one that does not.
  return {
    orders: orders.filter((_, i) => Number(found?.[`n${i}`]) <= 1),
    rows: Number(found?.n),
  }
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((p) => [item, ...p]))
}

/**
 * A column of a key that is made of integers: the least of them, and how many there are from it to
 * the greatest.
 */
interface Digit {
  column: string
  least: bigint
  size: number
}

/** How the columns of a key are made one number: the first ones count most. */
interface Packing {
  digits: readonly Digit[]
  rows: number
}

/** The key's columns, where all are integers that fit into one number together. */
async function packingOf(
  session: Session,
  keys: readonly string[],
  { relation, rows, extremes }: Keyed,
): Promise<Packing | undefined> {
  const all = `SELECT * FROM ${relation.sql}`
  const columns = await session.describe(`SELECT ${keys.join(', ')} FROM ${relation.sql}`)
  if (!columns.every(({ sqlType }) => /^(TINYINT|SMALLINT|INTEGER|BIGINT)$/.test(sqlType))) return
  const bounds = keys.map(
    (key, i) => `CAST(min(${key}) AS VARCHAR) AS low${i}, CAST(max(${key}) AS VARCHAR) AS high${i}`,
  )
  const counted = rows === undefined ? all : (extremes ?? all)
  const [found] = await session.rows(
    `SELECT ${rows ?? 'count(*)'} AS n, ${bounds.join(', ')} FROM (${counted})`,
  )
  const digits = keys.map((column, i) => {
    const [least, greatest] = [`low${i}`, `high${i}`].map((name) =>
      BigInt(String(found?.[name] ?? 0)),
    )
    return {
      column,
      least: least as bigint,
      size: Number((greatest as bigint) - (least as bigint)) + 1,
    }
  })
  const size = digits.reduce((product, digit) => product * digit.size, 1)
  return size < EXACT ? { digits, rows: Number(found?.n) } : undefined
}

/**
 * SQL for the number that a row's key is made; NULL where a part of the key is. As a floating point
 * number: whole ones are as exact, and quicker.
 */
function packed(digits: readonly Digit[]): string {
  const weights = digits.map((_, i) => digits.slice(i + 1).reduce((all, { size }) => all * size, 1))
  const parts = digits.map(
    ({ column, least }, i) =>
      `CAST(CAST(${column} AS BIGINT) - CAST('${least}' AS BIGINT) AS DOUBLE) * CAST(${weights[i]} AS DOUBLE)`,
  )
  return `(${parts.join(' + ')})`
}

/**
 * Repeated keys among rows that are nearly sorted by some order of the key's columns, or by the
 * first of them; `undefined` where they are not.
 */
async function nearlySorted(
  session: Session,
  { digits, rows }: Packing,
  from: string,
  first: number,
) {
  const whole = digits.map(({ column }) => `${column} IS NOT NULL`).join(' AND ')
  const numbers = (order: readonly Digit[], of: string) =>
    `SELECT ${packed(order)} FROM ${of} WHERE ${whole}`
  const sample: number[] = []
  const few = `(SELECT ${digits.map(({ column }) => column).join(', ')} FROM ${from} LIMIT ${Math.ceil(first)})`
  await session.numbers(numbers(digits, few), (n) => sample.push(n) > 0)
  const likely = likelyOrder(digits, sample)
  if (!likely) return undefined
  const sorted = new NearlySorted(likely.width)
  const most = Math.min(Math.max(rows * FEW, 1000), MOST)
  await session.numbers(numbers(likely.order, from), (n) => {
    sorted.take(n)
    return sorted.candidates.length <= most
  })
  sorted.close()
  const { candidates } = sorted
  if (candidates.length > most) return undefined
  const repeated = await session.materialize(
    'SELECT CAST(0 AS BIGINT) AS _nr, CAST(NULL AS VARCHAR) AS _key LIMIT 0',
  )
  await session.append(repeated, 0, [[...new Set(candidates)].map(String)])
  const sql = `${packed(likely.order)} IN (SELECT CAST(_key AS DOUBLE) FROM ${repeated.sql})`
  return { none: candidates.length === 0, sql }
}

/**
 * The order of columns, and the width of its groups, in which the fewest of some rows are out of
 * place.
 */
function likelyOrder(digits: readonly Digit[], sample: readonly number[]) {
  const most = sample.length * FEW
  let best: { order: readonly Digit[]; width: number; candidates: number } | undefined
  const orders = permutations(digits.slice(0, 3)).map((p) => [...p, ...digits.slice(3)])
  const ordered = orders.map((order) => ({ order, values: sample.map(repacking(digits, order)) }))
  // Of groups that are as good, small ones are quicker.
  for (let first = digits.length; first > 0 && !(best && best.candidates <= most / 5); first--)
    for (const { order, values } of ordered) {
      const width = order.slice(first).reduce((product, { size }) => product * size, 1)
      const sorted = new NearlySorted(width)
      values.some((value) => {
        sorted.take(value)
        return sorted.candidates.length > most
      })
      sorted.close()
      const candidates = sorted.candidates.length
      if (candidates <= most && candidates < (best?.candidates ?? most + 1))
        best = { order, width, candidates }
    }
  return best
}

/** From the number that a key is in one order of its columns to the one it is in another. */
function repacking(from: readonly Digit[], to: readonly Digit[]): (value: number) => number {
  const weights = new Map<Digit, number>()
  let weight = 1
  for (const digit of to.toReversed()) {
    weights.set(digit, weight)
    weight *= digit.size
  }
  return (value) => {
    let [rest, sum] = [value, 0]
    for (const digit of from.toReversed()) {
      sum += (rest % digit.size) * (weights.get(digit) ?? 0)
      rest = Math.floor(rest / digit.size)
    }
    return sum
  }
}
