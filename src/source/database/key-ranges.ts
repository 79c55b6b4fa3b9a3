import type { Range } from './reader.js'

/**
 * A column of whole numbers, its least and its greatest value, and into how many ranges to cut what
 * lies between.
 */
export type Spread = readonly [column: string, low: string, high: string, count: number]

/** How to cut a table of so many bytes into ranges of about `bytes`. */
export function spreadOf(
  column: string,
  [low, high]: readonly (string | null | undefined)[],
  size: number,
  bytes: number,
): Spread | undefined {
  if (low == null || high == null) return undefined
  const most = Number(BigInt(high) - BigInt(low)) + 1
  return [column, low, high, Math.min(Math.max(1, Math.ceil(size / bytes)), most)]
}

/** A table that is read as a whole. */
export const wholeTable = { ranges: [{}], epoch: '' }

/** Ranges of a table by its key, the same ones as an epoch says. */
export async function rangesByKey(
  epoch: string | undefined,
  quote: (name: string) => string,
  find: () => Promise<Spread | undefined>,
): Promise<{ ranges: Range[]; epoch: string }> {
  const spread = epoch ? (JSON.parse(epoch) as Spread) : await find()
  return spread ? keyRanges(spread, quote) : wholeTable
}

/** Ranges of a key that have all rows between them; the spread is their epoch. */
function keyRanges(
  spread: Spread,
  quote: (name: string) => string,
): { ranges: Range[]; epoch: string } {
  const [key, low, high, count] = spread
  const [least, span] = [BigInt(low), BigInt(high) - BigInt(low) + 1n]
  const starts = Array.from({ length: count }, (_, i) => least + (span * BigInt(i)) / BigInt(count))
  const name = quote(key)
  const ranges = rangesBetween(starts, (compared, start) => `${name} ${compared} ${start}`)
  return { ranges, epoch: JSON.stringify(spread) }
}

/**
 * Ranges that begin at each of some values, and have all rows between them: the first has those
 * before it, the last those after.
 */
export function rangesBetween<T>(
  starts: readonly T[],
  condition: (compared: '>=' | '<', start: T) => string,
): Range[] {
  return starts.map((start, i) => {
    const end = starts[i + 1]
    const found = [
      ...(i > 0 ? [condition('>=', start)] : []),
      ...(end === undefined ? [] : [condition('<', end)]),
    ]
    return {
      ...(found.length > 0 ? { condition: found.join(' AND ') } : {}),
      ...(i > 0 ? { before: condition('<', start) } : {}),
    }
  })
}
