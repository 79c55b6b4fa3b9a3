import { randomUUID } from 'node:crypto'
import { contentsOf } from '../../../iceberg/difference.js'
import { isSameId, type TableMetadata } from '../../../iceberg/spec/metadata.js'
import { NAME_MAPPING } from '../../../iceberg/spec/name-mapping.js'
import { applyUpdates } from '../../../iceberg/spec/updates/apply.js'
import type { AnyMetadata } from '../../../iceberg/spec/updates/metadata-json.js'
import { checkRequirements } from '../../../iceberg/spec/updates/requirements.js'
import { Table } from '../../../iceberg/table.js'
import type { LakeState, TableState } from '../../../log/commit.js'
import type { Caller } from '../caller.js'
import { illegal, noSuch, type RestError } from '../errors.js'
import { PATHS } from '../locations.js'
import { type Identifier, shownName } from '../names.js'
import type { Parts } from '../parts.js'
import { refuseTaken } from '../relations.js'
import type { Applied, TableCommit } from '../table-commit.js'
import { type Added, checkedSnapshots } from './added.js'
import type { ManagedChange } from './change.js'
import { refusing } from './written.js'

/** What the log says of a table before anything is in it; the run says by which definition. */
const EMPTY = { definition: {}, rows: 0, bytes: 0, files: 0 }

/**
 * Tables that the engine of a run builds, on the run's own branch: new ones lie in a folder of that
 * run, and whatever they name lies with them.
 */
export class BuiltTables {
  private readonly storage: Parts['storage']
  private readonly files: Parts['files']
  private readonly locations: Parts['locations']

  /** @param ofRun the name of the branch. */
  constructor(
    { storage, files, locations }: Pick<Parts, 'storage' | 'files' | 'locations'>,
    private readonly ofRun: string,
  ) {
    this.storage = storage
    this.files = files
    this.locations = locations
  }

  /** Whether a table is one that was created on this branch. */
  isOwn(identifier: Identifier, { metadata }: Pick<TableState, 'metadata'>): boolean {
    return metadata.startsWith(`${this.folderFor(identifier)}/`)
  }

  private folderFor({ namespace: [tier = ''] }: Identifier): string {
    return this.locations.pathOf(this.locations.ofRun([tier], this.ofRun)) as string
  }

  /**
   * Where a table is to lie that is not there yet.
   *
   * @param given where its client wants it.
   * @throws RestError for a place outside of the run's folder.
   */
  locationFor(identifier: Identifier, given: unknown, id: string): string {
    const folder = this.folderFor(identifier)
    if (typeof given !== 'string')
      return this.locations.fresh(this.storage.locate(folder), identifier, id)
    const path = this.locations.pathOf(given.replace(/\/+$/, ''))
    const [first, name, ...rest] = path?.startsWith(`${folder}/`)
      ? [folder, ...path.slice(folder.length + 1).split('/')]
      : []
    const isPlain = first !== undefined && rest.length === 0 && /^\w[\w-]*$/.test(name ?? '')
    if (isPlain) return this.storage.locate(`${folder}/${name}`)
    throw illegal(
      `Cannot create ${shownName(identifier)} at ${given}: what a run builds lies directly below ${this.storage.locate(folder)}. Leave the location out`,
    )
  }

  /** Why no metadata file of a client's own is taken for a table. */
  refusedRegistering(identifier: Identifier): RestError {
    return illegal(
      `Cannot register ${shownName(identifier)}: what a run builds is created on its own branch`,
    )
  }

  /** A table without rows, and the commit that makes it. */
  async create(identifier: Identifier, metadata: AnyMetadata) {
    const { at, state } = await this.save(await this.begun(identifier, metadata))
    return { changes: { tables: { [shownName(identifier)]: state } }, answer: { at, metadata } }
  }

