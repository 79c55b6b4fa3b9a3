import type { Changes, External, ExternalChanges, ExternalState, LakeState } from './commit.js'
import { entryOf, flattened, type Layers, layered, layeredWith } from './layers.js'
import { differences, merged } from './maps.js'

/** Stands between the levels of a namespace, and before the name of a table in it. */
export const LEVEL = '\u001f'

const noExternal: External = { namespaces: {}, relations: {} }

/**
 * What other engines have here; its relations, of which there may be tens of thousands, are put
 * together once somebody asks for all of them.
 */
class LayeredExternal implements External {
  declare readonly relations: External['relations']
  #layers: Layers<ExternalState>

  constructor(
    readonly namespaces: External['namespaces'],
    layers: Layers<ExternalState>,
  ) {
    this.#layers = layers
    // One of its own, so that it is as plain data to whoever copies, compares or writes it.
    Object.defineProperty(this, 'relations', { enumerable: true, get: () => this.flat })
  }

  private get flat(): External['relations'] {
    const { over, gone } = this.#layers
    // The next state begins with it.
    if (over.size + gone.size > 0) this.#layers = layered(flattened(this.#layers))
    return this.#layers.base
  }

  static layersOf(external: External): Layers<ExternalState> {
    return external instanceof LayeredExternal ? external.#layers : layered(external.relations)
  }
}

export function foldExternal(
  before: External | undefined,
  changes: ExternalChanges | undefined,
): Pick<LakeState, 'external'> {
  if (!changes) return before ? { external: before } : {}
  const { namespaces } = before ?? noExternal
  const relations = layeredWith(
    LayeredExternal.layersOf(before ?? noExternal),
    changes.relations ?? {},
  )
  return { external: new LayeredExternal(merged(namespaces, changes.namespaces), relations) }
}

/** One table or view by its key, without looking at any other. */
export const relationAt = (external: External | undefined, key: string) =>
  external && entryOf(LayeredExternal.layersOf(external), key)

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

/** What both change, each to something else: only one of the two could be there afterwards. */
export function externalDiffering(mine: ExternalChanges = {}, others: ExternalChanges = {}) {
  const differing = <T>(of: Record<string, T> = {}, theirs: Record<string, T> = {}) =>
    Object.fromEntries(
      Object.entries(of).filter(
        ([key, value]) =>
          Object.hasOwn(theirs, key) && JSON.stringify(theirs[key]) !== JSON.stringify(value),
      ),
    )
  return writtenExternal({
    namespaces: differing(mine.namespaces, others.namespaces),
    relations: differing(mine.relations, others.relations),
  })
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
