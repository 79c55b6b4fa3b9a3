import type { RowValue } from '../../engine/engine.js'

/**
 * Rows as JSON has them: whole numbers beyond 2^53 as texts, so that none loses digits; bytes in
 * Base64; NaN and infinities as texts.
 */
export function plainRows(rows: readonly RowValue[][]): unknown[][] {
  return rows.map((row) => row.map(plain))
}

function plain(value: RowValue): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : String(value)
  }
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (value === null || typeof value !== 'object') return value
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map(plain)
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]))
}
