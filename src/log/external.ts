import type { Changes, External, ExternalChanges, ExternalState, LakeState } from './commit.js'
import { entryOf, flattened, type Layers, layered, layeredWith } from './layers.js'
import { differences, merged } from './maps.js'

/** Stands between the levels of a namespace, and before the name of a table in it. */
export const LEVEL = '\u001f'

const noExternal: External = { namespaces: {}, relations: {} }

/** Relations of what other engines have here, as they were made: there may be tens of thousands. */
const layersOf = new WeakMap<External, Layers<ExternalState>>()

/** What other engines have here, whose relations are put together once somebody asks for all. */
function externalWith(namespaces: External['namespaces'], made: Layers<ExternalState>): External {
  let layers = made
  const external: External = {
    namespaces,
    get relations() {
      // The next state begins with it.
      if (layers.over.size + layers.gone.size > 0) {
        layers = layered(flattened(layers))
        layersOf.set(external, layers)
      }
      return layers.base
    },
  }
  layersOf.set(external, layers)
  return external
}

const relationsOf = (external: External): Layers<ExternalState> =>
  layersOf.get(external) ?? layered(external.relations)

export function foldExternal(
  before: External | undefined,
  changes: ExternalChanges | undefined,
): Pick<LakeState, 'external'> {
  if (!changes) return before ? { external: before } : {}
  const { namespaces } = before ?? noExternal
  const relations = layeredWith(relationsOf(before ?? noExternal), changes.relations ?? {})
  return { external: externalWith(merged(namespaces, changes.namespaces), relations) }
}

/** One table or view by its key, without looking at any other. */
export const relationAt = (external: External | undefined, key: string) =>
  external && entryOf(relationsOf(external), key)

/** A table or view, by the levels of its namespace and its name. */
interface Named {
  namespace: readonly string[]
  name: string
}

/** The key of a namespace. */
export const keyOf = (namespace: readonly string[]) => namespace.join(LEVEL)

/** The key of a table or view. */
export const keyOfRelation = ({ namespace, name }: Named) => keyOf([...namespace, name])

/** A key as people read it. */
export const shownKey = (key: string) => key.replaceAll(LEVEL, '.')

/** What another engine keeps under a name. */
export function externalOf(
  { external }: Pick<LakeState, 'external'>,
  named: Named,
): ExternalState | undefined {
  return relationAt(external, keyOfRelation(named))
}

/** A table or view of another engine, and what it is called. */
export interface ExternalRelation extends ExternalState {
  namespace: readonly string[]
  name: string
  /** Namespace and name as people read them: `ml.scores`. */
  fullName: string
}

/** What other engines keep, in the order of its names. */
export function externalRelations({ external }: Pick<LakeState, 'external'>): ExternalRelation[] {
  return Object.entries(external?.relations ?? {})
    .map(([key, state]) => {
      const namespace = key.split(LEVEL)
      const name = namespace.pop() as string
      return { ...state, namespace, name, fullName: shownKey(key) }
    })
    .sort((a, b) => (a.fullName < b.fullName ? -1 : 1))
}

/**
 * The changes that lead from what other engines have here at one state to what they have at
 * another.
 */
export function externalTo(
  from: External | undefined,
  to: External | undefined,
): Pick<Changes, 'external'> {
  if (!from && !to) return {}
  const [before, after] = [from ?? noExternal, to ?? noExternal]
  const external = {
    namespaces: differences(before.namespaces, after.namespaces),
    relations: differences(before.relations, after.relations),
  }
  return Object.values(external).some((part) => Object.keys(part).length > 0) ? { external } : {}
}

/** The names of what a commit writes for other engines; a table and a view of one name are one. */
export function writtenExternal({ namespaces = {}, relations = {} }: ExternalChanges = {}) {
  return [
    ...Object.keys(namespaces).map((key) => `namespace ${shownKey(key)}`),
    ...Object.keys(relations).map((key) => `external table ${shownKey(key)}`),
  ]
}

/** What one puts into a namespace, or looks for there, that the other takes away. */
export function externalBoth(mine: ExternalChanges = {}, others: ExternalChanges = {}): string[] {
  return [...intoDropped(mine, others), ...intoDropped(others, mine)]
}

function intoDropped({ namespaces = {}, relations = {} }: ExternalChanges, other: ExternalChanges) {
  const put = Object.entries({ ...namespaces, ...relations }).filter(([, value]) => value !== null)
  if (put.length === 0) return []
  return Object.entries(other.namespaces ?? {}).flatMap(([key, value]) =>
    value === null && put.some(([name]) => name.startsWith(`${key}${LEVEL}`))
      ? [`namespace ${shownKey(key)}`]
      : [],
  )
}
