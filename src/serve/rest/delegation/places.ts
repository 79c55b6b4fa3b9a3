import { isObject, type Json } from '../../../iceberg/spec/updates/json.js'
import type { LakeState } from '../../../log/commit.js'
import { keyOfRelation, LEVEL } from '../../../log/external.js'
import { homeOf } from '../../../log/tables/others.js'
import { keepRecent } from '../../../recent.js'
import type { Grant } from '../../../storage/storage.js'
import { forbidden, type RestError } from '../errors.js'
import type { MetadataFiles, MetadataPointer } from '../files.js'
import { freshFolderOf } from '../fresh-folder.js'
import { type Locations, PATHS } from '../locations.js'
import { type Identifier, isManaged, shownName } from '../names.js'

/** Only the catalog writes these: what the log says of them must stay true. */
const METADATA = ['.metadata.json']
/** Parts of the path of a table: what lies higher is never one table's alone. */
const DEPTH = { managed: 2, external: 3 } as const

/** A table, or one that is about to be made. */
export interface TableAt {
  identifier: Identifier
  /** Its newest metadata file; `undefined` for a table that is not there yet. */
  at: string | undefined
  metadata: () => Promise<Json>
}

/** A table whose metadata lie in a file. */
export const tableAt = (
  files: MetadataFiles,
  identifier: Identifier,
  at: MetadataPointer,
): TableAt => ({ identifier, at: at.metadata, metadata: () => files.json(at) })

/** Folders that the metadata of a table name. */
interface Named {
  /** Where its properties say that files go. */
  written: readonly string[]
  /** Where its snapshots were, when they were written. */
  read: readonly string[]
}

/** Metadata files whose folders are remembered. */
const KEPT = 10_000

/** The only one that has something below a folder; `undefined` where there are several. */
type Owner = string | undefined

/** What lies where. */
interface Folders {
  /** The owners of folders. */
  at: ReadonlyMap<string, Owner>
  /** Of what lies below a folder. */
  below: ReadonlyMap<string, Owner>
}

/**
 * The folders of the lake that are one table's alone, which is all that credentials for it may
 * reach.
 */
export class Places {
  private readonly known = new WeakMap<object, Folders>()
  private readonly named = new Map<string, Named>()

  constructor(private readonly locations: Locations) {}

  /**
   * What credentials for a table allow: its files are read, and new ones are written only for
   * tables of other engines. Never is anything removed: vacuum does that.
   *
   * @param states of its branch, and of others whose tables it must not reach.
   * @param writes whether new files may be written; `all` means to tables of the lake as well.
   * @throws RestError where a folder of the table is also that of another one.
   */
  async grants(
    states: readonly LakeState[],
    table: TableAt,
    writes: boolean | 'all',
  ): Promise<Grant[]> {
    const isOwn = isManaged(table.identifier.namespace)
    const all = states.map((state) => this.foldersOf(state, isOwn))
    const own = isOwn ? shownName(table.identifier) : keyOfRelation(table.identifier)
    const may = writes === 'all' || (writes && !isOwn) ? 'write' : 'read'
    const isAlone = (folder: string) =>
      folder.split('/').length >= DEPTH[isOwn ? 'managed' : 'external'] &&
      !all.some((folders) => isShared(folders, folder, own))
    const { written, read } = await this.namedBy(table)
    if (!written.every(isAlone)) throw shared(table.identifier)
    const except = may === 'write' ? { except: METADATA } : {}
    const wide = written.map((folder): Grant => ({ folder, may, ...except }))
    const others = read.filter((folder) => isAlone(folder) && !written.includes(folder))
    return withoutNested([...wide, ...others.map((folder): Grant => ({ folder, may: 'read' }))])
  }

