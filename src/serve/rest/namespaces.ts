import { SYSTEM } from '../../define/sql/name.js'
import type { Changes, LakeState, NamespaceState } from '../../log/commit.js'
import { keyOf, LEVEL, shownKey } from '../../log/external.js'
import { folded } from '../../sql/relations.js'
import type { Claim } from './access/claims.js'
import { maySee, refuseCreatingAll, refuseSeeing, refuseWritingAll } from './access/rights.js'
import type { Caller } from './caller.js'
import { alreadyExists, badRequest, illegal, noSuchNamespace, RestError } from './errors.js'
import type { Journal } from './journal.js'
import type { Locations } from './locations.js'
import {
  type Identifier,
  isManaged,
  managedNamespaces,
  type Namespace,
  namespaceOf,
  shownNamespace,
} from './names.js'

type Properties = Readonly<Record<string, string>>

/**
 * Bytes of the properties of one namespace: each process that opens the lake has them in memory.
 */
const LARGEST = 64 * 2 ** 10

/** What is told of a namespace whose tables `lake.ts` defines. */
const MANAGED_BY = { 'moraine.managed': 'true' }

/**
 * The namespaces at the top.
 *
 * @param built tables that a run's engine builds: their namespaces need not be there yet.
 */
export function topOf(state: LakeState, built: readonly string[] = []): Namespace[] {
  const keys = Object.keys(state.external?.namespaces ?? {})
  const top = new Set(keys.map((key) => key.split(LEVEL)[0] as string))
  const begun = built.map((table) => table.split('.')[0] as string)
  const tiers = new Set([...managedNamespaces(state), ...begun])
  return [...tiers, ...[...top].sort()].map((name) => [name])
}

/** The namespaces of the lake: those of its own tiers, and those that other engines made. */
export class Namespaces {
  constructor(
    private readonly journal: Journal,
    private readonly locations: Locations,
    /** The name of the branch, where a run has it for itself. */
    private readonly ofRun?: string,
  ) {}

  /** @throws RestError when there is none of that name that is shown to who asks. */
  existing(caller: Caller, state: LakeState, text: string): Namespace {
    const namespace = namespaceOf(text, state)
    refuseSeeing(caller, namespace)
    if (!isThere(state, namespace, caller)) throw noSuchNamespace(shownNamespace(namespace))
    return namespace
  }

  /** Those directly below another, or at the top, that are shown to who asks. */
  async list(caller: Caller, parent: string | undefined): Promise<Namespace[]> {
    return (await this.all(caller, parent)).filter((namespace) => maySee(caller, namespace))
  }

  private async all(caller: Caller, parent: string | undefined): Promise<Namespace[]> {
    const state = await this.journal.head()
    if (!parent) return topOf(state, caller.principal.run?.tables)
    const keys = Object.keys(state.external?.namespaces ?? {})
    const above = this.existing(caller, state, parent)
    const below = keys.filter((key) => key.startsWith(`${keyOf(above)}${LEVEL}`))
    const names = new Set(below.map((key) => key.split(LEVEL)[above.length] as string))
    return [...names].sort().map((name) => [...above, name])
  }

  async create(caller: Caller, namespace: Namespace, given: Properties): Promise<Properties> {
    const shown = shownNamespace(namespace)
    refuseCreatingAll(caller, namespace)
    if (isManaged(namespace))
      throw alreadyExists(`Namespace already exists: ${shown}. Its tables are defined in lake.ts`)
    // Queries and engines that know no case would take one for the other.
    const same = folded(namespace[0] ?? '')
    if (same === SYSTEM)
      throw illegal(
        `Cannot create namespace ${shown}: its tables tell of the lake itself. Use another name`,
      )
    if (isManaged([same]))
      throw illegal(
        `Cannot create namespace ${shown}: it differs from ${same}, whose tables are defined in lake.ts, by the case of letters alone. Use another name`,
      )
    return this.journal.change({ caller, message: `create namespace ${shown}` }, async (state) => {
      if (isThere(state, namespace, caller))
        throw alreadyExists(`Namespace already exists: ${shown}`)
      const above = namespace.slice(0, -1)
      if (above.length > 0 && !isThere(state, above, caller))
        throw noSuchNamespace(shownNamespace(above))
      const claim = { caller, state, namespace }
      refuseLarge(namespace, given)
      if (given.location !== undefined) this.locations.checked(given.location, claim)
      return {
        changes: changeOf(namespace, { properties: { ...given } }),
        answer: this.told(namespace, given),
      }
    })
  }

  async load(
    caller: Caller,
    text: string,
  ): Promise<{ namespace: Namespace; properties: Properties }> {
    const state = await this.journal.head()
    const namespace = this.existing(caller, state, text)
    const all = this.propertiesIn(state, namespace)
    // Of a namespace some tables of which may be read, only that it is there is shown.
    const isAll = isManaged(namespace) || caller.principal.rights.mayAll('read', namespace)
    const { location = '' } = all
    return { namespace, properties: isAll ? all : { location } }
  }

