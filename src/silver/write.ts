import { fullName } from '../define/dataset.js'
import type { Silver } from '../define/model.js'
import type { Relation, Session } from '../engine/engine.js'
import type { MoraineError } from '../errors.js'
import type { RowCounts, TableState } from '../log/commit.js'
import { definitionOf } from '../plan/fingerprint.js'
import type { Built } from '../step/built.js'
import { brokenChecks, holdChecks, notPublished } from '../step/checks.js'
import { hash, type RunContext } from '../step/context.js'
import { saidOf, withExpired, withoutExpired } from '../step/retention.js'
import { tableState } from '../step/write-table.js'
import { countEver, countRows, proveNothingLost, withoutReplayed } from './counts.js'
import { discardedRows, writeDiscarded, writeLeft } from './discarded.js'
import { writeHistory } from './history.js'
import { type Merged, writeRows } from './merged.js'
import { writeTombstones } from './tombstones.js'
import { countReasons } from './validate.js'

/** Writes what a build keeps and what it discards, and proves that no row was lost. */
export async function writeBuilt(
  context: RunContext,
  session: Session,
  merged: Merged,
): Promise<Built> {
  const { dataset, decision, target, validated, tally, merge, stale } = merged
  const { incremental, withIngestedAt } = target
  const name = fullName(dataset)
  const definition = definitionOf(dataset, hash)
  const written = await writeRows(context, session, merged)
  const discardedNow = discardedRows(dataset, validated.flagged, stale, withIngestedAt)
  const discarded = await writeDiscarded(context, session, dataset, discardedNow, incremental)
  const tombstones = await writeTombstones(context, session, dataset, merge.tombstones)
  const before = incremental ? context.relations.view.tables[name] : undefined
  const counts = countRows(merged, written.rows, discarded.written)
  const ever = countEver(merged, counts, before?.counts)
  proveNothingLost(name, counts)
  proveNothingLost(name, { ...ever, kept: written.table.totals.rows })
  // What was made of rows that are gone goes on to be so, unless all of them are there again.
  const kept =
    incremental || decision.lost ? context.relations.view.tables[name]?.retention : undefined
  const left = await withoutExpired(context, dataset, written.table, kept)
  const { table, expired, retention } = left
  const raw = validated.columns.map((column) => column.toLowerCase())
  const state: TableState = {
    ...tableState(table, definition, withExpired(ever, expired)),
    ...(retention ? { retention } : {}),
    inputColumns: [...new Set([...(before?.inputColumns ?? []), ...raw])].sort(),
  }
  const checks = await holdChecks(context, session, dataset, table, counts)
  const failure =
    (await failedRows(context, session, dataset, validated.flagged)) ??
    brokenChecks(context, name, checks, dataset.place)
  return {
    tables: {
      [name]: state,
      [discarded.name]: tableState(discarded.table, definition),
      ...tombstones,
    },
    result: {
      ...resultOf(merged, counts, written),
      ...(expired > 0 ? { notes: saidOf(expired) } : {}),
      ...(checks.length > 0 ? { checks } : {}),
      ...(tally.reasons.length > 0 ? { discarded: tally.reasons } : {}),
      ...(tally.warnings.length > 0 ? { warnings: tally.warnings } : {}),
    },
    written: { table, files: written.added },
    ...(failure ? { failure } : {}),
  }
}

/** Writes what a replay brought back, and takes it out of the discarded rows. */
export async function writeReplayed(
  context: RunContext,
  session: Session,
  merged: Merged,
  { before, leaving }: { before: TableState & { counts: RowCounts }; leaving: Relation },
): Promise<Built> {
  const { dataset, target, validated, tally, deduplicated, merge, stale } = merged
  const name = fullName(dataset)
  const written = await writeRows(context, session, merged)
  const { table } = written
  const counts = countRows(merged, written.rows, tally.discarded)
  proveNothingLost(name, counts)
  const ever = countEver(merged, counts, withoutReplayed(before.counts, counts.in))
  proveNothingLost(name, { ...ever, kept: table.totals.rows })
  const versions = dataset.history
    ? await writeHistory(context, session, dataset, deduplicated.candidates, target)
    : {}
  const tombstones = await writeTombstones(context, session, dataset, merge.tombstones)
  const again = discardedRows(dataset, validated.flagged, stale, target.withIngestedAt)
  const discarded = await writeLeft(context, session, dataset, leaving, again)
  const checks = await holdChecks(context, session, dataset, table, ever)
  const failure = brokenChecks(context, name, checks, dataset.place)
  return {
    tables: {
      [name]: {
        ...before,
        ...tableState(table, definitionOf(dataset, hash), ever),
        // How old the rows are that came back is seen by the next run.
        ...(before.retention
          ? { retention: { ...before.retention, oldest: new Date(0).toISOString() } }
          : {}),
      },
      [`discarded.${dataset.name}`]: discarded,
      ...tombstones,
      ...versions,
    },
    result: {
      ...resultOf(merged, counts, written),
      ...(checks.length > 0 ? { checks } : {}),
      ...(tally.reasons.length > 0 ? { discarded: tally.reasons } : {}),
    },
    written: { table, files: written.added },
    ...(failure ? { failure } : {}),
  }
}

/** What is to be said of the rows that a step wrote. */
function resultOf(
  { merge, stale }: Merged,
  counts: RowCounts,
  { added, bytes }: Awaited<ReturnType<typeof writeRows>>,
): Built['result'] {
  return {
    counts: { ...counts, replaced: merge.replaced },
    rows: counts.kept,
    files: added.length,
    bytes,
    ...(stale.rows > 0 ? { stale: stale.rows } : {}),
  }
}

/** What to say of rows that break a check of severity `fail`: they keep the step from being published. */
async function failedRows(
  context: RunContext,
  session: Session,
  dataset: Silver,
  flagged: Relation,
): Promise<MoraineError | undefined> {
  const failures = await countReasons(session, flagged, '_failures')
  if (failures.length === 0) return undefined
  const [example] = await session.rows(
    `SELECT _source_file, _source_line, _raw FROM ${flagged.sql} WHERE _failures IS NOT NULL ORDER BY _batch, _source_file, _source_line LIMIT 1`,
  )
  const said = failures.map(({ reason, rows }) => `${reason} (${rows} rows)`).join('; ')
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
