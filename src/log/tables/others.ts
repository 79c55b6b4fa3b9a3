import { posix } from 'node:path'
import type { Action, Rights } from '../../define/access/rights.js'
import type { External, LakeState } from '../commit.js'
import { LEVEL } from '../external.js'
import { KnownFolders, type Owners } from './folders.js'

/** Where a table lies whose metadata are in a file: the folder that `metadata/` is in. */
export const homeOf = (metadata: string) => posix.dirname(metadata).replace(/\/metadata$/, '')

const EXTERNAL = new KnownFolders((relations: External['relations']) =>
  Object.entries(relations).map(
    ([key, { metadata }]) => [folderOf(metadata), key, key.split(LEVEL)] as const,
  ),
)

const MANAGED = new KnownFolders((tables: LakeState['tables']) =>
  Object.entries(tables).map(
    ([name, { metadata }]) => [folderOf(metadata), name, name.split('.')] as const,
  ),
)

/** Folders of some systems know no difference of case. */
const folderOf = (metadata: string) => homeOf(metadata).toLowerCase()

/** Who asks, and the key of the table or view that is asked for: what it has is its own. */
export interface Asking {
  rights: Rights
  state: Pick<LakeState, 'tables' | 'external'>
  own: string
}

/**
 * What may be done with the tables and views, other than the one that is asked for, whose files lie
 * in a place, around it, or below it.
 */
export function othersWith(
  location: string,
  action: Action,
  { rights, state: { external, tables }, own }: Asking,
): 'none' | 'allowed' | 'refused' {
  const homes = [MANAGED.of(tables), ...(external ? [EXTERNAL.of(external.relations)] : [])]
  const path = location.toLowerCase()
  let isAny = false
  for (const folders of homes)
    for (const owners of folders.overlapping(path)) {
      if (refusedOf(owners, rights, action).some((key) => key !== own)) return 'refused'
      if (owners.levels.size > (owners.levels.has(own) ? 1 : 0)) isAny = true
    }
  return isAny ? 'allowed' : 'none'
}

/** Two of those that nothing may be done with: one of them may be whoever asks. */
const refusedOf = (owners: Owners, rights: Rights, action: Action): readonly string[] =>
  owners.judged(rights, action, () => {
    const refused: string[] = []
    for (const [key, levels] of owners.levels) {
      if (!rights.may(action, levels)) refused.push(key)
      if (refused.length === 2) break
    }
    return refused
  })
