import type { Action, Levels } from '../../../define/access/rights.js'
import { FOREIGN } from '../../../iceberg/foreign-path.js'
import type { LakeState } from '../../../log/commit.js'
import { keyOfRelation } from '../../../log/external.js'
import type { Owners } from '../../../log/tables/folders.js'
import { othersWith } from '../../../log/tables/others.js'
import { isBelow } from '../../../storage/paths.js'
import type { Caller } from '../caller.js'
import { freshFolderOf } from '../fresh-folder.js'
import type { Identifier } from '../names.js'

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
  const others = othersIn(path, use === 'place' ? 'write' : 'read', claim)
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

/** What may be done with others than the one that is claimed for. */
function othersIn(path: string, action: Action, { caller, state, namespace, name }: Claim) {
  // No table of `lake.ts` has such a key.
  const own = name === undefined ? '' : keyOfRelation({ namespace, name })
  return othersWith(path, action, { rights: caller.principal.rights, state, own })
}

const isWithin = (path: string, folder: string) => `${path}/`.startsWith(`${folder}/`)

/**
 * The path in the lake without a slash at its end; `undefined` for one that is not plainly there.
 */
function cleanPath(location: string, layout: Layout): string | undefined {
  const path = layout.pathOf(location)?.replace(/\/+$/, '')
  return path !== undefined && isBelow(path) ? path : undefined
}
