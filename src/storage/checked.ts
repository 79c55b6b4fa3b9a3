import { MoraineError } from '../errors.js'
import { sha256 } from './checksum.js'
import { MovedChecksums } from './moved.js'
import { remedyFor } from './remedy.js'
import type { Storage } from './storage.js'

/**
 * Reads an object whose checksum is known.
 *
 * @param sum without it, the bytes are taken as they are: lakes of earlier versions have none.
 * @throws MoraineError of kind `corrupt` when the bytes are not those that were written.
 */
export async function readChecked(
  storage: Storage,
  path: string,
  sum: string | undefined,
): Promise<Uint8Array> {
  const bytes = await storage.read(path)
  if (sum === undefined) return bytes
  const found = sha256(bytes)
  // A lake that was copied has other locations in its metadata than the log knows.
  if (found === sum || found === (await MovedChecksums.of(storage).get(path))) return bytes
  throw notAsWritten(path)
}

/** The same, of an object that holds JSON. */
export async function readJson<T>(
  storage: Storage,
  path: string,
  sum: string | undefined,
): Promise<T> {
  const bytes = await readChecked(storage, path, sum)
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as T
  } catch (cause) {
    throw new MoraineError('corrupt', `${path} is damaged: it is not JSON`, {
      cause,
      path,
      hint: remedyFor(path),
    })
  }
}

export function notAsWritten(path: string): MoraineError {
  return new MoraineError('corrupt', `${path} is damaged: ${OTHER}`, {
    path,
    hint: remedyFor(path),
  })
}

/** What is wrong with a file whose bytes changed. */
export const OTHER = 'its SHA-256 does not match'
