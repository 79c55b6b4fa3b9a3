import type { DatabaseSource } from '../../define/source.js'
import type { Range } from './reader.js'

/** A column of whole numbers, its least and its greatest value, and into how many ranges to cut what lies between. */
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

/** Ranges of a source by the key of its table, the same ones as an epoch says. */
export async function rangesByKey(
  { reads }: DatabaseSource,
  epoch: string | undefined,
  quote: (name: string) => string,
  find: (table: string) => Promise<Spread | undefined>,
): Promise<{ ranges: Range[]; epoch: string }> {
  if (!('table' in reads)) return keyRanges(undefined, quote)
  const known = epoch ? (JSON.parse(epoch) as Spread) : undefined
  return keyRanges(known ?? (await find(reads.table)), quote)
}

/** Ranges of a key that have all rows between them; the spread is their epoch. */
function keyRanges(
  spread: Spread | undefined,
  quote: (name: string) => string,
): { ranges: Range[]; epoch: string } {
  if (!spread) return { ranges: [{}], epoch: '' }
  const [key, low, high, count] = spread
  const [least, span] = [BigInt(low), BigInt(high) - BigInt(low) + 1n]
  const starts = Array.from({ length: count }, (_, i) => least + (span * BigInt(i)) / BigInt(count))
  const name = quote(key)
  const ranges = starts.map((start, i) => {
    const end = starts[i + 1]
    const parts = [
      ...(i > 0 ? [`${name} >= ${start}`] : []),
      ...(end === undefined ? [] : [`${name} < ${end}`]),
    ]
    return parts.length > 0 ? { condition: parts.join(' AND ') } : {}
  })
  return { ranges, epoch: JSON.stringify(spread) }
}
