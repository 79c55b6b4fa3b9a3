import { randomUUID } from 'node:crypto'
import { applyUpdates } from '../../../iceberg/spec/updates/apply.js'
import type { Json } from '../../../iceberg/spec/updates/json.js'
import { type AnyMetadata, completed } from '../../../iceberg/spec/updates/metadata-json.js'
import { checkRequirements } from '../../../iceberg/spec/updates/requirements.js'
import { Table } from '../../../iceberg/table.js'
import type { LakeState, TableState } from '../../../log/commit.js'
import { sameRowsAs } from '../../../log/tables/same-rows.js'
import { ownValue } from '../../../own-value.js'
import { normalLocation, pathOf, type Storage } from '../../../storage/storage.js'
import { illegal } from '../errors.js'
import type { MetadataFiles, MetadataPointer } from '../files.js'
import { type Identifier, isManaged, shownName } from '../names.js'
import { decideManaged } from './decide.js'

/** A change of a table that `lake.ts` defines, which no commit holds yet. */
export interface ManagedChange {
  /** `silver.orders`. */
  table: string
  metadata: AnyMetadata
  /** What it does, in words; nothing where nothing changes. */
  did: readonly string[]
  /** When the first of the files that it names may have been written. */
  since: Date
  before: TableState
}

/** What a client sends of one table. */
interface Sent {
  requirements: readonly Json[]
  updates: readonly Json[]
}

/** Tables that `lake.ts` defines, as far as other engines may change them. */
export class ManagedTables {
  constructor(
    private readonly storage: Storage,
    private readonly files: MetadataFiles,
  ) {}

  /**
   * What becomes of a table by what a client sends.
   *
   * @param table its name: `silver.orders`.
   * @throws RestError that says why not, and what to do instead.
   */
  async changed(
    before: TableState,
    table: string,
    { requirements, updates }: Sent,
  ): Promise<ManagedChange> {
    const metadata = completed(await this.files.json(before))
    checkRequirements(requirements, metadata)
    const decision = decideManaged({ table, metadata, updates })
    if (decision.as === 'refused') throw illegal(decision.why)
    const previousFile = this.storage.locate(before.metadata)
    const after = applyUpdates(metadata, updates, { previousFile, now: Date.now() })
    const { did } = decision
    if (after === metadata) return { table, metadata, did: [], since: new Date(), before }
    const since = await this.namedSince(table, before, metadata, after)
    return { table, metadata: after, did, since, before }
  }

  /** Writes what a table has become; its rows are the same. */
  async save({
    metadata,
    before,
  }: ManagedChange): Promise<{ at: MetadataPointer; state: TableState }> {
    const at = await this.files.write(
      `${folderOf(before)}/metadata`,
      metadata,
      randomUUID(),
      before.metadata,
    )
    return { at, state: { ...before, ...at, sameRowsAs: sameRowsAs(before) } }
  }

  /**
   * Looks at what new tags and statistics name.
   *
   * @returns when the first of those files may have been written.
   * @throws RestError where they are not there, or where they may not be.
   */
  private async namedSince(
    table: string,
    at: TableState,
    before: AnyMetadata,
    after: AnyMetadata,
  ): Promise<Date> {
    const version = await Table.load(this.storage, at)
    const times = [Date.now()]
    const safe = new Set([before, after].map((of) => String(of['current-snapshot-id'])))
    for (const ref of Object.values(before.refs)) safe.add(String(ref['snapshot-id']))
    for (const [name, ref] of Object.entries(after.refs)) {
      const id = String(ref['snapshot-id'])
      if (safe.has(id)) continue
      const snapshot = after.snapshots.find((one) => String(one['snapshot-id']) === id)
      const list = snapshot?.['manifest-list']
      if (!snapshot || !list || !(await this.storage.stat(version.pathOf(list))))
        throw illegal(
          `Cannot tag snapshot ${id} of ${table} as ${name}: moraine vacuum has removed its files`,
        )
      times.push(snapshot['timestamp-ms'])
    }
    for (const kind of ['statistics', 'partition-statistics'] as const)
      for (const file of after[kind] ?? [])
        if (!before[kind]?.includes(file)) times.push(await this.writtenAt(table, at, after, file))
    return new Date(Math.min(...times))
  }

  /** When a file of statistics was written that a client names. */
  private async writtenAt(
    table: string,
    at: TableState,
    { snapshots }: AnyMetadata,
    file: Json,
  ): Promise<number> {
    const id = String(file['snapshot-id'])
    if (!snapshots.some((one) => String(one['snapshot-id']) === id))
      throw illegal(`${table} has no snapshot ${id} that statistics could be of`)
    const location = String(file['statistics-path'])
    const path = pathOf(this.storage, normalLocation(location))
    if (!path?.startsWith(`${folderOf(at)}/`) || path.split('/').includes('..'))
      throw illegal(`Statistics of ${table} must lie below its location, and not at ${location}`)
    const found = await this.storage.stat(path)
    if (!found) throw illegal(`There are no statistics at ${location}`)
    return found.modified
  }
}

/** A table that `lake.ts` defines; `undefined` for all others. */
export function managedTable(state: LakeState, identifier: Identifier): TableState | undefined {
  const { namespace } = identifier
  if (!isManaged(namespace) || namespace.length > 1) return undefined
  return ownValue(state.tables, shownName(identifier))
}

/** The folder of a table, relative to the root. */
const folderOf = ({ metadata }: TableState) => metadata.slice(0, metadata.lastIndexOf('/metadata/'))
