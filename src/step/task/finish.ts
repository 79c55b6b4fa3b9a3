import { fullName } from '../../define/dataset.js'
import type { Gold, Silver } from '../../define/model.js'
import { ChangedTable, ListedTable, type TableVersion } from '../../iceberg/version.js'
import { LONG_AGO, retentionRenamed } from '../../plan/refused/expired.js'
import { brokenChecks, holdChecks } from '../checks.js'
import { type StepContext, withSession } from '../context.js'
import { saidOf, type Unexpired, withoutExpired } from '../retention.js'
import { checkAdopted } from './adopted.js'
import { countEver } from './counts.js'
import type { StepOutput, TableOutput } from './output.js'
import type { StepTask } from './task.js'

/**
 * The end of a step, for which all of its rows must be there: lets rows go that are older than
 * `keep`, and holds the table against its checks. What was carried out in parts is put together
 * before.
 */
export async function finishStep(
  context: StepContext,
  dataset: Silver | Gold,
  { decision, replay }: StepTask,
  rows: StepOutput,
): Promise<StepOutput> {
  const name = fullName(dataset)
  const own = rows.tables[name]
  if (!own) return rows
  const written = await changedTable(context, name, own)
  const before = context.relations.view.tables[name]
  // What was made of rows that are gone goes on to be so, unless all of them are there again.
  const isAnew = own.changes[0]?.removed === 'all'
  const kept =
    !isAnew || decision.lost ? retentionRenamed(before?.retention, decision.renamed) : undefined
  // How old rows are that a replay has brought back is seen by the next run.
  const left = replay
    ? { ...NONE_EXPIRED, table: written, retention: kept && { ...kept, oldest: LONG_AGO } }
    : await withoutExpired(context, dataset, written, kept)
  const counts = rows.counts && { ...rows.counts, expired: left.expired }
  const checked = counts && (replay ? countEver(before?.counts, counts) : counts.now)
  const checks =
    dataset.checks.length === 0
      ? []
      : await withSession(context, name, (session) =>
          holdChecks(context, session, dataset, left.table, checked),
        )
  const adopted = await checkAdopted(
    context,
    dataset,
    left.table,
    isAnew ? undefined : before?.adopted,
  )
  const failure =
    rows.failure ?? adopted.failure ?? brokenChecks(context, name, checks, dataset.place)
  const notes = [...(rows.result.notes ?? []), ...saidOf(left.expired), ...adopted.notes]
  const retained = left.retention ? { retention: left.retention } : {}
  const state = { ...own.state, ...retained, ...adopted.state }
  return {
    ...rows,
    tables: {
      ...rows.tables,
      [name]: { ...own, changes: [...own.changes, ...left.changes], state },
    },
    ...(counts ? { counts } : {}),
    result: {
      ...withoutOwn(rows.result, isAnew ? left.expired : left.own),
      ...(notes.length > 0 ? { notes } : {}),
      ...(checks.length > 0 ? { checks } : {}),
    },
    ...(failure ? { failure } : {}),
  }
}

/** Rows that have expired with the step that read them are not among those that it kept. */
function withoutOwn(result: StepOutput['result'], expired = 0): StepOutput['result'] {
  if (expired === 0) return result
  const { counts, rows } = result
  return {
    ...result,
    ...(counts ? { counts: { ...counts, kept: counts.kept - expired, expired } } : {}),
    ...(rows === undefined ? {} : { rows: rows - expired }),
  }
}

const NONE_EXPIRED: Omit<Unexpired, 'table' | 'retention'> = { changes: [], expired: 0 }

/** A table with what a step has written of it. */
async function changedTable(
  { relations, storage, folders }: StepContext,
  name: string,
  { shape, changes }: TableOutput,
): Promise<TableVersion> {
  const existing =
    (await relations.table(name)) ?? ListedTable.empty(storage, folders[name] ?? name)
  let table: TableVersion = shape ? existing.reshape(shape) : existing
  for (const change of changes) table = new ChangedTable(storage, table, change)
  return table
}
