import { MoraineError } from '../errors.js'
import { OTHER } from '../storage/checked.js'
import { sha256 } from '../storage/checksum.js'
import type { Commit } from './commit.js'
import { inPlainWords } from './format/earlier-words.js'
import { refuseUnknown } from './format/features.js'
import { program } from './program.js'

/** A commit with the hash of its bytes. */
export interface Entry {
  commit: Commit
  hash: string
  /** Where it lies. */
  path: string
}

/**
 * @throws MoraineError of kind `corrupt` for what is no commit, `version` for one that only newer
 * programs can read.
 */
export function parseEntry(bytes: Uint8Array, path: string): Entry {
  let commit: Commit
  try {
    commit = JSON.parse(new TextDecoder().decode(bytes))
  } catch (cause) {
    throw new MoraineError('corrupt', `${path} is damaged: it is not JSON`, {
      cause,
      path,
      hint: 'Restore this object from a backup of the lake; nothing was changed.',
    })
  }
  refuseOther(commit, bytes, path)
  if (commit?.format !== 1 && commit?.format !== 2)
    throw new MoraineError(
      'version',
      `${path} has format ${commit?.format}, which this version of Moraine (${program}) does not support`,
      { path, hint: 'Use a newer version of Moraine.' },
    )
  const read = inPlainWords(commit)
  refuseUnknown(read, path)
  return { commit: read, hash: sha256(bytes), path }
}

/** A commit as it lies in storage. Its last field is the SHA-256 of all bytes before it. */
export function encodeCommit({ sha256: _, ...commit }: Commit): Uint8Array {
  const text = JSON.stringify(commit, null, 1).slice(0, -2)
  return new TextEncoder().encode(text + ending(sha256(text)))
}

const ending = (sum: string) => `,\n "sha256": "${sum}"\n}`
const ENDING = ending(sha256('')).length

/** The newest entry has none after it that would tell of its bytes. */
function refuseOther(commit: Commit | null, bytes: Uint8Array, path: string): void {
  const sum = commit?.sha256
  if (sum === undefined) return
  const [text, end] = [bytes.subarray(0, -ENDING), bytes.subarray(-ENDING)]
  const isSame = sha256(text) === sum && new TextDecoder().decode(end) === ending(sum)
  if (!isSame)
    throw new MoraineError('corrupt', `${path} is damaged: ${OTHER}`, {
      path,
      hint: 'moraine repair shows whether it can be restored; otherwise restore this object from a backup of the lake. Nothing was changed.',
    })
}

/**
 * An entry as it was written, where its own checksum proves it.
 *
 * @param mend gives bytes of a checksum that are nearly those given.
 */
export function checkEntry(
  bytes: Uint8Array,
  mend: (bytes: Uint8Array, sum: string) => Uint8Array | undefined,
): Uint8Array | undefined {
  const [text, end] = [bytes.subarray(0, -ENDING), bytes.subarray(-ENDING)]
  // Either what the checksum is of was changed, or the checksum.
  const sum = /"([0-9a-f]{64})"\n}$/.exec(new TextDecoder().decode(end))?.[1]
  const whole = sum && mend(text, sum)
  if (whole) return joined(whole, ending(sum))
  const right = new TextEncoder().encode(ending(sha256(text)))
  const bits = end.reduce((n, byte, i) => n + ones(byte ^ (right[i] as number)), 0)
  return bits === 1 ? joined(text, ending(sha256(text))) : undefined
}

function joined(text: Uint8Array, end: string): Uint8Array {
  return Buffer.concat([text, new TextEncoder().encode(end)])
}

function ones(byte: number): number {
  let count = 0
  for (let left = byte; left > 0; left >>= 1) count += left & 1
  return count
}