  /** What becomes of a table that is created together with its rows. */
  async createWithRows(
    caller: Caller,
    state: LakeState,
    { identifier, requirements, updates }: TableCommit,
  ): Promise<Applied> {
    const name = shownName(identifier)
    if (!requirements.some(({ type }) => type === 'assert-create')) throw noSuch('table', name)
    refuseTaken(caller, state, identifier, 'table')
    checkRequirements(requirements, undefined)
    const said = updates.find(({ action }) => action === 'set-location')?.location
    const location = this.locationFor(identifier, said, randomUUID())
    const metadata = applyUpdates(undefined, updates, { now: Date.now() })
    const change = await this.begun(identifier, { ...metadata, location })
    const save = async () => {
      const { at, state: made } = await this.save(change)
      return { at, tables: { [name]: made } }
    }
    const { did = '', since } = change
    return { after: { at: undefined, metadata: change.metadata }, save, did, since }
  }

  /** What becomes of a table that a run's engine begins, by its first metadata. */
  private async begun(identifier: Identifier, metadata: AnyMetadata): Promise<ManagedChange> {
    const name = shownName(identifier)
    const folder = this.locations.pathOf(metadata.location) as string
    if (await this.isTaken(folder))
      throw illegal(`Cannot create ${name} at ${metadata.location}: another table lies there`)
    const table = Table.create(this.storage, folder)
    const state = { ...EMPTY, metadata: `${folder}/metadata/` }
    return this.changed({ name, table, state, metadata }, new Date())
  }

  private async isTaken(folder: string): Promise<boolean> {
    const found = await this.storage.list(`${folder}/metadata/`)
    return found.some(({ path }) => path.endsWith('.metadata.json'))
  }

  /**
   * What becomes of a table by new metadata.
   *
   * @param since when the first of the files may have been written that were looked at before.
   * @throws RestError for what no run may publish.
   */
  async changed(change: Omit<Added, 'refuse'>, since: Date): Promise<ManagedChange> {
    const { name, table, metadata } = change
    const refuse = (why: string) => illegal(`Cannot write to ${name}: ${why}. Nothing was changed`)
    const flaw = flawIn(table.metadata, metadata)
    if (flaw !== undefined) throw refuse(flaw)
    const isNew = metadata.snapshots.length > table.metadata.snapshots.length
    const made = isNew
      ? await checkedSnapshots(this.storage, { ...change, refuse })
      : await this.withoutSnapshots(table, metadata).catch(refusing(refuse))
    const { rows, engine, files } = made
    const did = `build ${name}: ${rows} rows${engine}`
    const first = new Date(Math.min(since.getTime(), made.since.getTime()))
    return {
      table: name,
      metadata: made.metadata,
      did,
      since: first,
      state: { ...EMPTY, metadata: change.state.metadata, rows, ...files },
      sameRows: false,
    }
  }

  private async withoutSnapshots(table: Table, metadata: AnyMetadata) {
    const { totals } = await contentsOf(table.withMetadata(metadata as TableMetadata))
    const { rows = 0, files, bytes } = totals
    return { metadata, rows, engine: '', files: { files, bytes }, since: new Date() }
  }

  /** Writes the first metadata of a table. */
  private async save({ metadata, state }: ManagedChange) {
    const folder = state.metadata.slice(0, -1)
    const at = await this.files.write(folder, metadata, randomUUID())
    return { at, state: { ...state, ...at } }
  }
}

/** What is wrong with metadata, whatever they list. */
function flawIn(before: TableMetadata, after: AnyMetadata): string | undefined {
  if (after['format-version'] !== 2)
    return `it has format version ${after['format-version']}, and moraine run writes version 2`
  const elsewhere = PATHS.find((name) => after.properties[name] !== undefined)
  if (elsewhere) return `its files lie in its own folder, and ${elsewhere} says otherwise`
  if (after.properties[NAME_MAPPING] !== undefined)
    return `files without field ids are not read, and ${NAME_MAPPING} is for them`
  const known = new Set(before.snapshots.map((one) => String(one['snapshot-id'])))
  const last = after.snapshots.at(-1)
  const isNew = last !== undefined && !known.has(String(last['snapshot-id']))
  const current = after['current-snapshot-id'] ?? -1
  const may = isNew ? [last['snapshot-id']] : [before['current-snapshot-id'], -1]
  return may.some((id) => isSameId(id, current))
    ? undefined
    : `its current snapshot would be ${current}, which is not the newest one`
}
