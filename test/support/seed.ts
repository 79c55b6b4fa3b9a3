/**
 * The seed of property tests: fixed, so that a run is repeatable; another one with
 * `MORAINE_SEED=random` (for which `build.ts` draws a number) or a number.
 */
export const seed = Number(process.env.MORAINE_SEED ?? 2008)

/** Numbers from 0 to 1 that look like chance, and are the same for the same seed (mulberry32). */
export function random(from: number): () => number {
  let state = from
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