  /**
   * The same for a table that is about to be made, whose place only its client knows: the one in
   * which a file of it would lie.
   *
   * @param states of its branch first.
   * @param path of the file.
   * @param ofRun the name of the branch, where a run has it for itself.
   */
  grantsForNew(
    states: readonly [LakeState, ...LakeState[]],
    identifier: Identifier,
    path: string,
    ofRun?: string,
  ): Grant[] {
    const isOwn = isManaged(identifier.namespace)
    const base =
      ofRun === undefined
        ? this.locations.layout.ofRelation(identifier, states[0])
        : this.locations.ofRunTable(identifier, ofRun)
    const folder = base === '' ? undefined : freshFolderOf(path, base)
    if (folder === undefined || folder === path) return []
    const own = isOwn ? shownName(identifier) : keyOfRelation(identifier)
    const isOthers = states.some((state) => isShared(this.foldersOf(state, isOwn), folder, own))
    return isOthers ? [] : [{ folder, may: 'write', except: METADATA }]
  }

  private async namedBy({ at, metadata }: TableAt): Promise<Named> {
    const known = at === undefined ? undefined : this.named.get(at)
    if (known) return known
    const { location, properties, snapshots } = await metadata()
    const paths = isObject(properties) ? PATHS.map((name) => properties[name]) : []
    const lists = Array.isArray(snapshots) ? snapshots.map((one) => one['manifest-list']) : []
    const read = [...(at === undefined ? [] : [at]), ...this.inLake(lists)].map(homeOf)
    const written = [...new Set(this.inLake([location, ...paths]))]
    const found = { written, read: [...new Set(read)] }
    if (at === undefined) return found
    keepRecent(this.named, at, found, KEPT)
    return found
  }

  private inLake(locations: readonly unknown[]): string[] {
    return locations.flatMap((location) =>
      typeof location === 'string'
        ? (this.locations.pathOf(location.replace(/\/+$/, '')) ?? [])
        : [],
    )
  }

  private foldersOf(state: LakeState, managed: boolean): Folders {
    const key = managed ? state.tables : state.external
    if (!key) return foldersWith([])
    const known = this.known.get(key)
    if (known) return known
    const found = managed ? managedFolders(state) : this.externalFolders(state)
    this.known.set(key, found)
    return found
  }

  private externalFolders({ external }: LakeState): Folders {
    const { relations = {}, namespaces = {} } = external ?? {}
    const claims = Object.entries(relations).map(
      ([key, { metadata }]) => [homeOf(metadata), key] as const,
    )
    const levels = Object.keys(namespaces).flatMap((key) =>
      this.inLake([this.locations.ofNamespace(key.split(LEVEL))]),
    )
    // A relation somewhere high up would claim all that lies below.
    const deep = claims.filter(([folder]) => folder.split('/').length >= DEPTH.external)
    return foldersWith([...deep, ...levels.map((folder) => [`${folder}/`, undefined] as const)])
  }
}

const managedFolders = ({ tables }: LakeState): Folders =>
  foldersWith(Object.entries(tables).map(([name, { metadata }]) => [homeOf(metadata), name]))

function foldersWith(claims: readonly (readonly [folder: string, owner: Owner])[]): Folders {
  const at = new Map<string, Owner>()
  const below = new Map<string, Owner>()
  const note = (map: Map<string, Owner>, folder: string, owner: Owner) =>
    map.set(folder, !map.has(folder) || map.get(folder) === owner ? owner : undefined)
  for (const [folder, owner] of claims) {
    if (!folder.endsWith('/')) note(at, folder, owner)
    for (const higher of above(folder)) note(below, higher, owner)
  }
  return { at, below }
}

/** Whether a folder is that of somebody else, or lies in such a one, or has one in it. */
function isShared({ at, below }: Folders, folder: string, own: string): boolean {
  const isOthers = (map: ReadonlyMap<string, Owner>, key: string) =>
    map.has(key) && map.get(key) !== own
  return (
    isOthers(at, folder) ||
    isOthers(below, folder) ||
    above(folder).some((higher) => isOthers(at, higher))
  )
}

/** The folders that a path lies in. */
function above(path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'))
}

/** What a wider grant includes is left out. */
function withoutNested(grants: readonly Grant[]): Grant[] {
  const includes = (wide: Grant, { folder, may }: Grant) =>
    folder.startsWith(`${wide.folder}/`) && (wide.may === 'write' || may === 'read')
  return grants.filter((grant) => !grants.some((other) => includes(other, grant)))
}

const shared = (identifier: Identifier): RestError =>
  forbidden(
    `There are no credentials for ${shownName(identifier)} alone: other tables lie in its folder, or it in theirs`,
  )
