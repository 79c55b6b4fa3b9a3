import { randomUUID } from 'node:crypto'
import { applyUpdates } from '../../iceberg/spec/updates/apply.js'
import { createdMetadata } from '../../iceberg/spec/updates/create.js'
import { isObject, type Json, textsOf } from '../../iceberg/spec/updates/json.js'
import { type AnyMetadata, completed } from '../../iceberg/spec/updates/metadata-json.js'
import { checkRequirements } from '../../iceberg/spec/updates/requirements.js'
import type { ExternalState, LakeState, TableState } from '../../log/commit.js'
import type { Storage } from '../../storage/storage.js'
import type { Caller } from './caller.js'
import { alreadyExists, badRequest, illegal, noSuch } from './errors.js'
import type { MetadataFiles, MetadataPointer } from './files.js'
import type { Journal } from './journal.js'
import { asLeft, changeOne, type LoadedTable } from './loaded.js'
import type { Locations } from './locations.js'
import { ManagedTables, managedTable } from './managed/managed-tables.js'
import { refusedDrop, refusedRename } from './managed/refusals.js'
import { type Identifier, keyOfRelation, shownName } from './names.js'
import { type Namespaces, refuseManaged } from './namespaces.js'
import { existing, externalOf, refuseTaken } from './relations.js'

/** What a client wants changed of one table. */
export interface TableCommit {
  identifier: Identifier
  requirements: readonly Json[]
  updates: readonly Json[]
}

/** What a table becomes by a request; it has no place yet where it changes. */
interface Applied {
  after: LoadedTable
  /** Writes its metadata; what a commit says of it then. */
  save: () => Promise<{
    at: MetadataPointer
    relations?: Record<string, ExternalState>
    tables?: Record<string, TableState>
  }>
  /** What it does, and since when its files may lie there, where that is known. */
  did?: string
  since?: Date
}

/** What tables are kept by. */
interface Parts {
  storage: Storage
  journal: Journal
  files: MetadataFiles
  locations: Locations
  namespaces: Namespaces
}

/**
 * Tables of other engines: made, changed, renamed and dropped by requests, each of which is one
 * commit of the log.
 */
export class Tables {
  private readonly storage: Storage
  readonly journal: Journal
  readonly files: MetadataFiles
  private readonly locations: Locations
  private readonly namespaces: Namespaces
  private readonly managed: ManagedTables

  constructor(parts: Parts) {
    this.storage = parts.storage
    this.journal = parts.journal
    this.files = parts.files
    this.locations = parts.locations
    this.namespaces = parts.namespaces
    this.managed = new ManagedTables(parts.storage, parts.files)
  }

  async create(caller: Caller, identifier: Identifier, request: Json): Promise<LoadedTable> {
    const uuid = randomUUID()
    const decide = async (state: LakeState) => {
      refuseTaken(state, identifier, 'table')
      const location = this.namespaces.locationFor(state, identifier, request.location, uuid)
      const metadata = createdMetadata(request, { uuid, location, now: Date.now() })
      this.refuseElsewhere(metadata)
      return metadata
    }
    if (request['stage-create'] === true) {
      const metadata = await decide(await this.journal.head())
      // Some engines write files into folders that they expect to be there.
      const folder = this.locations.metadataFolder(metadata, uuid)
      await this.storage.prepare(`${folder}/0`)
      return { at: undefined, metadata }
    }
    const message = `create table ${shownName(identifier)}`
    return changeOne(this, { caller, message }, identifier, async (state) => {
      const metadata = await decide(state)
      const at = await this.write(metadata, undefined)
      return { changes: pointTo(identifier, { kind: 'table', ...at }), answer: { at, metadata } }
    })
  }

