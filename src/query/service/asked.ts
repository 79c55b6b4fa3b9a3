import { sha256 } from '../../storage/checksum.js'
import type { QueryRequest } from './request.js'

/**
 * A text of values that no other values have: JSON itself has neither large numbers nor bytes, and
 * one zero.
 */
export function exactText(values: unknown): string {
  return JSON.stringify(values, (_, value) => {
    if (typeof value === 'bigint') return { integer: `${value}` }
    if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('base64') }
    if (typeof value !== 'number') return value
    if (Object.is(value, -0)) return { number: '-0' }
    return Number.isFinite(value) ? value : { number: String(value) }
  })
}

/** A hash of all that says which rows a request is answered with. */
export function askedOf({ sql, parameters, schema, workgroup, maxRows }: QueryRequest): string {
  const values =
    parameters === undefined || Array.isArray(parameters)
      ? parameters
      : Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1))
  const all = [sql, values ?? null, schema ?? null, workgroup ?? null, maxRows ?? null]
  return sha256(exactText(all))
}
