import type { DatabaseSource } from '../../define/source.js'
import { relationOf } from './conditions.js'
import { earlier } from './cursor-text.js'
import type { Horizon, Mark } from './reader.js'

/**
 * How far rows can be read by a cursor that counts: up to where it stood when nobody was at work who began before.
 *
 * @param mark where it stands now, as far as it was looked at before the snapshot.
 * @param time nobody who was at work when the snapshot was taken had begun before it; microseconds since 1970.
 */
export function counterHorizon(
  { lag }: DatabaseSource,
  mark: Mark | undefined,
  marks: readonly Mark[],
  time: number,
  notes: readonly string[],
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
