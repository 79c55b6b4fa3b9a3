import type { Action, Levels, Rights } from '../../../define/access/rights.js'
import { FOREIGN } from '../../../iceberg/foreign-path.js'
import type { External, LakeState } from '../../../log/commit.js'
import { keyOfRelation, LEVEL } from '../../../log/external.js'
import { isBelow } from '../../../storage/paths.js'
import type { Caller } from '../caller.js'
import { homeOf } from '../files.js'
import { freshFolderOf } from '../fresh-folder.js'
import type { Identifier } from '../names.js'
import { KnownFolders, type Owners } from './folders.js'

/** For whom a location is checked, and for what. */
export interface Claim {
  caller: Caller
  state: LakeState
  namespace: Levels
  /** The name of the table or view; `undefined` for what is about the namespace itself. */
  name?: string
  /** Locations of the table or view that were checked before. */
  own?: readonly string[]
}

/** Where namespaces and what is in them lie, as paths in the lake. */
export interface Layout {
  pathOf(location: string): string | undefined
  /** Places of a namespace: its folder, and the location that it was given. */
  ofNamespace(namespace: Levels, state: LakeState): readonly string[]
  /** The namespaces in whose places a path lies. */
  namespacesAround(path: string, state: LakeState): Iterable<Owners>
  /** What the folders of a table or view begin with that the catalog gives a place. */
  ofRelation(relation: Identifier, state: LakeState): string
}

/** What is decided about a location: it is going to hold files, or is that of a file. */
export type Use = 'place' | 'file'

/**
 * Whether whoever asks may put a table's files into a place, or have a table name a file.
 *
 * It must lie where that table lies, or below a namespace all of which may be written; a file may
 * also be one of a table that may be read. In neither case may it be another table's that the
 * caller has no right to: through a table of its own it would read that one's rows, or overwrite
 * its files.
 */
export function mayUse(location: string, use: Use, claim: Claim, layout: Layout): boolean {
  const { rights } = claim.caller.principal
  if (rights.unlimited) return true
  const path = cleanPath(location, layout)
  if (path === undefined) {
    // Outside of the lake no place belongs to a namespace.
    const isOwn = (claim.own ?? []).some((own) => isWithin(location, own))
    return isOwn || rights.mayAll('write', [])
  }
  const others = othersWith(path, use === 'place' ? 'write' : 'read', claim)
  if (others === 'refused') return false
  if (use === 'file' && others === 'allowed') return true
  return isOfCaller(path, claim, layout)
}

function isOfCaller(path: string, claim: Claim, layout: Layout): boolean {
  const { caller, state, namespace, name, own = [] } = claim
  const { rights } = caller.principal
  const isOwn = own.some((location) => {
    const at = cleanPath(location, layout)
    return at !== undefined && isWithin(path, at)
  })
  if (isOwn || (rights.mayAll('write', []) && path.startsWith(FOREIGN))) return true
  if (name !== undefined && freshFolderOf(path, layout.ofRelation({ namespace, name }, state)))
    return true
  const isIn = (place: string) => isWithin(path, place)
  if (rights.mayAll('write', namespace) && layout.ofNamespace(namespace, state).some(isIn))
    return true
  for (const owners of layout.namespacesAround(path, state)) {
    const isAny = () => [...owners.levels.values()].some((one) => rights.mayAll('write', one))
    if (owners.judged(rights, 'any', isAny)) return true
  }
  return false
}

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

/**
 * What may be done with the tables and views, other than the one that is claimed for, whose files
 * lie in a place, around it, or below it.
 */
function othersWith(
  location: string,
  action: Action,
  { caller, state, namespace, name }: Claim,
): 'none' | 'allowed' | 'refused' {
  const { rights } = caller.principal
  // No table of `lake.ts` has such a key.
  const own = name === undefined ? '' : keyOfRelation({ namespace, name })
  const { external, tables } = state
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

const isWithin = (path: string, folder: string) => `${path}/`.startsWith(`${folder}/`)

/**
 * The path in the lake without a slash at its end; `undefined` for one that is not plainly there.
 */
function cleanPath(location: string, layout: Layout): string | undefined {
  const path = layout.pathOf(location)?.replace(/\/+$/, '')
  return path !== undefined && isBelow(path) ? path : undefined
}
