import { isSame, type Json } from './json.js'
import type { AnyMetadata } from './metadata-json.js'

/**
 * Whether updates were applied before: snapshots get their ids by chance, so whoever adds one that
 * the table has, to the letter, did not hear that it was added. Some clients send a request again
 * that got no answer, and remove their files where the second one is refused.
 */
export function isRepeated({ snapshots }: AnyMetadata, updates: readonly Json[]): boolean {
  const added = updates.filter(({ action }) => action === 'add-snapshot')
  return (
    added.length > 0 &&
    added.every(({ snapshot }) => snapshots.some((known) => isSame(known, snapshot)))
  )
}