  /** @throws RestError when files of the table would lie where none may. */
  private refuseElsewhere(metadata: AnyMetadata, before?: AnyMetadata) {
    this.locations.refuseElsewhere(metadata, before)
    const known = new Set(before?.snapshots.map((snapshot) => String(snapshot['snapshot-id'])))
    for (const snapshot of metadata.snapshots) {
      if (known.has(String(snapshot['snapshot-id']))) continue
      const paths = [snapshot['manifest-list'] ?? [], snapshot.manifests ?? []].flat()
      for (const path of paths) this.locations.checked(path)
    }
  }

  private write(metadata: AnyMetadata, before: ExternalState | undefined) {
    const folder = this.locations.metadataFolder(metadata, metadata['table-uuid'])
    return this.files.write(folder, metadata, randomUUID(), before?.metadata)
  }

  /** Applies what one client wants of any number of tables: to all of them, or to none. */
  async commit(caller: Caller, commits: readonly TableCommit[]): Promise<LoadedTable[]> {
    const names = commits.map(({ identifier }) => shownName(identifier))
    if (new Set(names).size < names.length) throw badRequest('A table must not be named twice')
    const message = `commit to ${names.join(', ')}`
    const decide = async (state: LakeState) => {
      const decided: Applied[] = []
      for (const commit of commits)
        decided.push(
          managedTable(state, commit.identifier)
            ? await this.managedApplied(state, commit)
            : await this.applied(state, commit),
        )
      const relations: Record<string, ExternalState> = {}
      const tables: Record<string, TableState> = {}
      for (const { after, save } of decided) {
        if (after.at) continue
        const { at, ...written } = await save()
        after.at = at
        Object.assign(relations, written.relations)
        Object.assign(tables, written.tables)
      }
      const has = (part: object) => Object.keys(part).length > 0
      return {
        changes: {
          ...(has(tables) ? { tables } : {}),
          ...(has(relations) ? { external: { relations } } : {}),
        },
        answer: decided.map(({ after }) => after),
        ...told(decided),
      }
    }
    const identifiers = commits.map(({ identifier }) => identifier)
    return this.journal.change({ caller, message }, decide, asLeft(this.files, identifiers))
  }

  /** What becomes of a table that `lake.ts` defines. */
  private async managedApplied(state: LakeState, commit: TableCommit): Promise<Applied> {
    const before = managedTable(state, commit.identifier) as TableState
    const table = shownName(commit.identifier)
    const change = await this.managed.changed(before, table, commit)
    const { metadata, did, since } = change
    if (did.length === 0)
      return { after: { at: before, metadata }, save: async () => ({ at: before }) }
    const save = async () => {
      const saved = await this.managed.save(change)
      return { at: saved.at, tables: { [table]: saved.state } }
    }
    return { after: { at: undefined, metadata }, save, did: `${did.join(', ')} of ${table}`, since }
  }

  /** What a table becomes; it has no place yet where it changes. */
  private async applied(
    state: LakeState,
    { identifier, requirements, updates }: TableCommit,
  ): Promise<Applied> {
    const key = keyOfRelation(identifier)
    const isNew = requirements.some(({ type }) => type === 'assert-create')
    const found = externalOf(state, identifier)
    if (isNew && found?.kind !== 'table') refuseTaken(state, identifier, 'table')
    if (!isNew && found?.kind !== 'table') throw noSuch('table', shownName(identifier))
    const before = found && completed(await this.files.json(found))
    checkRequirements(requirements, before)
    const previousFile = found && before && this.locations.spelled(found.metadata, before)
    const metadata = applyUpdates(before, updates, { previousFile, now: Date.now() })
    const isSame = metadata === before
    if (!isSame) this.refuseElsewhere(metadata, before)
    const after: LoadedTable = { at: isSame ? found : undefined, metadata }
    const save = async () => {
      const at = await this.write(metadata, found)
      return { at, relations: { [key]: { kind: 'table', ...at } as const } }
    }
    return { after, save }
  }

