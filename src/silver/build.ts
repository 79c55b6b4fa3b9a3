import { fullName } from '../define/dataset.js'
import { lookupsOf } from '../define/inputs.js'
import type { Silver } from '../define/model.js'
import type { Field } from '../define/types/column-type.js'
import { fieldsOfShape } from '../define/types/schema.js'
import type { Relation, Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import type { RowCounts, TableState } from '../log/commit.js'
import { definitionOf } from '../plan/fingerprint.js'
import type { BuildDecision } from '../plan/plan.js'
import type { Built } from '../step/built.js'
import { brokenChecks, holdChecks, notPublished } from '../step/checks.js'
import { hash, type RunContext, withSession } from '../step/context.js'
import { bindExpression, emptyRelation } from '../step/expressions.js'
import { silverLineage } from '../step/relations.js'
import { saidOf, withExpired, withoutExpired } from '../step/retention.js'
import { refuseBreaking } from '../step/schema-change.js'
import { aboutTable, tableState, writeTable } from '../step/write-table.js'
import { carefully } from './careful.js'
import { deduplicate } from './deduplicate.js'
import { writeHistory } from './history.js'
import { type Came, cameWith } from './ingested-at.js'
import { type Merge, mergeByKey, type Target } from './merge.js'
import type { Deduplicated, Validated } from './stages.js'
import { findStale, isStale, type Stale } from './stale.js'
import { tombstoneColumns, tombstonesOf } from './tombstones.js'
import { countReasons, type Tally, tallyRows, validate } from './validate.js'

/** Columns of every table of discarded rows. */
export const discardedColumns: readonly Field[] = [
  { name: 'reasons', type: { kind: 'list', element: { kind: 'string' } } },
  {
    name: 'raw',
    type: { kind: 'string' },
    description: 'The raw values as JSON, or the raw line.',
  },
  { name: '_source_file', type: { kind: 'string' } },
  { name: '_source_line', type: { kind: 'bigint' }, description: 'Physical line, from 1.' },
  { name: '_batch', type: { kind: 'string' } },
  { name: '_discarded_at', type: { kind: 'timestamptz' } },
  {
    name: '_stale',
    type: { kind: 'boolean' },
    description: 'Whether an older, valid row of its key stayed in the table.',
  },
]

/**
 * Reads new bronze rows (or all), checks them in one pass, keeps the newest of each key, and writes
 * what is kept and what is discarded. Proves that no row was lost.
 */
export async function buildSilver(
  context: RunContext,
  dataset: Silver,
  decision: BuildDecision,
): Promise<Built> {
  return carefully(context, dataset, (how) => build(how, dataset, decision))
}

async function build(
  context: RunContext & { careful?: boolean },
  dataset: Silver,
  decision: BuildDecision,
): Promise<Built> {
  return withSession(context, fullName(dataset), async (session) => {
    await context.relations.define(session, lookupsOf(dataset))
    const columns = fieldsOfShape(dataset.schema.shape as never)
    if (!context.allowBreaking)
      refuseBreaking(
        dataset,
        await context.relations.table(fullName(dataset)),
        columns,
        decision.renamed,
      )
    for (const { condition } of dataset.rules)
      await bindExpression(session, condition, emptyRelation(columns))
    const validated = await validate(context, session, dataset, decision)
    const tally = await tallyRows(session, validated)
    const deduplicated = await deduplicate(session, dataset, validated)
    const came = await cameWith(context, session, dataset.from.map(fullName), decision)
    const incremental = decision.mode === 'incremental'
    const target = { columns, incremental, came, renamed: decision.renamed }
    const merge = await mergeByKey(context, session, dataset, deduplicated, target)
    const stale = await findStale(
      context,
      session,
      dataset,
      { ...validated, ...deduplicated },
      { incremental, discarded: tally.discarded },
    )
    const merged = { dataset, decision, target, validated, tally, deduplicated, merge, stale }
    const built = await write(context, session, merged)
    if (!dataset.history) return built
    const versions = await writeHistory(context, session, dataset, deduplicated.candidates, target)
    return { ...built, tables: { ...built.tables, ...versions } }
  })
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
    `a check of severity fail is broken: ${said}.${where}`,
    dataset.place,
  )
}

/** A step whose rows are ready to be written. */
interface Merged {
  dataset: Silver
  decision: BuildDecision
  target: Target
  validated: Validated
  tally: Tally
  deduplicated: Deduplicated
  merge: Merge
  stale: Stale
}

