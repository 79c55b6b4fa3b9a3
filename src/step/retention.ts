import { fullName } from '../define/dataset.js'
import type { Gold, Silver } from '../define/model.js'
import { keptFrom, retentionOf } from '../define/retention.js'
import { thousands } from '../define/thousands.js'
import { count } from '../engine/count.js'
import type { Relation, Session } from '../engine/engine.js'
import type { FileChange, TableVersion } from '../iceberg/version.js'
import type { TableState } from '../log/commit.js'
import { retentionAfter, retentionWithout } from '../plan/refused/expired.js'
import { isHeld, type StepContext, withSession } from './context.js'
import { chooseDeletes } from './delete-strategy.js'
import { tableFiles } from './table-files.js'
import { NO_ROWS } from './task/counts.js'
import type { StepOutput } from './task/output.js'
import { olderThan, oldestRow, timeColumn } from './task/time-column.js'
import { type Written, writeTable } from './write-table.js'

/** A table without the rows that have expired by its dataset's `keep`. */
export interface Unexpired {
  table: TableVersion
  /** How its files change for that. */
  changes: readonly FileChange[]
  /** Rows that went. */
  expired: number
  /** How many of them no earlier step has written, where that is known. */
  own?: number
  retention: TableState['retention']
}

/**
 * Lets rows go that are older than a dataset's `keep`; the table stays as it is where it has none,
 * or they stay for ever, or somebody's rows are being forgotten.
 */
export async function withoutExpired(
  context: StepContext,
  dataset: Silver | Gold,
  table: TableVersion,
  before: TableState['retention'],
): Promise<Unexpired> {
  const retention = retentionOf(dataset)
  if (!retention) return { table, changes: [], expired: 0, retention: retentionWithout(before) }
  const from = keptFrom(retention, context.started)
  return withSession(context, fullName(dataset), async (session) => {
    const column = timeColumn(dataset, table, retention)
    const { sql: expired, files: within } = olderThan(column, from)
    const tasks = await table.plan(within)
    const files = session.tables.scanWithFiles(
      table.schema,
      tableFiles(context.storage, table, tasks),
    )
    const leaving = await session.materialize(
      `SELECT _data_file, _data_row FROM (${files}) WHERE ${expired}`,
    )
    const rows = isHeld(context)
      ? 0
      : await count(session, `SELECT count(*) AS n FROM ${leaving.sql}`)
    const left =
      rows > 0 && (await remove(context, session, dataset, table, { tasks, leaving, expired }))
    const oldest = await oldestRow(context, session, left ? left.table : table, column)
    const until = rows > 0 ? from.toISOString() : undefined
    const hadNone = before?.column === retention.by && !(before.oldest && isOlder(before, from))
    return {
      table: left ? left.table : table,
      changes: left ? left.output.changes : [],
      expired: rows,
      ...(hadNone ? { own: rows } : {}),
      retention: retentionAfter(before, retention.by, { oldest: oldest?.toISOString(), until }),
    }
  })
}

const isOlder = ({ oldest = '' }: { oldest?: string }, than: Date) =>
  Date.parse(oldest) < than.getTime()

async function remove(
  context: StepContext,
  session: Session,
  dataset: Silver | Gold,
  table: TableVersion,
  what: { tasks: Awaited<ReturnType<TableVersion['plan']>>; leaving: Relation; expired: string },
): Promise<Written> {
  const strategy = await chooseDeletes(context, session, table, what.tasks, what.leaving)
  const { rewritten, deletions, removed } = strategy
  const files = session.tables.scan(table.schema, tableFiles(context.storage, table, rewritten))
  return writeTable(context, session, {
    name: fullName(dataset),
    version: table,
    rows: `SELECT * FROM (${files}) WHERE NOT coalesce(${what.expired}, false)`,
    removed,
    deletions,
    anyOrder: dataset.tier === 'silver',
  })
}

/** Lets rows of a table go that nothing else has to be done for. */
export async function expireRows(
  context: StepContext,
  dataset: Silver | Gold,
): Promise<StepOutput> {
  const name = fullName(dataset)
  const { retention: before, counts } = context.relations.view.tables[name] as TableState
  const table = (await context.relations.table(name)) as TableVersion
  const { changes, expired, retention } = await withoutExpired(context, dataset, table, before)
  const state = retention ? { retention } : {}
  return {
    tables: { [name]: { changes, state, continues: true } },
    ...(counts ? { counts: { ...NO_ROWS, expired } } : {}),
    result: { rows: 0, files: 0, bytes: 0, notes: saidOf(expired) },
  }
}

/** What a run's notes say of rows that expired. */
export function saidOf(expired: number): string[] {
  if (expired === 0) return []
  return [`${thousands(expired)} ${expired === 1 ? 'row' : 'rows'} expired`]
}
