import { fullName } from '../define/dataset.js'
import type { Silver } from '../define/model.js'
import { countOf } from '../define/thousands.js'
import type { Relation, Session } from '../engine/engine.js'
import type { MoraineError } from '../errors.js'
import type { RowCounts } from '../log/commit.js'
import { notPublished } from '../step/checks.js'
import type { StepContext } from '../step/context.js'
import { proveNothingLost } from '../step/task/counts.js'
import type { StepOutput, TableOutput } from '../step/task/output.js'
import type { Written } from '../step/write-table.js'
import { discardedOf, discardedRows, writeDiscarded, writeLeft } from './discarded.js'
import { writeHistory } from './history.js'
import { type Merged, writeRows } from './merged.js'
import { writeTombstones } from './tombstones.js'
import { countReasons } from './validate.js'

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
  const written = await writeRows(context, session, merged)
  const discarded = await writeReasons(context, session, merged, leaving)
  const tombstones = await writeTombstones(context, session, dataset, merge.tombstones)
  const versions = dataset.history
    ? await writeHistory(context, session, dataset, deduplicated.candidates, target)
    : {}
  const counts = countRows(merged, written, leaving ? merged.tally.discarded : rowsOf(discarded))
  proveNothingLost(name, counts)
  const failure = await failedRows(context, session, dataset, merged.validated.flagged)
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
  }
}

/** What the log is to say of the table: a replay reads no batches that the table does not know. */
function whatIsSaid(
  { relations }: StepContext,
  { dataset, target, validated }: Merged,
  leaving: Relation | undefined,
): Pick<TableOutput, 'state' | 'continues'> {
  if (leaving) return { state: {}, continues: true }
  const known = target.incremental
    ? relations.view.tables[fullName(dataset)]?.inputColumns
    : undefined
  const all = [...(known ?? []), ...validated.columns.map((column) => column.toLowerCase())]
  return { state: { inputColumns: [...new Set(all)].sort() } }
}

/** Writes the rows that were discarded, with their reasons. */
function writeReasons(
  context: StepContext,
  session: Session,
  { dataset, target, validated, stale }: Merged,
  leaving: Relation | undefined,
): Promise<Written> {
  const rows = discardedRows(dataset, validated.flagged, stale, target.withIngestedAt)
  return leaving
    ? writeLeft(context, session, dataset, leaving, rows)
    : writeDiscarded(context, session, dataset, rows, target.incremental)
}

const rowsOf = ({ added }: Pick<Written, 'added'>) => added.reduce((sum, { rows }) => sum + rows, 0)

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
    ...(tally.reasons.length > 0 ? { discarded: tally.reasons } : {}),
    ...(tally.warnings.length > 0 ? { warnings: tally.warnings } : {}),
  }
}

/**
 * What to say of rows that break a check of severity `fail`: they keep the step from being
 * published.
 */
async function failedRows(
  context: StepContext,
  session: Session,
  dataset: Silver,
  flagged: Relation,
): Promise<MoraineError | undefined> {
  const failures = await countReasons(session, flagged, '_failures')
  if (failures.length === 0) return undefined
  const [example] = await session.rows(
    `SELECT _source_file, _source_line, _raw FROM ${flagged.sql} WHERE _failures IS NOT NULL ORDER BY _batch, _source_file, _source_line LIMIT 1`,
  )
  const said = failures.map(({ reason, rows }) => `${reason} (${countOf(rows, 'row')})`).join('; ')
  const where = example?._source_file
    ? ` First at ${example._source_file}:${example._source_line}.`
    : ''
  const name = fullName(dataset)
  return notPublished(
    context,
    name,
    `a check with severity 'fail' failed: ${said}.${where}`,
    dataset.place,
  )
}
