import { posix } from 'node:path'
import { FOREIGN } from '../../iceberg/foreign-path.js'
import { parseJson } from '../../iceberg/json.js'
import { isObject, type Json } from '../../iceberg/spec/updates/json.js'
import type { External } from '../../log/commit.js'
import { keyOf, LEVEL } from '../../log/external.js'
import { KnownFolders } from '../../log/tables/folders.js'
import { ownValue } from '../../own-value.js'
import { sha256 } from '../../storage/checksum.js'
import { isBelow } from '../../storage/paths.js'
import { normalLocation, pathOf, type Storage } from '../../storage/storage.js'
import { type Claim, type Layout, mayUse, type Use } from './access/claims.js'
import { forbidden, illegal } from './errors.js'
import { freshFolder } from './fresh-folder.js'
import type { Identifier, Namespace } from './names.js'

/** The property of a table or view that says where its metadata go. */
const METADATA_PATH = 'write.metadata.path'

/** Properties that say where engines put files. */
export const PATHS = [
  METADATA_PATH,
  'write.data.path',
  'write.folder-storage.path',
  'write.object-storage.path',
]

/** What says of a table or view where its files go. */
export interface Placed {
  location: string
  properties: Texts
}

type Texts = Readonly<Record<string, string>>

/** Where tables of other engines lie. */
export class Locations {
  private readonly allowed: readonly string[]

  /** @param allowed prefixes outside of the lake that tables may lie under, too. */
  constructor(
    private readonly storage: Storage,
    allowed: readonly string[] = [],
  ) {
    this.allowed = allowed.map((prefix) => `${normalLocation(prefix).replace(/\/+$/, '')}/`)
  }

  ofNamespace(namespace: Namespace): string {
    return this.storage.locate(`${FOREIGN}${namespace.map(folderName).join('/')}`)
  }

  /** The folder of what a run's engine builds of a tier, by the run's own branch. */
  ofRun([tier = '']: Namespace, branch: string): string {
    return this.storage.locate(`${tier}/${branch}`)
  }

  /** What the paths of folders begin with that a run's engine is given for a new table. */
  ofRunTable({ namespace, name }: Identifier, branch: string): string {
    return this.pathOf(this.named(this.ofRun(namespace, branch), name)) ?? ''
  }

  /** A place where no other table lies or has lain. */
  fresh(base: string, { name }: Identifier, id: string): string {
    return freshFolder(this.named(base, name), id)
  }

  private named(base: string, name: string): string {
    return `${base.replace(/\/+$/, '')}/${folderName(name)}`
  }

  /**
   * A location that a client names, if tables may lie there, and the client may use it.
   *
   * @param use what it is: a place for files, or that of a file.
   * @throws RestError otherwise.
   */
  checked(location: string, claim: Claim, use: Use = 'place'): string {
    const normal = normalLocation(location)
    const own = `${this.storage.url}/${FOREIGN}`
    if (
      !isClean(normal) ||
      ![own, ...this.allowed].some((prefix) => `${normal}/`.startsWith(prefix))
    )
      throw illegal(
        `The location ${location} is not below ${own}: leave the location out, or start the server with --allow-location`,
      )
    const path = this.pathOf(normal.replace(/\/+$/, ''))
    if (path !== undefined && !isBelow(path))
      throw illegal(`The location ${location} has an empty part: write one slash instead of two`)
    return this.granted(location, claim, use)
  }

  /**
   * A location that the client may use.
   *
   * @throws RestError otherwise.
   */
  granted(location: string, claim: Claim, use: Use): string {
    const normal = normalLocation(location)
    if (isClean(normal) && mayUse(normal, use, claim, this.layout)) return location
    throw forbidden(
      `${claim.caller.principal.name} may not use the location ${location}: it must be below that of the table, or of a namespace that it may write to`,
    )
  }

