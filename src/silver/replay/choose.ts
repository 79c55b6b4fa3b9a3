import { fullName } from '../../define/dataset.js'
import { quoteText } from '../../define/sql/sql.js'
import type { Relation } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { TableState } from '../../log/commit.js'
import type { BuildDecision } from '../../plan/decision.js'
import { checkFiles } from '../../step/check-files.js'
import { tableFiles } from '../../step/table-files.js'
import type { Replay } from '../../step/task/task.js'
import { discardedOf, isForRule } from '../discarded.js'
import type { Work } from '../stages.js'
import { changedRules, holdReplaced, holdRows } from './rules.js'

/** Some of the discarded rows. */
export interface Chosen {
  /** Those rows, with their places in the discarded table. */
  rows: Relation
  /** Reads the batches that they are in, and of those only these rows. */
  decision: BuildDecision
}

/** Discarded rows that are validated again. */
export interface Replayed extends Chosen {
  /** The table as it stands. */
  before: TableState
  /** The definition has other rules than the one that the table was built by. */
  definitionChanged: boolean
  /** No discarded rows are left out but those that can't be read again. */
  isAll: boolean
  /** Those that are not meant, where the rules are other ones and not all are. */
  others: Chosen | undefined
}

/**
 * Finds the discarded rows that are meant; `undefined` where there are none.
 *
 * @throws MoraineError of kind `usage` where the table is not what its definition would make of it.
 */
export async function chooseReplayed(
  work: Work,
  { rule, since }: Replay,
): Promise<Replayed | undefined> {
  const { context, session, dataset } = work
  const name = fullName(dataset)
  const before = context.relations.view.tables[name]
  if (!before?.counts)
    throw new MoraineError('usage', `${name} is not built yet`, {
      hint: 'Build it with: moraine run',
    })
  const rules = changedRules(dataset, before)
  await holdRows(work, rules ?? [])
  const { lists } = session.dialect
  const limits = [
    ...(rule ? [lists.some('reasons', (reason) => isForRule(reason, rule))] : []),
    ...(since ? [`_discarded_at >= CAST(${quoteText(since)} AS TIMESTAMP WITH TIME ZONE)`] : []),
  ]
  const chosen = await chooseRows(work, limits)
  if (!chosen) return undefined
  await holdReplaced(work, before.counts, rules ?? [])
  const isSome = rules && limits.length > 0
  const others = isSome ? await chooseRows(work, [`NOT (${limits.join(' AND ')})`]) : undefined
  const isAll = limits.length === 0
  return { ...chosen, before, definitionChanged: rules !== undefined, isAll, others }
}

/**
 * The discarded rows that keep to some conditions, and which batches they are in; `undefined` where
 * there are none.
 */
async function chooseRows(
  { context, session, dataset }: Work,
  limits: readonly string[],
): Promise<Chosen | undefined> {
  const { relations, storage } = context
  const table = await relations.table(discardedOf(dataset))
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
    ...limits,
  ]
  const rows = await session.materialize(
    `SELECT * FROM (${session.tables.scanWithFiles(table.schema, files)}) WHERE ${conditions.join(' AND ')}`,
  )
  const found = await session.rows(`SELECT DISTINCT _batch AS b FROM ${rows.sql}`)
  if (found.length === 0) return undefined
  const wanted = new Set(found.map(({ b }) => String(b)))
  const windows = batches.map((window) => ({
    dataset: window.dataset,
    batches: window.batches.filter(({ batch }) => wanted.has(batch)),
  }))
  const reason = 'discarded rows are validated again'
  return {
    rows,
    decision: { action: 'build', mode: 'incremental', reason, windows, only: rows.sql },
  }
}
