import type { RowValue } from '../../engine/engine.js'

/** Rows as JSON has them. */
export function plainRows(rows: readonly RowValue[][]): unknown[][] {
  return rows.map((row) => row.map(plain))
}

/** A whole number, or its text where JSON would lose digits: beyond 2^53. */
export function wholeNumber(value: bigint): number | string {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : String(value)
}

/**
 * A value as JSON has it: whole numbers as `wholeNumber` has them, bytes in Base64, NaN and
 * infinities as texts, which are no NULL.
 */
export function plain(value: RowValue): unknown {
  if (typeof value === 'bigint') return wholeNumber(value)
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (value === null || typeof value !== 'object') return value
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]))
}
