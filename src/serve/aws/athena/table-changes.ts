import type { Session } from '../../../engine/engine.js'
import { MoraineError } from '../../../errors.js'
import type { ScanTask } from '../../../iceberg/deletes.js'
import { expiring } from '../../../iceberg/spec/updates/own-updates.js'
import { RefusedUpdate } from '../../../iceberg/spec/updates/refused.js'
import type { Table } from '../../../iceberg/table.js'
import { binsOf, compacted, FILE_BYTES, takeUpTo } from '../../../maintain/optimize.js'
import type { Caller } from '../../../query/service/request.js'
import type { WrittenChange } from '../../../sql/trino/write/change.js'
import { stagingOf } from '../../../storage/storage.js'
import { illegal } from '../../rest/errors.js'
import { type Identifier, isManaged, shownName } from '../../rest/names.js'
import { refuseManaged } from '../../rest/namespaces.js'
import type { LakeAccess, TableName, ToWrite } from './lake-access.js'
import { changedRows } from './row-changes.js'
import { withEngine, withRowsFile } from './rows-file.js'

/** Bytes of files that are written again in any case, rather than have rows listed as deleted. */
const REWRITE_UP_TO = 16 << 20

/** Bytes that are rewritten before a commit. */
const STEP = 2 ** 30

/** How old snapshots are that VACUUM removes, where the table does not say so: five days. */
const KEPT_SECONDS = 432_000

/** How often VACUUM looks at a table that others change meanwhile. */
const ATTEMPTS = 5

/** Statements that change rows of tables which `lake.ts` does not define, or how they lie. */
export class TableChanges {
  constructor(
    private readonly lake: LakeAccess,
    private readonly rewriteUpTo = REWRITE_UP_TO,
  ) {}

  /** @throws RestError where this caller may not change rows of the table, or it is not there. */
  async refuseChanging(caller: Caller, doing: string, named: TableName): Promise<void> {
    await this.lake.changeable(caller, named, ({ namespace }) => refuseManaged(namespace, doing))
  }

  /**
   * Changes rows of a table, in one snapshot.
   *
   * @param from what is done with which of its rows, as they were when they were read.
   */
  async change(
    caller: Caller,
    named: TableName,
    change: WrittenChange,
    from: ToWrite,
  ): Promise<void> {
    const { lake, rewriteUpTo } = this
    const { storage } = lake
    const identifier = await lake.identifier(named)
    const { staging } = storage
    return withRowsFile(from.answer, { staging, signal: from.signal }, async (session, file) => {
      if (file.rows === 0) return
      const table = await lake.writable(await lake.stateOf(from.answer), identifier)
      refuseGone(table, change)
      const own = { storage, rewriteUpTo, session, table, change, file }
      const { rows, removed, lists } = await changedRows(own)
      const added = rows === '' ? [] : await lake.dataFiles(session, table, rows)
      const sums = await storage.seal(lists.map((one) => table.pathOf(one.file.path)))
      const deletes = lists.map((one) => ({ ...one, file: table.withChecksum(one.file, sums) }))
      const written = await table.write({ removed, added, deletes })
      await from.commit({ rows: file.rows, files: [] }, () =>
        lake.publish(caller, identifier, table, written),
      )
    })
  }

  /** Deletes all rows of a table. */
  async deleteAll(
    caller: Caller,
    named: TableName,
    { commit }: Pick<ToWrite, 'commit'>,
  ): Promise<void> {
    const { lake } = this
    const identifier = await lake.identifier(named)
    const table = await lake.table(await lake.head(), identifier)
    const { rows, files } = table.totals
    // Not all engines write totals into their snapshots.
    if (files === 0 && (await table.plan()).length === 0) return
    const written = await table.write({ removed: 'all', added: [] })
    await commit({ rows, files: [] }, () => lake.publish(caller, identifier, table, written))
  }

