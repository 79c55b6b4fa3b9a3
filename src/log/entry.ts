import { MoraineError } from '../errors.js'
import type { Commit } from './commit.js'
import { refuseUnknown } from './features.js'
import { sha256 } from './hash.js'
import { program } from './program.js'

/** A commit with the hash of its bytes. */
export interface Entry {
  commit: Commit
  hash: string
}

/** @throws MoraineError of kind `corrupt` for what is no commit, `version` for one that only newer programs can read. */
export function parseEntry(bytes: Uint8Array, path: string): Entry {
  let commit: Commit
  try {
    commit = JSON.parse(new TextDecoder().decode(bytes))
  } catch (cause) {
    throw new MoraineError('corrupt', `${path} is damaged: it is not JSON`, {
      cause,
      hint: 'Restore this object from a backup of the lake; nothing was changed.',
    })
  }
  if (commit?.format !== 1 && commit?.format !== 2)
    throw new MoraineError(
      'version',
      `${path} has format ${commit?.format}, which this version of Moraine (${program}) does not know`,
      { hint: 'Use a newer version of Moraine.' },
    )
  refuseUnknown(commit, path)
  return { commit, hash: sha256(bytes) }
}

export function encodeCommit(commit: Commit): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(commit, null, 1))
}
