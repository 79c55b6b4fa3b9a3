import type { External, ExternalState, LakeState, TableState } from '../../log/commit.js'
import { externalOf, keyOf, LEVEL } from '../../log/external.js'
import { ownValue } from '../../own-value.js'
import { mayRead, refuseCreating, refuseReading } from './access/rights.js'
import type { Caller } from './caller.js'
import { alreadyExists, noSuch, noSuchNamespace } from './errors.js'
import type { MetadataPointer } from './files.js'
import { type Identifier, isManaged, type Namespace, shownName, shownNamespace } from './names.js'
import { isThere, refuseManaged } from './namespaces.js'

export type Kind = ExternalState['kind']

/** A table that `lake.ts` defines; `undefined` for all others. */
export function managedTable(state: LakeState, identifier: Identifier): TableState | undefined {
  const { namespace } = identifier
  if (!isManaged(namespace) || namespace.length > 1) return undefined
  return ownValue(state.tables, shownName(identifier))
}

/**
 * Where the metadata of a table or view lie: one of the lake's own, or one of another engine.
 *
 * @throws RestError when there is none of that kind and name.
 */
export function pointerOf(
  caller: Caller,
  state: LakeState,
  identifier: Identifier,
  kind: Kind,
): MetadataPointer {
  refuseReading(caller, identifier, kind)
  if (!isManaged(identifier.namespace)) return existing(state, identifier, kind)
  const own = kind === 'table' ? managedTable(state, identifier) : undefined
  if (!own) throw noSuch(kind, shownName(identifier))
  return own
}

/** The same, for one that is to be changed. */
export function existing(state: LakeState, identifier: Identifier, kind: Kind): ExternalState {
  const found = externalOf(state, identifier)
  if (found?.kind !== kind) throw noSuch(kind, shownName(identifier))
  return found
}

/**
 * Whether another engine's table or view is there, for who may know: what may not be read is as if
 * it were not.
 */
export const isShown = (caller: Caller, state: LakeState, identifier: Identifier) =>
  mayRead(caller, identifier) && externalOf(state, identifier) !== undefined

/**
 * Makes sure that a name is free in a namespace that is there, and may be used by who asks: on its
 * own branch a run's engine may create the tables that the run builds.
 */
export function refuseTaken(
  caller: Caller,
  state: LakeState,
  identifier: Identifier,
  kind: Kind,
): void {
  const { namespace } = identifier
  refuseCreating(caller, identifier)
  const isBuilt = caller.principal.run !== undefined && kind === 'table'
  if (!isBuilt) refuseManaged(namespace, `create a ${kind}`)
  if (!isThere(state, namespace, caller)) throw noSuchNamespace(shownNamespace(namespace))
  const own = managedTable(state, identifier)
  const found = externalOf(state, identifier) ?? (own && { kind: 'table' as const })
  const name = shownName(identifier)
  if (found?.kind === kind)
    throw alreadyExists(`${kind === 'table' ? 'Table' : 'View'} already exists: ${name}`)
  if (found)
    throw alreadyExists(
      `${found.kind === 'table' ? 'Table' : 'View'} with same name already exists: ${name}`,
    )
}

/**
 * Whether a table is not there and could be created.
 *
 * @param ofRun the name of the branch, where a run has it for itself: there, one of the lake could.
 */
export const isNew = (state: LakeState, identifier: Identifier, ofRun: string | undefined) =>
  isManaged(identifier.namespace)
    ? ofRun !== undefined && !managedTable(state, identifier)
    : !externalOf(state, identifier)

/** @throws RestError where whoever asks may not create a table, or there is no such namespace. */
export function refuseCreatingIn(caller: Caller, state: LakeState, identifier: Identifier): void {
  refuseCreating(caller, identifier)
  if (!isThere(state, identifier.namespace, caller)) throw noSuch('table', shownName(identifier))
}

/** Names of tables and views. */
export class NameLists {
  /** By what they were made of: they are asked for page by page. */
  private readonly made = new WeakMap<object, Map<string, readonly string[]>>()

  /** The names of a kind in a namespace, in order; not all of them may be for everybody. */
  of(state: LakeState, namespace: Namespace, kind: Kind): readonly string[] {
    if (isManaged(namespace)) return managedNames(state, `${namespace[0]}.`, kind)
    const { relations } = state.external ?? {}
    if (!relations) return []
    const prefix = `${keyOf(namespace)}${LEVEL}`
    const known = this.made.get(relations) ?? new Map<string, readonly string[]>()
    this.made.set(relations, known)
    const names = known.get(kind + prefix) ?? externalNames(relations, prefix, kind)
    known.set(kind + prefix, names)
    return names
  }
}

function managedNames(state: LakeState, prefix: string, kind: Kind): string[] {
  const own = Object.keys(kind === 'table' ? state.tables : (state.views ?? {}))
  return own.flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : [])).sort()
}

function externalNames(relations: External['relations'], prefix: string, kind: Kind): string[] {
  const names: string[] = []
  for (const [key, relation] of Object.entries(relations)) {
    if (relation.kind !== kind || !key.startsWith(prefix)) continue
    const name = key.slice(prefix.length)
    if (!name.includes(LEVEL)) names.push(name)
  }
  return names.sort()
}