  readonly layout: Layout = {
    pathOf: (location) => this.pathOf(location),
    ofNamespace: (namespace, { external }) => this.placesOf(namespace, external?.namespaces),
    namespacesAround: (path, { external }) =>
      external ? this.namespaces.of(external.namespaces).around(path) : [],
    ofRelation: ({ namespace, name }, { external }) => {
      const base = this.given(namespace, external?.namespaces) ?? this.ofNamespace(namespace)
      return this.pathOf(this.named(base, name)) ?? ''
    },
  }

  private readonly namespaces = new KnownFolders((all: External['namespaces']) =>
    Object.keys(all).flatMap((key) => {
      const levels = key.split(LEVEL)
      return this.placesOf(levels, all).map((place) => [place, key, levels] as const)
    }),
  )

  private placesOf(namespace: Namespace, all: External['namespaces'] | undefined): string[] {
    return [this.ofNamespace(namespace), this.given(namespace, all) ?? []]
      .flat()
      .flatMap((location) => this.pathOf(location) ?? [])
  }

  /** The location that a namespace was given. */
  private given(namespace: Namespace, all: External['namespaces'] | undefined): string | undefined {
    return ownValue(all ?? {}, keyOf(namespace))?.properties.location
  }

  /**
   * Makes sure that what a client says of a table or view puts its files where they may lie.
   *
   * @param before what was known to be so already.
   */
  refuseElsewhere(placed: Placed, claim: Claim, before?: Placed): void {
    const { location, properties } = placed
    const known = { ...claim, own: before ? ownPlaces(before) : [] }
    if (location !== before?.location) this.checked(location, known)
    const own = [...known.own, location]
    for (const name of PATHS)
      if (properties[name] !== undefined && properties[name] !== before?.properties[name])
        this.checked(properties[name], { ...claim, own })
  }

  /** The path of a location in the lake; `undefined` for one that lies elsewhere. */
  pathOf(location: string): string | undefined {
    return pathOf(this.storage, normalLocation(location))
  }

  /**
   * The folder of the metadata of a table or view: the one that it asks for, or one below it. They
   * go into the lake, wherever the table lies.
   */
  metadataFolder({ location, properties }: Placed, uuid: string): string {
    const asked = properties[METADATA_PATH]
    const own = asked === undefined ? undefined : this.ownPathOf(asked)
    return own ?? this.ownPathOf(`${location}/metadata`) ?? `${FOREIGN}_elsewhere/${uuid}/metadata`
  }

  private ownPathOf(location: string): string | undefined {
    const path = this.pathOf(location.replace(/\/+$/, ''))
    return path?.startsWith(FOREIGN) ? path : undefined
  }

  /** Where a file of metadata lies, as whoever asked for its folder spells that. */
  spelled(path: string, { properties }: Pick<Placed, 'properties'>): string {
    const folder = properties[METADATA_PATH]?.replace(/\/+$/, '')
    const isAsked = folder !== undefined && this.ownPathOf(folder) === posix.dirname(path)
    return isAsked ? `${folder}/${posix.basename(path)}` : this.storage.locate(path)
  }

  /** The same of metadata as they were read, which few of them are parsed for. */
  spelledIn(path: string, text: string): string {
    const { properties } = text.includes(METADATA_PATH) ? (parseJson(text) as Json) : {}
    return this.spelled(path, { properties: isObject(properties) ? (properties as Texts) : {} })
  }
}

/** Locations of a table or view that were checked when they were given. */
export const ownPlaces = ({ location, properties }: Placed) => [
  location,
  ...PATHS.flatMap((name) => properties[name] ?? []),
]

/** Whether a location has no parts that lead elsewhere. */
function isClean(location: string): boolean {
  const parts = location.replace(/^[a-z0-9]+:\/\//i, '').split('/')
  return !parts.some((part) => /^(\.|%2e){1,2}$/i.test(part)) && !/[\0\\?#]/.test(location)
}

/**
 * A name as one part of a path on every storage; what can't stand there is told apart by a hash.
 */
function folderName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64)
  if (plain === name) return name
  return `${plain}-${sha256(name).slice(0, 8)}`
}
