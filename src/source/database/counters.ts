import type { DatabaseSource } from '../../define/source.js'
import { relationOf } from './conditions.js'
import { earlier } from './cursor-text.js'
import type { Horizon, Mark } from './reader.js'

/** What is known of a counter. */
interface Counter {
  /** Where it stands now, as far as it was looked at before the snapshot. */
  mark: Mark | undefined
  marks: readonly Mark[]
  /**
   * Nobody who was at work when the snapshot was taken had begun before it; microseconds since
   * 1970.
   */
  time: number
  notes: readonly string[]
}

/**
 * How far rows can be read by a cursor that counts: up to where it stood when nobody was at work
 * who began before.
 */
export function counterHorizon(
  { lag }: DatabaseSource,
  { mark, marks, time, notes }: Counter,
): Horizon {
  // Who began after a mark counts on from there.
  const [, known] = [...marks, ...(mark ? [mark] : [])].filter(([at]) => at <= time).at(-1) ?? []
  return {
    bound: known === undefined ? undefined : String(BigInt(known) + 1n),
    next: known === undefined ? undefined : earlier(known, lag),
    ...(mark ? { mark } : {}),
    notes,
  }
}

/** Which counter a source reads by; two sources of one table and column have the same. */
export const counterKey = (source: DatabaseSource) => `${relationOf(source)} ${source.cursor}`
