import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import type { Relation, Session } from '../../engine/engine.js'
import type { BatchPointer, LakeState } from '../../log/commit.js'
import { sinceFull } from '../../plan/offsets.js'
import { isBefore } from '../../source/database/cursor-text.js'
import type { RemoteColumn } from '../../source/database/reader.js'
import type { Dialect } from '../../sql/dialect.js'
import { type RunContext, withSession } from '../../step/context.js'
import { Relations } from '../../step/relations.js'
import type { Storage } from '../../storage/storage.js'
import type { Watermark } from './checkpoint.js'
import type { Seen } from './look.js'

/*
 * Rows that will be read again are known by hashes of what they hold, so that each is taken once:
 * in the watermark where they are few, otherwise from the rows of bronze.
 */

/** The column that says that a key is gone. */
export const CHANGE = '_change'

/** Hashes that a watermark holds at most. */
const HELD = 500
/** The same where bronze can't be asked: the rows are elsewhere, or do not show their cursor. */
export const HELD_ALONE = 20_000

/** Rows that are known by their hashes, or (`undefined`, or too many) by what bronze has. */
export function ingestedOf(
  inBronze: boolean,
  hashes: readonly string[] | undefined,
): readonly string[] | 'bronze' {
  const most = inBronze ? HELD : HELD_ALONE
  if (hashes && hashes.length <= most) return hashes
  return inBronze ? 'bronze' : []
}

/**
 * SQL for what a row of texts holds, in 96 bits; columns without a value do not count, so that new
 * ones change nothing.
 */
export function rowHash(columns: readonly string[], { texts }: Dialect): string {
  const parts = columns.map((name) => {
    const column = quoteName(name)
    const label = quoteText(`${name.length}:${name}`)
    return `CASE WHEN ${column} IS NULL THEN '' ELSE ${label} || ${texts.length(column)} || ':' || ${column} END`
  })
  return texts.first(texts.md5(texts.join(parts)), 24)
}

/** What a lake has of a dataset, and a session to look at it. */
interface InLake {
  session: Session
  storage: Storage
  state: LakeState
  dataset: Bronze
}

/** Tells an engine which of the rows that are read again have been ingested. */
export function knownRows(
  lake: InLake,
  seen: Seen,
  { knownRows: known = 'bronze', from = null, discarded = {} }: Watermark,
  inBronze: boolean,
): Promise<Relation> {
  const { session } = lake
  const { cursor } = seen
  const columns = seen.columns.map(({ name }) => name)
  // Where a column is gone, rows are compared by those that are left.
  const gone =
    seen.before?.columns.some((was) => !seen.all.some(({ name }) => name === was.name)) ?? false
  if (known !== 'bronze' && !(gone && inBronze)) return knownHashes(session, known)
  if (!inBronze) return knownHashes(session, [])
  const name = (cursor as RemoteColumn).name
  return knownInBronze(lake, { columns, cursor: name, from, discarded: discarded.rows ?? [] })
}

/**
 * How far a source was read. Earlier versions noted the server's clock: rows that programs wrote
 * with an earlier time were missed, and are read from the newest time on that the lake has.
 */
export async function upgraded(
  context: RunContext,
  state: LakeState,
  seen: Seen,
  inBronze: boolean,
): Promise<Watermark> {
  const before = seen.before as Watermark
  const { from } = before
  if (before.knownRows !== undefined || from == null || !inBronze) return before
  const { name } = seen.cursor as RemoteColumn
  const newest = await withSession(context, fullName(seen.dataset), (session) =>
    newestInBronze({ session, storage: context.storage, state, dataset: seen.dataset }, name, from),
  )
  const plain = newest?.replace(/\+00$/, '')
  return { ...before, ...(plain !== undefined && isBefore(plain, from) ? { from: plain } : {}) }
}

/**
 * Hashes (`_hash`) of rows that have been taken, numbered (`_nth`) where several rows are the same.
 */
async function knownHashes(session: Session, hashes: readonly string[]): Promise<Relation> {
  const known = await session.materialize(
    'SELECT CAST(NULL AS VARCHAR) AS _hash, CAST(0 AS BIGINT) AS _nth LIMIT 0',
  )
  const seen = new Map<string, number>()
  const rows = hashes.map((hash) => {
    const n = (seen.get(hash) ?? 0) + 1
    seen.set(hash, n)
    return `(${quoteText(hash)}, ${n})`
  })
  for (let at = 0; at < rows.length; at += 1000)
    await session.insert(
      known,
      `SELECT * FROM (VALUES ${rows.slice(at, at + 1000).join(', ')}) AS v(_hash, _nth)`,
    )
  return known
}

