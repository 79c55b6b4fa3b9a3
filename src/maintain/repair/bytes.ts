import { readFile } from 'node:fs/promises'
import { checkEntry } from '../../log/entry.js'
import type { CommitLog } from '../../log/log.js'
import type { Damage } from '../../log/verify/damage.js'
import { sha256 } from '../../storage/checksum.js'
import { isPassing } from '../../storage/passing.js'
import { unflipSealed } from '../../storage/sealed.js'
import { type Storage, stagingOf } from '../../storage/storage.js'
import { unflip } from '../../storage/unflip.js'

/** The bytes that a file had, and how they were found. */
export interface Found {
  bytes: Uint8Array
  how: string
}

/** Where else the same bytes may be. */
export interface Copies {
  /** Files of this machine. */
  files?: readonly string[]
  /** Objects of the lake. */
  objects?: readonly string[]
}

/** Looks for the very bytes that were written: each try is held against their checksum. */
export async function wholeBytes(
  storage: Storage,
  { path, sha256: sum }: Pick<Damage, 'path' | 'sha256'>,
  { files = [], objects = [] }: Copies = {},
): Promise<Found | undefined> {
  if (sum === undefined) return undefined
  for (const object of objects) {
    const bytes = await storage.readIfPresent(object)
    if (bytes && sha256(bytes) === sum) return { bytes, how: `from its copy ${object}` }
  }
  // A bucket's objects may have a copy here, which the engine reads.
  let failure: unknown
  const copies = isLocal(storage) ? [] : [stagingOf(storage).localPath(storage.locate(path))]
  for (const file of [...copies, ...files]) {
    const bytes = await readFile(file).catch((error) => {
      // One that can't be read at this moment may be the one.
      failure ??= isPassing(error) ? error : undefined
      return undefined
    })
    if (bytes && sha256(bytes) === sum) return { bytes, how: `from ${file}` }
  }
  const there = await storage.readIfPresent(path)
  const bytes = there && unflip(there, sum)
  if (!bytes && failure) throw failure
  return bytes && { bytes, how: 'by correcting one flipped bit, which its SHA-256 proves' }
}

const isLocal = ({ url }: Storage) => url.startsWith('file://')

/**
 * The entry of a commit as it was written: where its own checksum, the entry after it, or its
 * anchor proves it. Never a guess.
 */
export async function wholeEntry(
  storage: Storage,
  log: CommitLog,
  path: string,
): Promise<Found | undefined> {
  const bytes = await storage.readIfPresent(path)
  const number = Number(/(\d+)\.json$/.exec(path)?.[1])
  if (!bytes || !Number.isSafeInteger(number)) return undefined
  const sum = await log.hashOf(number)
  const whole = (sum && unflip(bytes, sum)) || checkEntry(bytes, unflip)
  return whole && { bytes: whole, how: 'by correcting one flipped bit, which its SHA-256 proves' }
}

/** An object that says its own checksum. */
export async function wholeSealed(storage: Storage, path: string): Promise<Found | undefined> {
  const there = await storage.readIfPresent(path)
  const bytes = there && unflipSealed(there)
  return bytes && { bytes, how: 'by correcting one flipped bit, which its SHA-256 proves' }
}
