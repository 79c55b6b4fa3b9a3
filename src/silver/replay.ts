import { fullName } from '../define/dataset.js'
import { lookupsOf } from '../define/inputs.js'
import type { Silver } from '../define/model.js'
import { quoteName, quoteText, renderSql } from '../define/sql/sql.js'
import { fieldsOfShape } from '../define/types/schema.js'
import { count } from '../engine/count.js'
import type { Relation, Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import type { RowCounts, TableState } from '../log/commit.js'
import { definitionOf } from '../plan/fingerprint.js'
import type { BuildDecision } from '../plan/plan.js'
import type { Built } from '../step/built.js'
import { checkFiles } from '../step/check-files.js'
import { brokenChecks, holdChecks } from '../step/checks.js'
import { hash, type RunContext, withSession } from '../step/context.js'
import { chooseDeletes } from '../step/delete-strategy.js'
import { silverLineage } from '../step/relations.js'
import { tableFiles } from '../step/table-files.js'
import { aboutTable, tableState, writeTable } from '../step/write-table.js'
import { discardedColumns, discardedRows, proveNothingLost, writeTombstones } from './build.js'
import { carefully, isAboutValue } from './careful.js'
import { deduplicate } from './deduplicate.js'
import { writeHistory } from './history.js'
import { cameWith } from './ingested-at.js'
import { keysOf, PLACE } from './keys.js'
import { mergeByKey } from './merge.js'
import type { Deduplicated } from './stages.js'
import { findStale } from './stale.js'
import { tombstonesOf } from './tombstones.js'
import { keysAlone, tallyRows, validate } from './validate.js'

/** SQL for a reason: whether it is about a rule of that name, or a column. */
export function isForRule(reason: string, rule: string): string {
  return `(starts_with(${reason}, ${quoteText(rule)}) OR starts_with(${reason}, ${quoteText(`rule: ${rule}`)}))`
}

/** Which discarded rows are judged again. */
export interface Replay {
  /** The full name of the silver dataset. */
  dataset: string
  /** Only rows that one of whose reasons begins so. */
  rule?: string
  /** Only rows that were discarded then or later. */
  since?: string
}

/**
 * Judges discarded rows again: those that pass now enter the table, unless it has a newer row of their key; the others stay where they
 * are. `undefined` when that would change nothing.
 */
export async function replayDiscarded(
  context: RunContext,
  dataset: Silver,
  replay: Replay,
): Promise<Built | undefined> {
  const name = fullName(dataset)
  const before = context.relations.view.tables[name]
  if (!before?.counts)
    throw new MoraineError('usage', `${name} is not built yet`, {
      hint: 'Build it with: moraine run',
    })
  const known = { ...before, counts: before.counts }
  return carefully(context, dataset, (how) => replayed(how, dataset, replay, known))
}

async function replayed(
  context: RunContext & { careful?: boolean },
  dataset: Silver,
  replay: Replay,
  before: TableState & { counts: RowCounts },
): Promise<Built | undefined> {
  const name = fullName(dataset)
  return withSession(context, name, async (session) => {
    await context.relations.define(session, lookupsOf(dataset))
    const changed = await refuseOtherDefinition(context, session, dataset, before)
    const chosen = await chooseRows(context, session, dataset, replay)
    if (!chosen) return undefined
    const { replayed, decision } = chosen
    const columns = fieldsOfShape(dataset.schema.shape as never)
    const validated = await validate(context, session, dataset, decision)
    const tally = await tallyRows(session, validated)
    const leaving = await session.materialize(
      `SELECT r.* FROM ${replayed.sql} AS r ANTI JOIN ${validated.flagged.sql} AS f
       ON r._source_line = f._source_line AND r._source_file = f._source_file AND r._batch = f._batch AND r.reasons = f._reasons`,
    )
    const some = (await count(session, `SELECT count(*) AS n FROM ${leaving.sql}`)) > 0
    if (!some && !changed) return undefined
    const deduplicated = await withoutOutrun(
      context,
      session,
      dataset,
      decision,
      await deduplicate(session, dataset, validated),
    )
    const came = await cameWith(context, session, [], decision)
    const target = { columns, incremental: true, came }
    const merge = await mergeByKey(context, session, dataset, deduplicated, target)
    const stale = await findStale(
      context,
      session,
      dataset,
      { ...validated, ...deduplicated },
      { incremental: true, discarded: tally.discarded },
    )
    const { table, added } = await writeTable(context, session, {
      name,
      columns: [...columns, ...silverLineage],
      partitions: dataset.partitionBy,
      about: aboutTable(dataset),
      rows: merge.rows,
      removed: merge.removed,
      deletions: merge.deletions,
      anyOrder: true,
    })
    const written = added.reduce((sum, file) => sum + file.rows, 0)
    const counts: RowCounts = {
      in: tally.rows,
      kept: written - merge.rewritten,
      discarded: tally.discarded,
      superseded: tally.superseded + deduplicated.superseded + merge.superseded,
      ...(dataset.deleteWhen ? { deleted: merge.tombstones?.deleted ?? 0 } : {}),
    }
    proveNothingLost(name, counts)
    const ever = countEver(before.counts, counts, merge.replaced, merge.tombstones?.lost)
    proveNothingLost(name, { ...ever, kept: table.totals.rows })
    const definition = definitionOf(dataset, hash)
    const versions = dataset.history
      ? await writeHistory(context, session, dataset, deduplicated.candidates, target)
      : {}
    const buried = merge.tombstones && (await writeTombstones(context, session, dataset, merge))
    const again = discardedRows(dataset, validated.flagged, stale, came)
    const discarded = await writeLeft(context, session, dataset, leaving, again)
    const checks = await holdChecks(context, session, dataset, table, ever)
    const failure = brokenChecks(context, name, checks, dataset.place)
    return {
      tables: {
        [name]: {
          ...before,
          ...tableState(table, definition, ever),
          // How old the rows are that came back is seen by the next run.
          ...(before.keep ? { keep: { ...before.keep, oldest: new Date(0).toISOString() } } : {}),
        },
        [`discarded.${dataset.name}`]: discarded,
        ...(buried ? { [tombstonesOf(dataset)]: tableState(buried, definition) } : {}),
        ...versions,
      },
      result: {
        counts: { ...counts, replaced: merge.replaced },
        rows: counts.kept,
        files: added.length,
        bytes: added.reduce((sum, file) => sum + file.bytes, 0),
        ...(stale.rows > 0 ? { stale: stale.rows } : {}),
        ...(checks.length > 0 ? { checks } : {}),
        ...(tally.reasons.length > 0 ? { discarded: tally.reasons } : {}),
      },
      written: { table, files: added },
      ...(failure ? { failure } : {}),
    }
  })
}

/** Leaves out rows that a later row of their batch has superseded: the table does not tell at which line of a batch its rows were. */
async function withoutOutrun(
  context: RunContext & { careful?: boolean },
  session: Session,
  dataset: Silver,
  decision: BuildDecision,
  deduplicated: Deduplicated,
): Promise<Deduplicated> {
  const { only: _, ...whole } = decision
  const all = await keysAlone(context, session, dataset, whole)
  if (all === undefined) return deduplicated
  const { candidates, latest, superseded } = deduplicated
  const { cursor } = dataset
  const same = [...keysOf(dataset), ...(cursor ? [quoteName(cursor)] : []), '_batch'].map(
    (column) => `k.${column} IS NOT DISTINCT FROM w.${column}`,
  )
  const isLater = `(k._source_file > w._source_file OR (k._source_file = w._source_file AND k._source_line > w._source_line))`
  const discarded = await context.relations.tableRelation(session, `discarded.${dataset.name}`)
  const { sql: outrun } = await session.materialize(
    `SELECT DISTINCT w._source_line, w._source_file, w._batch FROM ${candidates.sql} AS w
     JOIN (FROM ${all.relation.sql} ANTI JOIN (${discarded}) USING (${PLACE})) AS k ON ${same.join(' AND ')} AND ${isLater}`,
  )
  const outrunLatest = await count(
    session,
    `SELECT count(*) AS n FROM (FROM ${latest.sql} SEMI JOIN ${outrun} USING (${PLACE})) WHERE _kind <> 'invalid'`,
  )
  const without = ({ sql }: Relation) => `FROM ${sql} ANTI JOIN ${outrun} USING (${PLACE})`
  return {
    ...deduplicated,
    candidates: await session.view(without(candidates)),
    latest: await session.materialize(without(latest)),
    superseded: superseded + outrunLatest,
  }
}

/** The discarded rows that are meant, and which batches they are in; `undefined` where there are none. */
async function chooseRows(
  { relations, storage }: RunContext,
  session: Session,
  dataset: Silver,
  { rule, since }: Replay,
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
    `SELECT * FROM (${session.tableWithFiles(table.schema, files)}) WHERE ${conditions.join(' AND ')}`,
  )
  const found = await session.rows(`SELECT DISTINCT _batch AS b FROM ${replayed.sql}`)
  if (found.length === 0) return undefined
  const wanted = new Set(found.map(({ b }) => String(b)))
  const windows = batches.map((window) => ({
    dataset: window.dataset,
    batches: window.batches.filter(({ batch }) => wanted.has(batch)),
  }))
  const reason = 'discarded rows are judged again'
  return {
    replayed,
    decision: { action: 'build', mode: 'incremental', reason, windows, only: replayed.sql },
  }
}