  /** @throws RestError for a table that this caller may not put together, or that a run does. */
  async refuseOptimizing(caller: Caller, named: TableName): Promise<void> {
    await this.lake.changeable(caller, named, (identifier) =>
      refuseOwn(identifier, 'optimize', (table) => `Run instead: moraine optimize ${table}`),
    )
  }

  /**
   * Puts small files of a table together, and applies what was deleted row by row: each step is a
   * commit.
   *
   * @param only names of the files that are meant, as engines have them, where not all are.
   */
  async optimize(
    caller: Caller,
    named: TableName,
    only: ReadonlySet<string> | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { lake } = this
    const identifier = await lake.identifier(named)
    const { staging } = lake.storage
    await withEngine({ staging, signal }, async (session) => {
      for (let left = Number.POSITIVE_INFINITY; left > 0; left--) {
        signal.throwIfAborted()
        // Others may have written since the last step: what lies there now is looked at.
        const table = await lake.writable(await lake.head(), identifier)
        const tasks = (await table.plan()).filter((one) => this.isMeant(session, table, one, only))
        const bins = binsOf(tasks, FILE_BYTES, false)
        if (bins.length === 0) return
        left = Math.min(left, bins.length)
        const { written } = await compacted(lake.storage, session, table, {
          chosen: takeUpTo(bins, STEP),
        })
        await lake.publish(caller, identifier, table, written)
      }
    })
  }

  private isMeant(
    session: Session,
    table: Table,
    { file }: ScanTask,
    only: ReadonlySet<string> | undefined,
  ): boolean {
    if (!only) return true
    const location = this.lake.storage.locate(table.pathOf(file.path))
    const staging = stagingOf(this.lake.storage)
    const names = [location, session.tables.fileName(location), staging.localPath(location)]
    return names.some((name) => only.has(name))
  }

  /** Has a table forget snapshots that are older than it says; their files are vacuum's. */
  async vacuum(caller: Caller, named: TableName): Promise<void> {
    const { lake } = this
    const identifier = await lake.changeable(caller, named, (one) =>
      refuseOwn(
        one,
        'vacuum',
        () => 'Snapshots and files of the whole lake are removed by: moraine vacuum',
      ),
    )
    for (let attempt = 1; ; attempt++)
      try {
        return await this.forget(caller, identifier)
      } catch (error) {
        // What others name or make current meanwhile may be what was to go: it is looked at again.
        if (attempt === ATTEMPTS || !(error instanceof RefusedUpdate)) throw error
      }
  }

  private async forget(caller: Caller, identifier: Identifier): Promise<void> {
    const { lake } = this
    const metadata = await lake.metadata(identifier)
    const { properties, refs } = metadata
    const seconds = Number(properties.vacuum_max_snapshot_age_seconds ?? KEPT_SECONDS)
    const least = Number(properties.vacuum_min_snapshots_to_keep ?? 1)
    const keep = { least: Math.max(1, least), age: seconds * 1000 }
    const updates = expiring(metadata as never, Date.now(), keep)
    if (updates.length === 0) return
    const requirements = [
      { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
      ...Object.entries(refs).map(([ref, { 'snapshot-id': id }]) => ({
        ...{ type: 'assert-ref-snapshot-id', ref },
        'snapshot-id': id,
      })),
    ]
    await lake.commit(caller, identifier, requirements, updates)
  }
}

function refuseOwn(identifier: Identifier, doing: string, instead: (table: string) => string) {
  const table = shownName(identifier)
  if (isManaged(identifier.namespace))
    throw illegal(`Cannot ${doing} ${table}: lake.ts defines it. ${instead(table)}`)
}

/** @throws MoraineError of kind `conflict` where others have taken a column away that is set. */
function refuseGone({ schema }: Table, { columns }: WrittenChange): void {
  const gone = columns.find((name) => !schema.fields.some((field) => field.name === name))
  if (gone !== undefined)
    throw new MoraineError('conflict', `The column ${gone} is gone since the statement was read`)
}
