import { MoraineError } from '../../errors.js'
import { OTHER } from '../../storage/checked.js'
import { encodeSealed, parseSealed } from '../../storage/sealed.js'

/** Where a branch left the one it came from; the first object in its folder. */
export interface Fork {
  from: string
  number: number
  hash: string | null
  /** When it left (ISO); earlier versions of Moraine did not note it. */
  created?: string
  /** Milliseconds after its last commit, or its beginning, from which on nobody needs it. */
  ttl?: number
}

/** How long a branch is meant to live. */
export type Life = Pick<Fork, 'created' | 'ttl'>

export const forkPath = (id: string): string => `_moraine/log/${id}/fork.json`

export function encodeFork({ from, number, hash, created, ttl }: Fork): Uint8Array {
  const life = {
    ...(created === undefined ? {} : { created }),
    ...(ttl === undefined ? {} : { ttl }),
  }
  return encodeSealed({ format: 2, from, number, hash, ...life })
}

/** @throws MoraineError of kind `corrupt` when it is not what was written. */
export function parseFork(bytes: Uint8Array, path: string): Fork {
  const found = parseSealed<Fork & { format: number }>(bytes)
  if (found && found.head.format <= 2) return found.head
  throw new MoraineError('corrupt', `${path} is damaged: ${OTHER}`, {
    path,
    hint: 'Restore this object from a backup of the lake, or check whether it can be repaired: moraine repair. Nothing was changed.',
  })
}
