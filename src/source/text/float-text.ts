/** The least number of 32 bits that has all of its digits. */
const SMALLEST = 2 ** -126

/**
 * The number with the fewest digits that is the same as a value of 32 bits: 1.1 of
 * 1.100000023841858.
 */
export function shortFloat(value: number): number {
  if (!Number.isFinite(value) || value === 0) return value
  // Numbers next to zero have fewer digits.
  for (let digits = Math.abs(value) < SMALLEST ? 1 : 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return Number(value.toPrecision(9))
}
