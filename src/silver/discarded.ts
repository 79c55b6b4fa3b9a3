import { fullName } from '../define/dataset.js'
import type { Silver } from '../define/model.js'
import { quoteText } from '../define/sql/sql.js'
import type { Field } from '../define/types/column-type.js'
import type { Relation, Session } from '../engine/engine.js'
import type { TableState } from '../log/commit.js'
import type { BuildDecision } from '../plan/decision.js'
import { definitionOf } from '../plan/fingerprint.js'
import { checkFiles } from '../step/check-files.js'
import { hash, type RunContext } from '../step/context.js'
import { chooseDeletes } from '../step/delete-strategy.js'
import { tableFiles } from '../step/table-files.js'
import { tableState, writeTable } from '../step/write-table.js'
import type { WithIngestedAt } from './ingested-at.js'
import { ROW_ID } from './keys.js'
import { isStale, type Stale } from './stale.js'

/** Columns of every table of discarded rows. */
export const discardedColumns: readonly Field[] = [
  { name: 'reasons', type: { kind: 'list', element: { kind: 'string' } } },
  {
    name: 'raw',
    type: { kind: 'string' },
    description: 'The raw values as JSON, or the raw line.',
  },
  { name: '_source_file', type: { kind: 'string' } },
  { name: '_source_line', type: { kind: 'bigint' }, description: 'Physical line, starting at 1.' },
  { name: '_batch', type: { kind: 'string' } },
  { name: '_discarded_at', type: { kind: 'timestamptz' } },
  {
    name: '_stale',
    type: { kind: 'boolean' },
    description: 'Whether an older, valid row with the same key stayed in the table.',
  },
]

/** SQL for the flagged rows that are discarded; a condition may follow. */
export function discardedRows(
  dataset: Silver,
  flagged: Relation,
  stale: Stale,
  withIngestedAt: WithIngestedAt,
): string {
  return `SELECT _reasons AS reasons, _raw AS raw, _source_file, _source_line, _batch, _ingested_at AS _discarded_at,
    ${isStale(dataset, stale)} AS _stale FROM ${withIngestedAt(flagged.sql)} AS f WHERE _reasons IS NOT NULL AND NOT _superseded`
}

export async function writeDiscarded(
  context: RunContext,
  session: Session,
  dataset: Silver,
  rows: string,
  incremental: boolean,
) {
  const name = `discarded.${dataset.name}`
  const { table, added } = await writeTable(context, session, {
    name,
    columns: discardedColumns,
    partitions: [],
    rows: `${rows} ORDER BY _batch, _source_file, _source_line`,
    removed: incremental ? new Set() : 'all',
  })
  return { name, table, written: added.reduce((sum, file) => sum + file.rows, 0) }
}

/** SQL for a reason: whether it is about a rule of that name, or a column. */
export function isForRule(reason: string, rule: string): string {
  return `(starts_with(${reason}, ${quoteText(rule)}) OR starts_with(${reason}, ${quoteText(`rule: ${rule}`)}))`
}

/** Which discarded rows are judged again. */
export interface Chosen {
  /** Only rows that one of whose reasons begins so. */
  rule?: string
  /** Only rows that were discarded then or later. */
  since?: string
}

/** The discarded rows that are meant, and which batches they are in; `undefined` where there are none. */
export async function chooseRows(
  { relations, storage }: RunContext,
  session: Session,
  dataset: Silver,
  { rule, since }: Chosen,
): Promise<{ replayed: Relation; decision: BuildDecision } | undefined> {
  const table = await relations.table(`discarded.${dataset.name}`)
  if (!table) return undefined
  const tasks = await table.plan()
  await checkFiles(storage, table, tasks)
  const files = tableFiles(storage, table, tasks)
  const batches = dataset.from.map((from) => ({
    dataset: fullName(from),
    batches: relations.view.batches[fullName(from)] ?? [],
  }))
  const known = batches.flatMap((b) => b.batches.map(({ batch }) => quoteText(batch)))
  const conditions = [
    // A file that could not be read has no rows; and what bronze has forgotten can't be read again.
    '_source_line > 0',
    known.length > 0 ? `_batch IN (${known.join(', ')})` : 'false',
    ...(rule ? [`len(list_filter(reasons, lambda r: ${isForRule('r', rule)})) > 0`] : []),
    ...(since ? [`_discarded_at >= TIMESTAMPTZ ${quoteText(since)}`] : []),
  ]
  const replayed = await session.materialize(
    `SELECT * FROM (${session.tables.scanWithFiles(table.schema, files)}) WHERE ${conditions.join(' AND ')}`,
  )
  const found = await session.rows(`SELECT DISTINCT _batch AS b FROM ${replayed.sql}`)
  if (found.length === 0) return undefined
  const wanted = new Set(found.map(({ b }) => String(b)))
  const windows = batches.map((window) => ({
    dataset: window.dataset,
    batches: window.batches.filter(({ batch }) => wanted.has(batch)),
  }))
  const reason = 'validate discarded rows again'
  return {
    replayed,
    decision: { action: 'build', mode: 'incremental', reason, windows, only: replayed.sql },
  }
}

/** Takes rows out of the discarded table, and gives those that stay their new reasons. */
export async function writeLeft(
  context: RunContext,
  session: Session,
  dataset: Silver,
  leaving: Relation,
  validated: string,
): Promise<TableState> {
  const name = `discarded.${dataset.name}`
  const table = (await context.relations.table(name)) as NonNullable<
    Awaited<ReturnType<RunContext['relations']['table']>>
  >
  const tasks = await table.plan()
  const strategy = await chooseDeletes(context, session, table, tasks, leaving)
  const { rewritten, deletions, removed } = strategy
  const again = `${validated} AND (${ROW_ID}) IN (SELECT (${ROW_ID}) FROM ${leaving.sql})`
  const names = discardedColumns.map((column) => column.name).join(', ')
  const old = session.tables.scanWithFiles(
    table.schema,
    tableFiles(context.storage, table, rewritten),
  )
  const others =
    rewritten.length === 0
      ? ''
      : ` UNION ALL BY NAME (SELECT ${names} FROM (${old}) ANTI JOIN ${leaving.sql} USING (_data_file, _data_row))`
  const written = await writeTable(context, session, {
    name,
    columns: discardedColumns,
    partitions: [],
    rows: `${again}${others}`,
    removed,
    deletions,
  })
  return tableState(written.table, definitionOf(dataset, hash))
}