interface ReadAgain {
  columns: readonly string[]
  cursor: string
  from: string | null
  /** Hashes of those that bronze had. */
  discarded: readonly string[]
}

/**
 * The same, of the rows that bronze has, or had, from a cursor's value on (`null`: of all), and of
 * those without one.
 */
async function knownInBronze(
  lake: InLake,
  { columns, cursor, from, discarded }: ReadAgain,
): Promise<Relation> {
  const { sql, columns: there } = await bronzeRows(lake)
  const column = quoteName(cursor)
  const { dialect } = lake.session
  const since = isOpen(column, from, dialect)
  const shared = columns.filter((name) => there.includes(name))
  const hash = shared.length > 0 && there.includes(cursor) ? rowHash(shared, dialect) : undefined
  const rows = hash
    ? `SELECT ${hash} AS _hash FROM (${sql}) WHERE ${since} AND ${rowsThere(there)}`
    : `SELECT '' AS _hash WHERE false`
  const others = await knownHashes(lake.session, discarded)
  return lake.session.materialize(
    `SELECT _hash, row_number() OVER (PARTITION BY _hash) AS _nth
     FROM (${rows} UNION ALL SELECT _hash FROM ${others.sql})`,
  )
}

/**
 * Which batches have rows that will be read again, and that are known by bronze alone: without
 * them, those rows would count as new.
 */
export async function batchesOfOpenRows(
  context: Pick<RunContext, 'storage' | 'engine' | 'signal' | 'progress'>,
  state: LakeState,
  dataset: Bronze,
  pointers: readonly BatchPointer[],
): Promise<ReadonlySet<string>> {
  const { from: source } = dataset
  const name = fullName(dataset)
  const { knownRows: known = 'bronze', from = null } = (state.watermarks[name] ?? {}) as Watermark
  if (source.kind !== 'database' || source.cursor === undefined || known !== 'bronze')
    return new Set()
  const { cursor } = source
  return withSession(context, name, async (session) => {
    const relations = new Relations(context.storage, state)
    const { sql, columns } = await relations.bronzeRelation(session, pointers, [])
    if (!columns.includes(cursor)) return new Set()
    const open = isOpen(quoteName(cursor), from, session.dialect)
    const rows = await session.rows(`SELECT DISTINCT _batch FROM (${sql}) WHERE ${open}`)
    return new Set(rows.map(({ _batch }) => String(_batch)))
  })
}

/** The newest cursor that bronze has, up to a value; `undefined` where it has none. */
async function newestInBronze(
  lake: InLake,
  cursor: string,
  upTo: string,
): Promise<string | undefined> {
  const { sql, columns } = await bronzeRows(lake)
  if (!columns.includes(cursor)) return undefined
  const column = quoteName(cursor)
  const { dialect } = lake.session
  const [row] = await lake.session.rows(
    `SELECT ${greatest(column, dialect)} AS newest FROM (${sql}) WHERE NOT ${notBefore(column, upTo, dialect)}`,
  )
  return row?.newest == null ? undefined : String(row.newest)
}

/**
 * SQL for the greatest of a column's texts: as numbers where they are, otherwise as times are
 * written.
 */
export const greatest = (column: string, { values }: Dialect) =>
  `coalesce(CAST(max(${values.tryCast(column, values.wholeType)}) AS VARCHAR), max(${column}))`

/** SQL that a row of bronze is one of the source's, and does not say that a key is gone. */
export const rowsThere = (columns: readonly string[]) =>
  columns.includes(CHANGE) ? `coalesce(${CHANGE}, '') <> 'delete'` : 'true'

/** SQL that a row is read again: its cursor is not before a value, or it has none. */
export const isOpen = (column: string, from: string | null, dialect: Dialect) =>
  from === null ? 'true' : `(${column} IS NULL OR ${notBefore(column, from, dialect)})`

/**
 * SQL that a cursor's text is not before another: as numbers where they are, otherwise as times are
 * written.
 */
function notBefore(column: string, text: string, { values }: Dialect): string {
  if (/^-?\d+$/.test(text))
    return `coalesce(${values.tryCast(column, values.wholeType)} >= ${text}, false)`
  // Zeros at the end of a second, and the zone, are written by some.
  const plain = text
    .replace(/\+00$/, '')
    .replace(/\.(\d*?)0+$/, (_, d: string) => (d ? `.${d}` : ''))
  return `coalesce(${column} >= ${quoteText(plain)}, false)`
}

/** Rows of all batches since the source was last read as a whole. */
export function bronzeRows({
  session,
  storage,
  state,
  dataset,
}: InLake): Promise<{ sql: string; columns: string[] }> {
  const pointers = sinceFull(state.batches[fullName(dataset)] ?? [])
  return new Relations(storage, state).bronzeRelation(session, pointers, [])
}
