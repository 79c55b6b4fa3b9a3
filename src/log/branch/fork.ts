import { MoraineError } from '../../errors.js'
import { OTHER } from '../../storage/checked.js'
import { encodeSealed, parseSealed } from '../../storage/sealed.js'

/** Where a branch left the one it came from; the first object in its folder. */
export interface Fork {
  from: string
  number: number
  hash: string | null
}

export const forkPath = (id: string): string => `_moraine/log/${id}/fork.json`

export function encodeFork({ from, number, hash }: Fork): Uint8Array {
  return encodeSealed({ format: 2, from, number, hash })
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