  async register(caller: Caller, identifier: Identifier, request: Json): Promise<LoadedTable> {
    const { at, json } = await registered(request, this.locations, this.files)
    const metadata = completed(json)
    this.refuseElsewhere(metadata)
    const message = `register table ${shownName(identifier)}`
    return changeOne(this, { caller, message }, identifier, async (state) => {
      const replaces = request.overwrite === true && externalOf(state, identifier)?.kind === 'table'
      if (!replaces) refuseTaken(state, identifier, 'table')
      return { changes: pointTo(identifier, { kind: 'table', ...at }), answer: { at, metadata } }
    })
  }
}

/** How the history shows changes that are known in detail, and since when their files are there. */
function told(decided: readonly Applied[]): { message?: string; since?: Date } {
  const times = decided.map(({ since }) => since?.getTime())
  const did = decided.map((one) => one.did)
  if (!did.every((text) => text !== undefined) || times.includes(undefined)) return {}
  return { message: did.join(', '), since: new Date(Math.min(...(times as number[]))) }
}

/** What a commit says of a table or view: where its metadata lie now, or that it is gone. */
export const pointTo = (identifier: Identifier, at: ExternalState | null) => ({
  external: { relations: { [keyOfRelation(identifier)]: at } },
})

/** The file of metadata that a request to register one names. */
export async function registered(request: Json, locations: Locations, files: MetadataFiles) {
  const location = request['metadata-location']
  if (typeof location !== 'string') throw badRequest('metadata-location is missing')
  locations.checked(location)
  const path = locations.pathOf(location)
  if (path === undefined) throw badRequest(`${location} is not in the lake`)
  const { json, sha256 } = await files.unknown(path)
  return { at: { metadata: path, sha256 }, json }
}

/** Takes a table or view out of the lake; its files stay for earlier states until a vacuum. */
export async function drop(
  journal: Journal,
  caller: Caller,
  kind: ExternalState['kind'],
  identifier: Identifier,
): Promise<void> {
  const message = `drop ${kind} ${shownName(identifier)}`
  return journal.change({ caller, message }, async (state) => {
    if (kind === 'table' && managedTable(state, identifier))
      throw illegal(refusedDrop(shownName(identifier)))
    refuseManaged(identifier.namespace, `drop a ${kind}`)
    existing(state, identifier, kind)
    return { changes: pointTo(identifier, null), answer: undefined }
  })
}

/** Gives a table or view another name, maybe in another namespace. */
export async function rename(
  journal: Journal,
  caller: Caller,
  kind: ExternalState['kind'],
  [from, to]: readonly [Identifier, Identifier],
): Promise<void> {
  const message = `rename ${kind} ${shownName(from)} to ${shownName(to)}`
  return journal.change({ caller, message }, async (state) => {
    if (kind === 'table' && managedTable(state, from)) throw illegal(refusedRename(shownName(from)))
    for (const { namespace } of [from, to]) refuseManaged(namespace, `rename a ${kind}`)
    const found = existing(state, from, kind)
    const taken = externalOf(state, to)
    if (taken && (kind === 'view' || taken.kind !== kind))
      throw alreadyExists(
        `Cannot rename ${shownName(from)} to ${shownName(to)}. ${taken.kind === 'table' ? 'Table' : 'View'} already exists`,
      )
    refuseTaken(state, to, kind)
    const relations = { [keyOfRelation(from)]: null, [keyOfRelation(to)]: found }
    return { changes: { external: { relations } }, answer: undefined }
  })
}

/** Requirements and updates of a request. */
export function changesIn(request: Json): Pick<TableCommit, 'requirements' | 'updates'> {
  const part = (name: string) => {
    const list = request[name] ?? []
    if (!Array.isArray(list) || !list.every(isObject)) throw badRequest(`${name} is not a list`)
    return list
  }
  return { requirements: part('requirements'), updates: part('updates') }
}

/** Properties of a request, if it has any. */
export const propertiesOf = (request: Json) =>
  request.properties === undefined || request.properties === null
    ? {}
    : textsOf(request, 'properties')
