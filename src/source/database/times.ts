/** Microseconds since 1970 as a text in UTC: `2026-01-31 12:00:00.123456`. */
export function microsText(micros: number): string {
  const whole = Math.floor(micros / 1000)
  const rest = String(micros - whole * 1000).padStart(3, '0')
  return `${new Date(whole).toISOString().replace('T', ' ').replace('Z', '')}${rest}`
}

/**
 * Where a window of times ends and the next begins, in microseconds since 1970. A column that keeps
 * seconds says of a row that is written now that it was written when the second began: the last
 * second is read, and then once more.
 *
 * @param time nobody who was at work when the snapshot was taken had begun before it.
 * @param lag seconds in which rows may still appear with earlier times.
 * @param grain microseconds between two values that the column can have.
 */
export function windowEnds(
  time: number,
  lag: number,
  grain: number,
): { until: number; next: number } {
  const floor = (micros: number) => Math.floor(micros / grain) * grain
  // Some databases round, so that a row may have the value that is next.
  const until = grain > 1 ? floor(time) + 2 * grain : time
  return { until, next: floor(time - Math.ceil(lag * 1e6)) }
}

/** Microseconds between two values of a type that keeps so many digits of a second. */
export function grainOf(digits: number): number {
  return 10 ** Math.max(0, 6 - digits)
}
