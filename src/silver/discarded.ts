import type { Silver } from '../define/model.js'
import { quoteText } from '../define/sql/sql.js'
import type { Field } from '../define/types/column-type.js'
import type { Relation, Session } from '../engine/engine.js'
import type { TableVersion } from '../iceberg/version.js'
import type { StepContext } from '../step/context.js'
import { chooseDeletes } from '../step/delete-strategy.js'
import { tableFiles } from '../step/table-files.js'
import { type Written, writeTable } from '../step/write-table.js'
import type { WithIngestedAt } from './ingested-at.js'
import { ROW_ID } from './keys.js'
import { isStale, type Stale } from './stale.js'

/** The table of discarded rows: `discarded.orders`. */
export const discardedOf = (dataset: { name: string }): string => `discarded.${dataset.name}`

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

/** @param rows SQL for them, where there are some. */
export async function writeDiscardedRows(
  context: StepContext,
  session: Session,
  dataset: Silver,
  rows: string | undefined,
  incremental: boolean,
): Promise<Written> {
  return writeTable(context, session, {
    name: discardedOf(dataset),
    columns: discardedColumns,
    partitions: [],
    rows: rows && `${rows} ORDER BY _batch, _source_file, _source_line`,
    removed: incremental ? new Set() : 'all',
  })
}

/** SQL for a reason: whether it is about a rule of that name, or a column. */
export function isForRule(reason: string, rule: string): string {
  const begins = (text: string) =>
    `substring(${reason} FROM 1 FOR ${[...text].length}) = ${quoteText(text)}`
  return `(${begins(rule)} OR ${begins(`rule: ${rule}`)})`
}

/** Takes rows out of the discarded table, and gives those that stay their new reasons. */
export async function writeLeft(
  context: StepContext,
  session: Session,
  dataset: Silver,
  leaving: Relation,
  validated: string,
): Promise<Written> {
  const name = discardedOf(dataset)
  const table = (await context.relations.table(name)) as TableVersion
  const tasks = await table.plan()
  const strategy = await chooseDeletes(context, session, table, tasks, leaving)
  const { rewritten, deletions, removed } = strategy
  const again = `${validated} AND (${ROW_ID}) IN (SELECT (${ROW_ID}) FROM ${leaving.sql})`
  const names = discardedColumns.map((column) => column.name).join(', ')
  const { antiJoin, union } = session.dialect.rows
  const old = session.tables.scanWithFiles(
    table.schema,
    tableFiles(context.storage, table, rewritten),
  )
  const others =
    rewritten.length === 0
      ? []
      : [
          `(SELECT ${names} FROM ${antiJoin(`(${old})`, leaving.sql, { using: '_data_file, _data_row' })})`,
        ]
  return writeTable(context, session, {
    name,
    columns: discardedColumns,
    partitions: [],
    rows: union([again, ...others]),
    removed,
    deletions,
  })
}
