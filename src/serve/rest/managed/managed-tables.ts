import { randomUUID } from 'node:crypto'
import { applyUpdates } from '../../../iceberg/spec/updates/apply.js'
import { completed } from '../../../iceberg/spec/updates/metadata-json.js'
import { isRepeated } from '../../../iceberg/spec/updates/repeated.js'
import { checkRequirements } from '../../../iceberg/spec/updates/requirements.js'
import { Table } from '../../../iceberg/table.js'
import { tableFolder } from '../../../iceberg/table-folder.js'
import type { TableState } from '../../../log/commit.js'
import { sameRowsAs } from '../../../log/tables/same-rows.js'
import { illegal } from '../errors.js'
import type { MetadataPointer } from '../files.js'
import type { Parts } from '../parts.js'
import { checkedSnapshots } from './added.js'
import { recordedAdoption } from './adopt.js'
import { BuiltTables } from './built.js'
import type { ManagedChange, Sent } from './change.js'
import { decideManaged } from './decide.js'
import { namedSince, withPlaces } from './named.js'
import { recordedRewrite } from './rewrite.js'

/** Tables that `lake.ts` defines, as far as other engines may change them. */
export class ManagedTables {
  private readonly storage: Parts['storage']
  private readonly files: Parts['files']
  /** Tables whose datasets say `writes: 'allow'`. */
  private readonly writable: ReadonlySet<string>
  /** On a run's own branch: tables that its engine builds. */
  readonly built: BuiltTables | undefined

  constructor({ storage, files, locations, writable, ofRun }: Omit<Parts, 'namespaces'>) {
    this.storage = storage
    this.files = files
    this.writable = writable ?? new Set()
    this.built =
      ofRun === undefined ? undefined : new BuiltTables({ storage, files, locations }, ofRun)
  }

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
    const since = await namedSince(this.storage, { name: table, table: version }, metadata, applied)
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
}

/** The error that refuses snapshots of a kind. */
function how(as: 'rewrite' | 'adoption', table: string) {
  const doing = as === 'rewrite' ? 'rewrite files of' : 'write to'
  return {
    refuse: (why: string) => illegal(`Cannot ${doing} ${table}: ${why}. Nothing was changed`),
  }
}
