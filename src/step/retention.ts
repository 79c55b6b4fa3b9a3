import { fullName } from '../define/dataset.js'
import type { AnyDataset, Gold, Silver } from '../define/model.js'
import {
  isTime,
  keptFrom,
  type Retention,
  retentionOf,
  timeAs,
  timeText,
} from '../define/retention.js'
import { quoteName } from '../define/sql/sql.js'
import { thousands } from '../define/thousands.js'
import { count } from '../engine/count.js'
import type { Relation, Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { toColumnType } from '../iceberg/spec/types.js'
import { decodeValue } from '../iceberg/spec/values.js'
import type { FileChange, TableVersion } from '../iceberg/version.js'
import type { TableState } from '../log/commit.js'
import { isHeld, type StepContext, withSession } from './context.js'
import { chooseDeletes } from './delete-strategy.js'
import { tableFiles } from './table-files.js'
import { NO_ROWS } from './task/counts.js'
import type { StepOutput } from './task/output.js'
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
  if (!retention) {
    const { column: by, expiredBefore: until } = before ?? {}
    return {
      table,
      changes: [],
      expired: 0,
      retention: by && until ? { column: by, expiredBefore: until } : undefined,
    }
  }
  const from = keptFrom(retention, context.started)
  return withSession(context, fullName(dataset), async (session) => {
    const column = timeColumn(dataset, table, retention)
    const expired = `${quoteName(column.name)} < ${timeAs(from, column.type)}`
    const text = timeText(from, column.type)
    const tasks = await table.plan([{ column: column.name, op: '<', values: [text] }])
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
    const until = rows > 0 ? from.toISOString() : before?.expiredBefore
    const hadNone = before?.column === retention.by && !(before.oldest && isOlder(before, from))
    return {
      table: left ? left.table : table,
      changes: left ? left.output.changes : [],
      expired: rows,
      ...(hadNone ? { own: rows } : {}),
      retention: {
        column: retention.by,
        ...(oldest ? { oldest: oldest.toISOString() } : {}),
        ...(until ? { expiredBefore: until } : {}),
      },
    }
  })
}

const isOlder = ({ oldest = '' }: { oldest?: string }, than: Date) =>
  Date.parse(oldest) < than.getTime()

type Column = TableVersion['schema']['fields'][number]

/** The column that tells how old rows are. */
function timeColumn(dataset: AnyDataset, { schema }: TableVersion, { by }: Retention) {
  const field = schema.fields.find(({ name }) => name.toLowerCase() === by.toLowerCase())
  const type = field && toColumnType(field.type)
  if (field && type && isTime(type)) return { ...field, type, iceberg: String(field.type) }
  throw new MoraineError(
    'definition',
    `${fullName(dataset)}: keep: '${by}' is ${field ? 'not a date or time column' : 'not a column'}`,
    {
      place: dataset.place && { ...dataset.place, near: `'${by}'` },
      hint: `Use one of its date, timestamp or timestamptz columns: ${schema.fields.map(({ name }) => name).join(', ')}`,
    },
  )
}

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

/**
 * From when the oldest row is, as the files' bounds say; those of files with deletes may be of rows
 * that are gone.
 */
async function oldestRow(
  { storage }: StepContext,
  session: Session,
  table: TableVersion,
  column: Omit<Column, 'type'> & { iceberg: string },
): Promise<Date | undefined> {
  const tasks = await table.plan()
  const known: number[] = []
  const others = tasks.filter(({ file, deletes }) => {
    const { lower, nulls } = file.columns.get(column.id) ?? {}
    if (nulls === file.rows) return false
    if (!lower || deletes.length > 0) return true
    const value = Number(decodeValue(lower, column.iceberg))
    known.push(column.iceberg === 'date' ? value * 86_400_000 : Math.floor(value / 1000))
    return false
  })
  if (others.length > 0) {
    const files = session.tables.scan(table.schema, tableFiles(storage, table, others))
    const { millis } = session.dialect.times
    const [row] = await session.rows(
      `SELECT ${millis(`CAST(min(${quoteName(column.name)}) AS TIMESTAMP)`)} AS t FROM (${files})`,
    )
    if (row?.t !== null && row?.t !== undefined) known.push(Number(row.t))
  }
  return known.length > 0 ? new Date(known.reduce((a, b) => Math.min(a, b))) : undefined
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
