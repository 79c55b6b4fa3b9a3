import { randomUUID } from 'node:crypto'
import { isSameId } from '../../../iceberg/spec/metadata.js'
import { applyUpdates } from '../../../iceberg/spec/updates/apply.js'
import type { Json } from '../../../iceberg/spec/updates/json.js'
import { type AnyMetadata, completed } from '../../../iceberg/spec/updates/metadata-json.js'
import { isRepeated } from '../../../iceberg/spec/updates/repeated.js'
import { checkRequirements } from '../../../iceberg/spec/updates/requirements.js'
import { Table } from '../../../iceberg/table.js'
import { tableFolder } from '../../../iceberg/table-folder.js'
import type { TableState } from '../../../log/commit.js'
import { sameRowsAs } from '../../../log/tables/same-rows.js'
import type { Storage } from '../../../storage/storage.js'
import { illegal } from '../errors.js'
import type { MetadataFiles, MetadataPointer } from '../files.js'
import { checkedSnapshots } from './added.js'
import { recordedAdoption } from './adopt.js'
import type { BuiltTables } from './built.js'
import { decideManaged } from './decide.js'
import { recordedRewrite } from './rewrite.js'
import { refusing, writtenAt } from './written.js'

/** A change of a table that `lake.ts` defines, which no commit holds yet. */
export interface ManagedChange {
  /** `silver.orders`. */
  table: string
  metadata: AnyMetadata
  /** What it does, in words; `undefined` where nothing changes. */
  did: string | undefined
  /** When the first of the files that it names may have been written. */
  since: Date
  /** What the log says of it, but for where its metadata lie: they are those of before. */
  state: TableState
  /** Whether its rows are the same. */
  sameRows: boolean
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
    /** Tables whose datasets say `writes: 'allow'`. */
    private readonly writable: ReadonlySet<string> = new Set(),
    /** On a run's own branch: tables that its engine builds. */
    private readonly built?: BuiltTables,
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
    const unchanged = { table, metadata, did: undefined, state: before, sameRows: true }
    if (isRepeated(metadata, updates)) return { ...unchanged, since: new Date() }
    checkRequirements(requirements, metadata)
    const decision = decideManaged({
      table,
      metadata,
      updates,
      writable: this.writable.has(table),
      built: this.built !== undefined,
    })
    if (decision.as === 'refused') throw illegal(decision.why)
    const previousFile = this.storage.locate(before.metadata)
    const applied = applyUpdates(metadata, updates, { previousFile, now: Date.now() })
    if (applied === metadata) return { ...unchanged, since: new Date() }
    const version = await Table.load(this.storage, before)
    const named = decision.did.length > 0 ? [`${decision.did.join(', ')} of ${table}`] : []
    const since = await this.namedSince(table, version, metadata, applied)
    const after = withPlaces(version, applied)
    if (decision.as === 'build')
      return (this.built as BuiltTables).changed(
        { name: table, table: version, state: before, metadata: after },
        since,
      )
    if (decision.as === 'names')
      return { table, metadata: after, did: named.join(), since, state: before, sameRows: true }
    const added = {
      name: table,
      table: version,
      state: before,
      metadata: after,
      ...how(decision.as, table),
    }
    const checked = await checkedSnapshots(this.storage, added)
    const recorded =
      decision.as === 'rewrite' ? recordedRewrite(added, checked) : recordedAdoption(added, checked)
    return {
      table,
      metadata: checked.metadata,
      did: [recorded.did, ...named].join(', '),
      since: new Date(Math.min(since.getTime(), checked.since.getTime())),
      state: recorded.state,
      sameRows: decision.as === 'rewrite',
    }
  }

  /** Writes what a table has become. */
  async save({
    metadata,
    state,
    sameRows,
  }: ManagedChange): Promise<{ at: MetadataPointer; state: TableState }> {
    const folder = `${tableFolder(state.metadata)}/metadata`
    const at = await this.files.write(folder, metadata, randomUUID(), state.metadata)
    const same = sameRows ? { sameRowsAs: sameRowsAs(state) } : {}
    return { at, state: { ...state, ...at, ...same } }
  }

  /**
   * Looks at what new tags and statistics name.
   *
   * @returns when the first of those files may have been written.
   * @throws RestError where they are not there, or where they may not be.
   */
  private async namedSince(
    table: string,
    version: Table,
    before: AnyMetadata,
    after: AnyMetadata,
  ): Promise<Date> {
    const times = [Date.now()]
    const safe = new Set([before, after].map((of) => String(of['current-snapshot-id'])))
    for (const ref of Object.values(before.refs)) safe.add(String(ref['snapshot-id']))
    for (const [name, ref] of Object.entries(after.refs)) {
      const id = String(ref['snapshot-id'])
      if (safe.has(id)) continue
      const snapshot = after.snapshots.find((one) => isSameId(one['snapshot-id'], id))
      const list = snapshot?.['manifest-list']
      if (!snapshot || !list || !(await this.storage.stat(version.pathOf(list))))
        throw illegal(
          `Cannot tag snapshot ${id} of ${table} as ${name}: moraine vacuum has removed its files`,
        )
      times.push(snapshot['timestamp-ms'])
    }
    for (const kind of ['statistics', 'partition-statistics'] as const)
      for (const file of after[kind] ?? [])
        if (!before[kind]?.includes(file))
          times.push(await this.statisticsAt(table, version, after, file))
    return new Date(Math.min(...times))
  }

  /** When a file of statistics was written that a client names. */
  private async statisticsAt(
    name: string,
    table: Table,
    { snapshots }: AnyMetadata,
    file: Json,
  ): Promise<number> {
    const refuse = (why: string) => illegal(`Cannot set statistics of ${name}: ${why}`)
    const id = String(file['snapshot-id'])
    if (!snapshots.some((one) => isSameId(one['snapshot-id'], id)))
      throw refuse(`it has no snapshot ${id}`)
    const named = { location: String(file['statistics-path']) }
    return writtenAt(this.storage, table, `${table.folder}/`, named).catch(refusing(refuse))
  }
}

/**
 * Statistics by their locations as the table spells them: Spark writes `file:/x` for `file:///x`.
 */
function withPlaces(table: Table, metadata: AnyMetadata): AnyMetadata {
  const placed = (file: Json): Json => {
    const path = table.pathOf(String(file['statistics-path']))
    return { ...file, 'statistics-path': `${metadata.location}${path.slice(table.folder.length)}` }
  }
  const { statistics, 'partition-statistics': partitions } = metadata
  return {
    ...metadata,
    ...(statistics ? { statistics: statistics.map(placed) } : {}),
    ...(partitions ? { 'partition-statistics': partitions.map(placed) } : {}),
  }
}

/** The error that refuses snapshots of a kind. */
function how(as: 'rewrite' | 'adoption', table: string) {
  const doing = as === 'rewrite' ? 'rewrite files of' : 'write to'
  return {
    refuse: (why: string) => illegal(`Cannot ${doing} ${table}: ${why}. Nothing was changed`),
  }
}