async function write(context: RunContext, session: Session, merged: Merged): Promise<Built> {
  const { dataset, decision, target, validated, tally, merge, stale } = merged
  const { columns, incremental, came } = target
  const name = fullName(dataset)
  const definition = definitionOf(dataset, hash)
  const { table: all, added } = await writeTable(context, session, {
    name,
    columns: [...columns, ...silverLineage],
    partitions: dataset.partitionBy,
    about: aboutTable(dataset),
    rows: merge.rows,
    removed: merge.removed,
    deletions: merge.deletions,
    renamed: decision.renamed,
    anyOrder: true,
  })
  const discardedNow = discardedRows(dataset, validated.flagged, stale, came)
  const discarded = await writeDiscarded(context, session, dataset, discardedNow, incremental)
  const buried = merge.tombstones && (await writeTombstones(context, session, dataset, merge))
  const written = added.reduce((sum, file) => sum + file.rows, 0)
  const before = incremental ? context.relations.view.tables[name] : undefined
  const counts = countRows(merged, written, discarded.written)
  const ever = countEver(merged, counts, before?.counts)
  proveNothingLost(name, counts)
  proveNothingLost(name, { ...ever, kept: all.totals.rows })
  // What was made of rows that are gone goes on to be so, unless all of them are there again.
  const kept = incremental || decision.lost ? context.relations.view.tables[name]?.keep : undefined
  const { table, expired, keep } = await withoutExpired(context, dataset, all, kept)
  const raw = validated.columns.map((column) => column.toLowerCase())
  const state: TableState = {
    ...tableState(table, definition, withExpired(ever, expired)),
    ...(keep ? { keep } : {}),
    raw: [...new Set([...(before?.raw ?? []), ...raw])].sort(),
  }
  const checks = await holdChecks(context, session, dataset, table, counts)
  const failure =
    (await failedRows(context, session, dataset, validated.flagged)) ??
    brokenChecks(context, name, checks, dataset.place)
  return {
    tables: {
      [name]: state,
      [discarded.name]: tableState(discarded.table, definition),
      ...(buried ? { [tombstonesOf(dataset)]: tableState(buried, definition) } : {}),
    },
    result: {
      counts: { ...counts, replaced: merge.replaced },
      rows: counts.kept,
      files: added.length,
      bytes: added.reduce((sum, file) => sum + file.bytes, 0),
      ...(stale.rows > 0 ? { stale: stale.rows } : {}),
      ...(expired > 0 ? { notes: saidOf(expired) } : {}),
      ...(checks.length > 0 ? { checks } : {}),
      ...(tally.reasons.length > 0 ? { discarded: tally.reasons } : {}),
      ...(tally.warnings.length > 0 ? { warnings: tally.warnings } : {}),
    },
    written: { table, files: added },
    ...(failure ? { failure } : {}),
  }
}

/** Where the rows that this run read have ended. */
function countRows(
  { dataset, tally, deduplicated, merge }: Merged,
  written: number,
  discarded: number,
): RowCounts {
  return {
    in: tally.rows,
    kept: written - merge.rewritten,
    discarded,
    superseded: tally.superseded + deduplicated.superseded + merge.superseded,
    ...(dataset.deleteWhen ? { deleted: merge.tombstones?.deleted ?? 0 } : {}),
  }
}

/** Where all rows that were ever read have ended. */
function countEver(
  { dataset, merge }: Merged,
  counts: RowCounts,
  before: RowCounts | undefined,
): RowCounts {
  const lost = merge.tombstones?.lost ?? 0
  return {
    in: (before?.in ?? 0) + counts.in,
    kept: (before?.kept ?? 0) + counts.kept - merge.replaced,
    discarded: (before?.discarded ?? 0) + counts.discarded,
    superseded: (before?.superseded ?? 0) + counts.superseded + merge.replaced + lost,
    ...(dataset.deleteWhen
      ? { deleted: (before?.deleted ?? 0) + (counts.deleted ?? 0) - lost }
      : {}),
    ...(before?.expired ? { expired: before.expired } : {}),
  }
}

export async function writeTombstones(
  context: RunContext,
  session: Session,
  dataset: Silver,
  { tombstones }: Merge,
) {
  const { rows, removed } = tombstones as NonNullable<Merge['tombstones']>
  const name = tombstonesOf(dataset)
  const columns = tombstoneColumns(dataset)
  return (await writeTable(context, session, { name, columns, partitions: [], rows, removed }))
    .table
}

async function writeDiscarded(
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

/** SQL for the flagged rows that are discarded; a condition may follow. */
export function discardedRows(
  dataset: Silver,
  flagged: Relation,
  stale: Stale,
  came: Came,
): string {
  return `SELECT _reasons AS reasons, _raw AS raw, _source_file, _source_line, _batch, _came AS _discarded_at,
    ${isStale(dataset, stale)} AS _stale FROM ${came(flagged.sql)} AS f WHERE _reasons IS NOT NULL AND NOT _superseded`
}

/** Every row in is kept, discarded, superseded, a deletion or let go with time: anything else must not pass. */
export function proveNothingLost(name: string, counts: RowCounts): void {
  const { deleted = 0, expired = 0 } = counts
  if (counts.in === counts.kept + counts.discarded + counts.superseded + deleted + expired) return
  throw new MoraineError(
    'corrupt',
    `${name}: the rows do not add up: ${counts.in} in, but ${counts.kept} kept + ${counts.discarded} discarded + ${counts.superseded} superseded + ${deleted} deleted + ${expired} expired`,
    { hint: 'This is a mistake in Moraine; nothing was published. Please report it.' },
  )
}
