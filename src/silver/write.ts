import { fullName } from '../define/dataset.js'
import type { Silver } from '../define/model.js'
import type { Relation, Session } from '../engine/engine.js'
import type { RowCounts } from '../log/commit.js'
import type { StepContext } from '../step/context.js'
import { proveNothingLost } from '../step/task/counts.js'
import type { StepOutput, TableOutput } from '../step/task/output.js'
import type { Written } from '../step/write-table.js'
import { discardedOf, discardedRows, writeDiscardedRows, writeLeft } from './discarded.js'
import { failedRows, failureOf } from './failed.js'
import { findVersions } from './history.js'
import type { Target } from './merge.js'
import { type Merged, writeRows } from './merged.js'
import type { Validated } from './stages.js'
import { writeTombstones } from './tombstones.js'
import type { Tally } from './validate.js'
import { writeVersions } from './write-history.js'

/**
 * Writes what a step keeps and what it discards, and proves that no row was lost.
 *
 * @param leaving of a replay: rows that leave the discarded table.
 */
export async function writeStep(
  context: StepContext,
  session: Session,
  merged: Merged,
  leaving?: Relation,
): Promise<StepOutput> {
  const { dataset, target, merge, deduplicated } = merged
  const name = fullName(dataset)
  const written = await writeRows(context, session, merged, merge)
  const discarded = await writeReasons(context, session, merged, leaving)
  const tombstones = await writeTombstones(context, session, dataset, merge.tombstones)
  const versions = dataset.history
    ? await writeVersions(
        context,
        session,
        await findVersions(context, session, dataset, deduplicated.candidates, target),
        true,
      )
    : {}
  const counts = countRows(merged, written, leaving ? merged.tally.discarded : rowsOf(discarded))
  proveNothingLost(name, counts)
  const failed = await failedRows(session, merged.validated.flagged, merged.tally)
  const failure = failed && !context.part ? failureOf(context, dataset, failed) : undefined
  const own = { ...written.output, ...whatIsSaid(context, merged, leaving) }
  return {
    tables: {
      [name]: own,
      [discardedOf(dataset)]: discarded.output,
      ...tombstones,
      ...versions,
    },
    counts: {
      now: counts,
      replaced: merge.replaced,
      revived: merge.tombstones?.lost ?? 0,
      replayed: leaving ? counts.in : 0,
      expired: 0,
      anew: !target.incremental,
    },
    result: resultOf(merged, counts, written),
    ...(failure ? { failure } : {}),
    ...(failed && context.part ? { left: { failed } } : {}),
  }
}

/** What the log is to say of the table: a replay reads no batches that the table does not know. */
function whatIsSaid(
  context: StepContext,
  { dataset, target, validated }: Merged,
  leaving: Relation | undefined,
): Pick<TableOutput, 'state' | 'continues'> {
  if (leaving) return { state: {}, continues: true }
  return { state: { inputColumns: inputColumns(context, dataset, target, validated) } }
}

/** The columns that a table's inputs have had, in lower case. */
export function inputColumns(
  { relations }: StepContext,
  dataset: Silver,
  { incremental }: Target,
  { columns }: Pick<Validated, 'columns'>,
): string[] {
  const known = incremental ? relations.view.tables[fullName(dataset)]?.inputColumns : undefined
  const all = [...(known ?? []), ...columns.map((column) => column.toLowerCase())]
  return [...new Set(all)].sort()
}

/** Writes the rows that were discarded, with their reasons. */
function writeReasons(
  context: StepContext,
  session: Session,
  { dataset, target, validated, stale, tally }: Merged,
  leaving: Relation | undefined,
): Promise<Written> {
  const rows = discardedRows(dataset, validated.flagged, stale, target.withIngestedAt)
  return leaving
    ? writeLeft(context, session, dataset, leaving, rows)
    : writeDiscardedRows(
        context,
        session,
        dataset,
        tally.discarded > 0 ? rows : undefined,
        target.incremental,
      )
}

/** How many rows were written. */
export const rowsOf = ({ added }: Pick<Written, 'added'>) =>
  added.reduce((sum, { rows }) => sum + rows, 0)

/** Where the rows that this step read have ended. */
function countRows(
  { dataset, tally, deduplicated, merge }: Merged,
  written: Written,
  discarded: number,
): RowCounts {
  return {
    in: tally.rows,
    kept: rowsOf(written) - merge.rewritten,
    discarded,
    superseded: tally.superseded + deduplicated.superseded + merge.superseded,
    ...(dataset.deleteWhen ? { deleted: merge.tombstones?.deleted ?? 0 } : {}),
  }
}

/** What is to be said of the rows that a step wrote. */
function resultOf(
  { merge, stale, tally }: Merged,
  counts: RowCounts,
  { added }: Written,
): StepOutput['result'] {
  return {
    counts: { ...counts, replaced: merge.replaced },
    rows: counts.kept,
    files: added.length,
    bytes: added.reduce((sum, { bytes }) => sum + bytes, 0),
    ...(stale.rows > 0 ? { stale: stale.rows } : {}),
    ...saidOf(tally),
  }
}

/** What is to be said of reasons. */
export function saidOf({
  reasons,
  warnings,
}: Pick<Tally, 'reasons' | 'warnings'>): StepOutput['result'] {
  return {
    ...(reasons.length > 0 ? { discarded: reasons } : {}),
    ...(warnings.length > 0 ? { warnings } : {}),
  }
}
