import { sha256 } from '../../storage/checksum.js'
import type { QueryRequest } from './request.js'

/** A hash of all that says which rows a request is answered with. */
export function askedOf({ sql, parameters, schema, workgroup, maxRows }: QueryRequest): string {
  const values =
    parameters === undefined || Array.isArray(parameters)
      ? parameters
      : Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1))
  const all = [sql, values ?? null, schema ?? null, workgroup ?? null, maxRows ?? null]
  return sha256(
    JSON.stringify(all, (_, value) =>
      typeof value === 'bigint' ? { integer: `${value}` } : value,
    ),
  )
}
