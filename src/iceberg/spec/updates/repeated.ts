import { isSameId } from '../metadata.js'
import { isObject, isSame, type Json, withoutNulls } from './json.js'
import type { AnyMetadata, AnySnapshot } from './metadata-json.js'

/**
 * Whether updates were applied before: snapshots get their ids by chance, so whoever adds one that
 * the table has did not hear that it was added. Their summaries may have been corrected. Some
 * clients send a request again that got no answer, and remove their files where the second one is
 * refused.
 */
export function isRepeated({ snapshots }: AnyMetadata, updates: readonly Json[]): boolean {
  const added = updates.filter(({ action }) => action === 'add-snapshot')
  const isThere = ({ snapshot: sent }: Json) => {
    const id = isObject(sent) ? sent['snapshot-id'] : undefined
    const known = snapshots.find((one) => isSameId(one['snapshot-id'], id))
    return known !== undefined && isSame(unsummed(known), unsummed(sent as Json))
  }
  return added.length > 0 && added.every(isThere)
}

const unsummed = ({ summary: _, ...snapshot }: Json | AnySnapshot) => withoutNulls(snapshot)