  private propertiesIn(state: LakeState, namespace: Namespace): Properties {
    if (isManaged(namespace))
      return this.ofRun === undefined
        ? MANAGED_BY
        : { ...MANAGED_BY, location: this.locations.ofRun(namespace, this.ofRun) }
    return this.told(namespace, state.external?.namespaces[keyOf(namespace)]?.properties ?? {})
  }

  /** Engines ask for a place: one that none was given has its own. */
  private told(namespace: Namespace, properties: Properties): Properties {
    return { location: this.locations.ofNamespace(namespace), ...properties }
  }

  /**
   * Where a new table or view goes: where its client says, or below its namespace.
   *
   * @throws RestError when it may not lie there.
   */
  locationFor(claim: Claim & Identifier, given: unknown, id: string): string {
    if (given !== undefined && given !== null) {
      if (typeof given !== 'string') throw badRequest('location is not a string')
      return this.locations.checked(given, claim).replace(/\/+$/, '')
    }
    const { location = '' } = this.propertiesIn(claim.state, claim.namespace)
    return this.locations.fresh(location, claim, id)
  }

  /** @param cascade takes its tables and views with it; without it, it must have none. */
  async drop(caller: Caller, text: string, { cascade = false } = {}): Promise<void> {
    const message = `drop namespace ${shownKey(text)}`
    return this.journal.change({ caller, message }, async (state) => {
      const namespace = this.existing(caller, state, text)
      refuseWritingAll(caller, namespace)
      refuseManaged(namespace, 'drop')
      const { namespaces = {}, relations = {} } = state.external ?? {}
      const below = `${keyOf(namespace)}${LEVEL}`
      const within = (all: object) => Object.keys(all).filter((key) => key.startsWith(below))
      const own = within(relations)
      if (within(namespaces).length > 0 || (own.length > 0 && !cascade))
        throw new RestError(
          409,
          'NamespaceNotEmptyException',
          `Namespace ${shownNamespace(namespace)} is not empty.`,
        )
      const { external } = changeOf(namespace, null)
      const relationsToo =
        own.length > 0 ? { relations: Object.fromEntries(own.map((key) => [key, null])) } : {}
      return { changes: { external: { ...external, ...relationsToo } }, answer: undefined }
    })
  }

  async change(caller: Caller, text: string, updates: Properties, removals: readonly string[]) {
    const both = removals.filter((name) => Object.hasOwn(updates, name))
    if (both.length > 0)
      throw new RestError(
        422,
        'UnprocessableEntityException',
        `Invalid namespace update, cannot simultaneously set and remove keys: [${both.join(', ')}]`,
      )
    const message = `set properties of namespace ${shownKey(text)}`
    return this.journal.change({ caller, message }, async (state) => {
      const namespace = this.existing(caller, state, text)
      refuseWritingAll(caller, namespace)
      refuseManaged(namespace, 'change')
      if (updates.location !== undefined)
        this.locations.checked(updates.location, { caller, state, namespace })
      const before = state.external?.namespaces[keyOf(namespace)]?.properties ?? {}
      const properties: Record<string, string> = { ...before, ...updates }
      for (const name of removals) delete properties[name]
      refuseLarge(namespace, properties, before)
      return {
        changes: changeOf(namespace, { properties }),
        answer: {
          updated: Object.keys(updates),
          removed: removals.filter((name) => Object.hasOwn(before, name)),
          missing: removals.filter((name) => !Object.hasOwn(before, name)),
        },
      }
    })
  }
}

/** @throws RestError for more properties than a namespace may have, unless they become fewer. */
function refuseLarge(namespace: Namespace, properties: Properties, before: Properties = {}): void {
  const bytesOf = (all: Properties) => Buffer.byteLength(JSON.stringify(all))
  const size = bytesOf(properties)
  if (size <= LARGEST || size < bytesOf(before)) return
  throw illegal(
    `The properties of namespace ${shownNamespace(namespace)} would have ${Math.ceil(size / 2 ** 10)} KiB, more than the limit of ${LARGEST / 2 ** 10} KiB. Nothing was changed. Remove properties, or keep what they hold in a table`,
  )
}

/** What a commit says of a namespace: what it is like now, or that it is gone. */
const changeOf = (namespace: Namespace, to: NamespaceState | null): Changes => ({
  external: { namespaces: { [keyOf(namespace)]: to } },
})

/** Whether a namespace is there; to a run those are which it builds the first tables of. */
export function isThere(
  state: LakeState,
  namespace: Namespace,
  { principal: { run } }: Caller,
): boolean {
  const [tier = ''] = namespace
  if (isManaged(namespace))
    return (
      namespace.length === 1 &&
      (managedNamespaces(state).includes(tier) ||
        (run?.tables ?? []).some((table) => table.startsWith(`${tier}.`)))
    )
  return Object.hasOwn(state.external?.namespaces ?? {}, keyOf(namespace))
}

/** @throws RestError for a namespace whose tables `lake.ts` defines. */
export function refuseManaged(namespace: Namespace, doing: string): void {
  if (isManaged(namespace))
    throw illegal(
      `Cannot ${doing} in ${shownNamespace(namespace)}: its tables are defined in lake.ts. Change the definition and run moraine run, or write to a namespace of your own`,
    )
}
