import { linesOf, type TouchedBatch, touchedBatches } from '../../bronze/without-rows.js'
import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import type { Silver } from '../../define/model.js'
import { quoteText } from '../../define/sql/sql.js'
import { count } from '../../engine/count.js'
import type { Relation } from '../../engine/engine.js'
import type { LakeState, TableState } from '../../log/commit.js'
import { select } from '../../plan/graph.js'
import { type ClosedBatch, closedBatches } from './archives.js'
import type { Meant, SearchContext } from './options.js'
import type { Found } from './search.js'
import { type TouchedTable, touchedTable } from './table-rows.js'
import { mentions, tells } from './texts.js'

/** What has to change for rows to be gone from the newest state. */
export interface Removal {
  meant: readonly Meant[]
  /** Where bronze has them, of all datasets together. */
  places: Relation
  batches: readonly TouchedBatch[]
  /** Archived batches that were discarded: nobody can look into what was archived of them. */
  closed: readonly ClosedBatch[]
  tables: readonly TouchedTable[]
  /** Datasets that are built anew, and why. */
  rebuilt: ReadonlyMap<string, string>
  /** Rows that go, by bronze datasets and tables. */
  rows: Readonly<Record<string, number>>
  /** Rows of bronze that could not be read and hold the identifying text. */
  unreadable: number
  /** Rows of bronze that may be theirs and stay, by silver datasets. */
  doubtful: Readonly<Record<string, number>>
}

/** What holds rows that go, and all that is made of it: what a dataset reads comes before it. */
export function madeOf(lake: Lake, { meant, batches }: Pick<Removal, 'meant' | 'batches'>) {
  const names = [
    ...meant.map(({ dataset }) => fullName(dataset)),
    ...batches.map(({ pointer }) => pointer.dataset),
  ]
  return select(
    lake,
    names.map((name) => `${name}+`),
  )
}

const REASON = 'rows were forgotten'

/** Finds batches and tables that hold the rows which are meant. */
export async function removalOf(context: SearchContext, found: Found): Promise<Removal> {
  const { meant, looked, texts } = found
  const { session, state, storage } = context
  const all = meant.map(
    ({ places }) => `SELECT _batch, _source_file, _source_line FROM ${places.sql}`,
  )
  const places = await session.materialize(all.join('\nUNION\n'))
  const batches = await touchedBatches(storage, session, state, places)
  const lines = await linesOf(storage, session, batches, places)
  const tables: TouchedTable[] = []
  const doubtful: Record<string, number> = {}
  for (const one of meant) {
    const n = one.doubtful + (await doubtfulDiscards(context, one, texts))
    if (n > 0) doubtful[fullName(one.dataset)] = n
  }
  for (const one of meant)
    for (const [name, condition] of conditionsOf(context, one, { texts, lines })) {
      const table = state.tables[name]
      const touched = table && (await touchedTable(context, name, table, condition))
      if (touched && touched.tasks.length > 0) tables.push(touched)
    }
  return {
    ...{ meant, places, batches, tables },
    closed: await closedBatches(context, looked),
    rebuilt: rebuiltOf(state, meant, batches),
    rows: countsOf(batches, tables),
    unreadable: meant.reduce((sum, one) => sum + one.unreadable, 0),
    doubtful,
  }
}

