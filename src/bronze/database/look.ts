import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import type { DatabaseSource } from '../../define/source.js'
import { abortController } from '../../signals.js'
import { openRows } from '../../source/database/conditions.js'
import type { Census, Horizon, Reader, RemoteColumn, Window } from '../../source/database/reader.js'
import { scratchFolder } from '../../storage/scratch.js'
import type { Lookup } from '../ingestion.js'
import type { Offer } from '../offer.js'
import {
  afterNow,
  chosen,
  cursorOf,
  type Landings,
  readsOf,
  refuseBackfill,
  refuseDrift,
  seenOf,
  type Watermark,
} from './checkpoint.js'
import { compareColumns } from './drift.js'

/** Rows that are read again to see whether they are the same; of more, their number has to tell. */
export const COMPARED = 100_000

/** What one look at a source has found. */
export interface Seen {
  readonly dataset: Bronze
  readonly source: DatabaseSource
  readonly reader: Reader
  /** How far it was read before, unless its reading begins anew. */
  readonly before: Watermark | undefined
  /** All columns that there are. */
  readonly all: readonly RemoteColumn[]
  /** Those that are read. */
  readonly columns: readonly RemoteColumn[]
  readonly cursor: RemoteColumn | undefined
  readonly horizon: Horizon | undefined
  readonly notes: readonly string[]
  /** Rows that are to be read again. */
  readonly backfill: Window | undefined
  /** How many commits of a feed there were. */
  readonly feedCommits: number
}

/** Looks at a source: its columns, its clock, and how far it was read. */
export async function lookAt(
  { dataset, source, state }: Lookup<DatabaseSource>,
  reader: Reader,
  backfill: Window | undefined,
): Promise<Seen> {
  const known = state.watermarks[fullName(dataset)] as Watermark | undefined
  const before = known?.reads === readsOf(source) ? known : undefined
  const all = await reader.columns(source)
  const changes = before ? compareColumns(before.columns, all) : []
  refuseDrift(dataset, source, changes)
  const columns = chosen(source, all, before)
  const cursor = cursorOf(source, all)
  const horizon = cursor && (await reader.horizon(source, cursor, before?.marks ?? []))
  const notes = [...(horizon?.notes ?? []), ...changes.map(({ reason }) => reason)]
  if (backfill) refuseBackfill(dataset, cursor, before)
  return {
    dataset,
    source,
    reader,
    before,
    all,
    columns,
    cursor,
    horizon,
    notes,
    backfill: cursor && backfill,
    feedCommits: (known as Partial<Landings> | undefined)?.feedCommits ?? 0,
  }
}

/** What a look says of rows that are new. */
export async function newsOf(seen: Seen): Promise<Offer['discovery']> {
  const { before, cursor, horizon, notes } = seen
  const found = (news: string) => ({ news, none: '', notes })
  if (seen.backfill) {
    const { from, until } = seen.backfill
    return found(`rows with ${cursor?.name} from ${from} to ${until} are read again`)
  }
  if (!cursor || !horizon) return found('all of its rows are read in each run')
  if (before?.from === undefined)
    return found(before?.load ? 'its first load continues' : 'all of its rows will be read')
  if (before.knownRows === undefined)
    return found(`rows are read again from the newest ${cursor.name} in the lake`)
  if (seen.source.compareKeys) return found('its keys are compared in each run')
  const census = await seen.reader.census(seen.source, cursor, before.from, horizon)
  const all = notesOfLater(seen, census.later)
  if (await isSame(seen, census))
    return { news: undefined, none: `no rows with a newer ${cursor.name}`, notes: all }
  const since = before.from === null ? '' : ` from ${before.from} on`
  return { ...found(`rows with ${cursor.name}${since}`), notes: all }
}

/** What is said of rows that lie after now, beside the other notes. */
function notesOfLater(seen: Seen, later = 0): readonly string[] {
  return [...seen.notes, ...(later > 0 ? [afterNow(seen.cursor?.name ?? '', later)] : [])]
}

/**
 * Whether the transactions are over that held a window back, of a cursor that they alone move: the
 * next one begins after its rows.
 */
function isFreed({ before, horizon }: Seen): boolean {
  const { bound, next } = horizon as Horizon
  return bound === undefined && next !== undefined && next !== before?.from
}

/** Whether the rows from the last window's end on are those that have been taken. */
async function isSame(seen: Seen, census: Census): Promise<boolean> {
  const { rows } = census
  const { tail, from = null } = seen.before as Watermark
  if (rows === 0) return tail?.rows === 0
  if (tail?.rows !== rows) return false
  // Very many rows are not read again only to see whether they are the same: what is counted of
  // them has to tell.
  if (tail.sha256 === undefined)
    return rows > COMPARED && !isFreed(seen) && tail.seen === seenOf(census)
  const again = [openRows(seen.reader, seen.cursor as RemoteColumn, from)]
  const columns = seen.columns.map(({ name }) => name)
  const folder = await scratchFolder('tail')
  try {
    const what = { source: seen.source, columns, conditions: again }
    const never = abortController().signal
    return (await seen.reader.extract(what, join(folder, 'tail'), never)).sha256 === tail.sha256
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