/**
 * A definition that differs by more than its rules would give other rows than those that are there. One that differs by rules is taken
 * where all rows that are there keep to them. Returns whether it differs.
 */
async function refuseOtherDefinition(
  context: RunContext,
  session: Session,
  dataset: Silver,
  { definition }: TableState,
): Promise<boolean> {
  const now = definitionOf(dataset, hash)
  const names = [...new Set([...Object.keys(definition), ...Object.keys(now)])]
  const changed = names.filter((part) => definition[part] !== now[part])
  if (changed.length === 0) return false
  const other = changed.find((part) => !part.startsWith('rule '))
  const name = fullName(dataset)
  const refuse = (why: string) =>
    new MoraineError('usage', `${name} can't take its discarded rows alone: ${why}`, {
      ...(dataset.place ? { place: dataset.place } : {}),
      hint: `Run it: moraine run ${name} builds it from all of its rows, the discarded ones among them.`,
    })
  if (other) throw refuse(`its definition changed (${other})`)
  const relation = await context.relations.tableRelation(session, name)
  for (const rule of dataset.rules) {
    if (rule.severity === 'warn' || !changed.includes(`rule ${rule.name}`)) continue
    const broken = `SELECT count(*) AS n FROM (${relation}) WHERE NOT coalesce((\n${renderSql(rule.condition)}\n), true)`
    const n = await count(session, broken).catch((error) => {
      if (isAboutValue(error)) throw refuse(`the rule '${rule.name}' fails on rows of the table`)
      throw error
    })
    if (n > 0) throw refuse(`${n} rows of the table break the rule '${rule.name}'`)
  }
  return true
}

/** Takes rows out of the discarded table, and gives those that stay their new reasons. */
async function writeLeft(
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
  const again = `${validated} AND (${PLACE}) IN (SELECT (${PLACE}) FROM ${leaving.sql})`
  const names = discardedColumns.map((column) => column.name).join(', ')
  const old = session.tableWithFiles(table.schema, tableFiles(context.storage, table, rewritten))
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

/** Where all rows that were ever read have ended, once some of the discarded ones have moved. */
function countEver(before: RowCounts, counts: RowCounts, replaced: number, lost = 0): RowCounts {
  return {
    in: before.in,
    kept: before.kept + counts.kept - replaced,
    discarded: before.discarded - counts.in + counts.discarded,
    superseded: before.superseded + counts.superseded + replaced + lost,
    ...(counts.deleted === undefined
      ? {}
      : { deleted: (before.deleted ?? 0) + counts.deleted - lost }),
    ...(before.expired ? { expired: before.expired } : {}),
  }
}