/** By which conditions rows of a dataset's tables are meant. */
function conditionsOf(
  { session, state }: SearchContext,
  { dataset, condition, keyCondition, places }: Meant,
  { texts, lines }: { texts: readonly string[]; lines: Relation },
): [name: string, condition: string][] {
  const place = ['_batch', '_source_file', '_source_line'].map((name) => `p.${name} = r.${name}`)
  const onLine = (alone: string) =>
    `EXISTS (SELECT 1 FROM ${lines.sql} AS p WHERE ${[...place, alone].join(' AND ')})`
  const there = onLine('p.alone')
  // Of a line that others are on as well, the texts of the rows tell which are meant.
  const raw = `EXISTS (SELECT 1 FROM ${places.sql} AS p WHERE ${place.slice(0, 2).join(' AND ')} AND p._raw = r.raw)`
  const among = `(${onLine('NOT p.alone')} AND (${raw} OR ${tells(session.dialect, 'r.raw', texts)}))`
  const said = `(${isExpired(state, dataset)} AND ${tells(session.dialect, 'r.raw', texts)})`
  return [
    [fullName(dataset), condition],
    [`history.${dataset.name}`, condition],
    [`discarded.${dataset.name}`, `(${there} OR ${among} OR ${said})`],
    [`deleted.${dataset.name}`, `(${there} OR ${keyCondition})`],
    [`tombstones.${dataset.name}`, keyCondition],
  ]
}

/** SQL that the batch of a row `r` has expired: nothing but the row's text is left of it. */
function isExpired({ batches }: LakeState, dataset: Silver): string {
  const known = dataset.from.flatMap((from) => batches[fullName(from)] ?? [])
  const names = known.map(({ batch }) => quoteText(batch)).join(', ')
  return known.length > 0 ? `coalesce(r._batch NOT IN (${names}), true)` : 'true'
}

/** Discarded rows of batches that have expired which may be theirs: their texts are too short. */
async function doubtfulDiscards(
  { relations, session, state }: SearchContext,
  { dataset }: Meant,
  texts: readonly string[],
): Promise<number> {
  const name = `discarded.${dataset.name}`
  if (!state.tables[name] || !dataset.from.some((from) => state.expired?.[fullName(from)])) return 0
  const { dialect } = session
  const may = `${mentions(dialect, 'r.raw', texts)} AND NOT ${tells(dialect, 'r.raw', texts)}`
  const rows = await relations.tableRelation(session, name)
  const sql = `SELECT count(*) AS n FROM (${rows}) AS r WHERE ${isExpired(state, dataset)} AND ${may}`
  return count(session, sql)
}

/**
 * Datasets whose rows are told by a build of all of them: those that read the same batches without
 * a column that links lead to, and those where a key has other rows, of which one is the newest
 * now.
 */
function rebuiltOf(
  { offsets, tables }: LakeState,
  meant: readonly Meant[],
  batches: readonly TouchedBatch[],
): Map<string, string> {
  const handled = new Set(meant.map(({ dataset }) => fullName(dataset)))
  const readers = Object.entries(offsets).filter(
    ([reader, seen]) =>
      tables[reader] &&
      !handled.has(reader) &&
      batches.some(({ pointer }) => Number(seen[pointer.dataset] ?? 0) >= pointer.number),
  )
  const shared = meant.filter(({ shared, dataset }) => shared && tables[fullName(dataset)])
  const names = [
    ...readers.map(([reader]) => reader),
    ...shared.map(({ dataset }) => fullName(dataset)),
  ]
  return new Map(names.map((name) => [name, REASON]))
}

function countsOf(
  batches: readonly TouchedBatch[],
  tables: readonly TouchedTable[],
): Record<string, number> {
  const rows: Record<string, number> = {}
  for (const { pointer, rows: by } of batches)
    for (const n of by.values()) rows[pointer.dataset] = (rows[pointer.dataset] ?? 0) + n
  for (const { name, rows: n } of tables) if (n > 0) rows[name] = n
  return rows
}

/** What became of all rows of a table, once some of those that it had are forgotten. */
export function countsAfter(
  { counts }: TableState,
  dataset: Silver,
  rows: Readonly<Record<string, number>>,
): Pick<TableState, 'counts'> {
  if (!counts) return {}
  const kept = rows[fullName(dataset)] ?? 0
  const discarded = rows[`discarded.${dataset.name}`] ?? 0
  return {
    counts: {
      ...counts,
      kept: counts.kept - kept,
      discarded: counts.discarded - discarded,
      forgotten: (counts.forgotten ?? 0) + kept + discarded,
    },
  }
}
