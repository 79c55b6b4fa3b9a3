import { randomUUID } from 'node:crypto'
import { createdMetadata } from '../../iceberg/spec/updates/create.js'
import { flagOf, type Json } from '../../iceberg/spec/updates/json.js'
import { type AnyMetadata, completed } from '../../iceberg/spec/updates/metadata-json.js'
import { applyFitting } from '../../iceberg/spec/updates/misfits.js'
import { isRepeated } from '../../iceberg/spec/updates/repeated.js'
import { checkRequirements } from '../../iceberg/spec/updates/requirements.js'
import type { ExternalState, LakeState, TableState } from '../../log/commit.js'
import { externalOf, keyOfRelation } from '../../log/external.js'
import { refuseElsewhere, tableToRegister } from './access/contents.js'
import { refuseCreating, refuseWriting } from './access/rights.js'
import type { Caller } from './caller.js'
import { badRequest, noSuch } from './errors.js'
import { asLeft, changeOne, type LoadedTable } from './loaded.js'
import { ManagedTables } from './managed/managed-tables.js'
import { type Identifier, shownName } from './names.js'
import type { Parts } from './parts.js'
import { managedTable, refuseTaken } from './relations.js'
import type { Applied, TableCommit } from './table-commit.js'

/**
 * Tables of other engines: made, changed, renamed and dropped by requests, each of which is one
 * commit of the log.
 */
export class Tables {
  readonly storage: Parts['storage']
  readonly journal: Parts['journal']
  readonly files: Parts['files']
  readonly locations: Parts['locations']
  private readonly namespaces: Parts['namespaces']
  private readonly managed: ManagedTables

  constructor(parts: Parts) {
    this.storage = parts.storage
    this.journal = parts.journal
    this.files = parts.files
    this.locations = parts.locations
    this.namespaces = parts.namespaces
    this.managed = new ManagedTables(parts)
  }

  /** On a run's own branch: those that its engine builds. */
  get built() {
    return this.managed.built
  }

  async create(caller: Caller, identifier: Identifier, request: Json): Promise<LoadedTable> {
    const uuid = randomUUID()
    const decide = async (state: LakeState) => {
      refuseTaken(caller, state, identifier, 'table')
      const claim = { caller, state, ...identifier }
      const location = this.built
        ? this.built.locationFor(identifier, request.location, uuid)
        : this.namespaces.locationFor(claim, request.location, uuid)
      const metadata = createdMetadata(request, { uuid, location, now: Date.now() })
      if (this.built) return metadata
      await refuseElsewhere(this, metadata, { ...claim, own: [location] })
      return metadata
    }
    if (flagOf(request, 'stage-create')) {
      const metadata = await decide(await this.journal.head())
      // Some engines write files into folders that they expect to be there.
      const folder = this.built
        ? `${this.locations.pathOf(metadata.location)}/metadata`
        : this.locations.metadataFolder(metadata, uuid)
      await this.storage.prepare(`${folder}/0`)
      return { at: undefined, metadata }
    }
    const message = `create table ${shownName(identifier)}`
    return changeOne(this, { caller, message }, identifier, async (state) => {
      const metadata = await decide(state)
      if (this.built) return this.built.create(identifier, metadata)
      const at = await this.write(metadata, undefined)
      return { changes: pointTo(identifier, { kind: 'table', ...at }), answer: { at, metadata } }
    })
  }

  private write(metadata: AnyMetadata, before: ExternalState | undefined) {
    const folder = this.locations.metadataFolder(metadata, metadata['table-uuid'])
    return this.files.write(folder, metadata, randomUUID(), before?.metadata)
  }

  /** Applies what one client wants of any number of tables: to all of them, or to none. */
  async commit(caller: Caller, commits: readonly TableCommit[]): Promise<LoadedTable[]> {
    const names = commits.map(({ identifier }) => shownName(identifier))
    const keys = commits.map(({ identifier }) => keyOfRelation(identifier))
    if (new Set(keys).size < keys.length) throw badRequest('A table must not be named twice')
    for (const { identifier } of commits) refuseWriting(caller, identifier, 'table')
    const message = `commit to ${names.join(', ')}`
    const decide = async (state: LakeState) => {
      const decided: Applied[] = []
      for (const commit of commits)
        decided.push(
          managedTable(state, commit.identifier)
            ? await this.managedApplied(state, commit)
            : await (this.built
                ? this.built.createWithRows(caller, state, commit)
                : this.applied(caller, state, commit)),
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
    if (did === undefined)
      return { after: { at: before, metadata }, save: async () => ({ at: before }) }
    const save = async () => {
      const saved = await this.managed.save(change)
      return { at: saved.at, tables: { [table]: saved.state } }
    }
    return { after: { at: undefined, metadata }, save, did, since }
  }

  /** What a table becomes; it has no place yet where it changes. */
  private async applied(caller: Caller, state: LakeState, commit: TableCommit): Promise<Applied> {
    const { identifier, requirements, updates } = commit
    const key = keyOfRelation(identifier)
    const isNew = requirements.some(({ type }) => type === 'assert-create')
    const found = externalOf(state, identifier)
    if (isNew && found?.kind !== 'table') refuseTaken(caller, state, identifier, 'table')
    if (!isNew && found?.kind !== 'table') throw noSuch('table', shownName(identifier))
    const before = found && completed(await this.files.json(found))
    if (before && isRepeated(before, updates))
      return { after: { at: found, metadata: before }, save: async () => ({ at: found }) }
    checkRequirements(requirements, before)
    const previousFile = found && before && this.locations.spelled(found.metadata, before)
    const metadata = applyFitting(before, updates, { previousFile, now: Date.now() })
    const isSame = metadata === before
    if (!isSame) await refuseElsewhere(this, metadata, { caller, state, ...identifier }, before)
    const after: LoadedTable = { at: isSame ? found : undefined, metadata }
    const save = async () => {
      const at = await this.write(metadata, found)
      return { at, relations: { [key]: { kind: 'table', ...at } as const } }
    }
    return { after, save }
  }

  async register(caller: Caller, identifier: Identifier, request: Json): Promise<LoadedTable> {
    const message = `register table ${shownName(identifier)}`
    refuseCreating(caller, identifier)
    if (this.built) throw this.built.refusedRegistering(identifier)
    return changeOne(this, { caller, message }, identifier, async (state) => {
      const replaces =
        flagOf(request, 'overwrite') && externalOf(state, identifier)?.kind === 'table'
      if (!replaces) refuseTaken(caller, state, identifier, 'table')
      const claim = { caller, state, ...identifier }
      const { at, metadata } = await tableToRegister(request, claim, this)
      await refuseElsewhere(this, metadata, claim)
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
