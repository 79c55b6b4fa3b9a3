import { createHash } from 'node:crypto'
import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import { nearest } from '../../define/nearest.js'
import type { DatabaseSource } from '../../define/source.js'
import { thousands } from '../../define/thousands.js'
import { MoraineError } from '../../errors.js'
import { isBefore, nextWindow } from '../../source/database/cursor-text.js'
import type {
  Census,
  Horizon,
  Mark,
  Reader,
  RemoteColumn,
  Window,
} from '../../source/database/reader.js'
import type { BatchFile } from '../../step/batches.js'
import { bronzeLineage } from '../../step/batches.js'
import { hash } from '../../step/context.js'
import type { Held } from '../held.js'
import type { Change } from './drift.js'

/** How far a database's table has been read; visible in the same commit as its rows. */
export interface Watermark {
  /** What decides which rows are read, as a hash: with another one the reading begins anew. */
  reads: string
  /** The columns that the source had, but those that are left out since they are new. */
  columns: readonly RemoteColumn[]
  /** All rows with earlier cursors have been read; `null`: none had a cursor yet. */
  from?: string | null
  /** No row from this cursor on has been taken, but those that `later` counts. */
  fresh?: string
  /**
   * The rows from `from` on, and those without a cursor, that have been taken, as hashes; `bronze`:
   * those that bronze has. Watermarks of earlier versions have none: `from` was then the server's
   * clock, and rows that were written with an earlier time were missed.
   */
  knownRows?: readonly string[] | 'bronze'
  /**
   * The same rows as their database wrote them: how many, and their SHA-256, or what else was
   * counted where they are too many. None where they may have changed since they were read.
   */
  tail?: Tail
  /** How many of them lie after the source's own now. */
  later?: number
  /** What bronze does not have any more, and would be found again. */
  discarded?: Discarded
  marks?: readonly Mark[]
  /** A first reading of all rows that is under way. */
  load?: Load
  /** SHA-256 of the rows of a source without a cursor. */
  open?: string
  /** Rows that were held back. */
  held?: Held
}

export interface Tail {
  rows: number
  sha256?: string
  seen?: string
}

/** Rows of discarded batches, as hashes. */
export interface Discarded {
  /** Those that are read again. */
  rows?: readonly string[]
  /** Keys that are in the source and not in the lake, where they are compared. */
  keys?: readonly string[]
}

/** What a feed notes beside how far it has read. */
export interface Landings {
  /** Files that the commit made part of the inbox. */
  landed: readonly string[]
  /** How many commits of the feed there were, this one included. */
  feedCommits: number
}

/** A first reading, in ranges that are committed one after the other. */
export interface Load {
  /** Where it ended, in earlier versions: those begin anew. */
  until?: string
  /** Where the next window begins. */
  next?: string | null
  /** Ranges that are done, of about so many bytes each. */
  done: number
  bytes: number
  /** While it is the same, the ranges are the same. */
  epoch: string
}

/** What decides which rows are read: the lag and what is done about other columns do not. */
export function readsOf({ database, reads, columns, where, cursor }: DatabaseSource): string {
  return hash(JSON.stringify([database, reads, columns ?? null, where ?? null, cursor ?? null]))
}

/** The content of files, whatever they are called. */
export function contentOf(files: readonly BatchFile[]): string {
  const sum = createHash('sha256')
  for (const { sha256 } of files) sum.update(sha256)
  return sum.digest('hex')
}

/** Where the next window begins, once the newest value below the bound is known. */
export function nextFrom(
  { bound, next }: Horizon,
  newest: string | undefined,
  before: string | null,
  lag: DatabaseSource['lag'],
): string | null {
  // A cursor that only transactions move needs no row to say how far that is.
  if (bound === undefined) return next ?? before
  return nextWindow(newest, next, before, lag)
}

/** From which cursor on no row has been taken yet. */
export function freshFrom(
  { last }: Census,
  { later, bound }: Horizon,
  { moving }: Reader,
): Pick<Watermark, 'fresh'> {
  // Without a snapshot, rows that are newer may have been taken with the others.
  if (moving) return {}
  if (later !== undefined) return { fresh: later }
  return bound !== undefined && last !== undefined ? { fresh: String(BigInt(last) + 1n) } : {}
}

/**
 * Rows up to the next window: those that may have been taken, and those that certainly have not.
 */
export function windowsOf(
  { fresh, later }: Watermark,
  from: string | null,
  next: string | null,
): [settled: Window | undefined, fresh: Window | undefined] {
  if (next === null || (from !== null && !isBefore(from, next))) return [undefined, undefined]
  // Of rows that lay after now, the time may have come.
  if (fresh === undefined || later || !isBefore(fresh, next)) return [{ until: next }, undefined]
  if (from !== null && !isBefore(from, fresh)) return [undefined, { from, until: next }]
  return [{ until: fresh }, { from: fresh, until: next }]
}

/**
 * Whether nothing is to be noted: where the next window begins and what it will find are the same.
 */
export function isSamePosition(before: Watermark | undefined, now: Partial<Watermark>): boolean {
  const textOf = ({ from, knownRows, tail, later }: Partial<Watermark>) =>
    JSON.stringify([from, knownRows, tail, later])
  return before !== undefined && textOf(before) === textOf(now)
}

/**
 * What is still to be known of discarded batches.
 *
 * @param hashes of the rows that will be read again, where they have just been.
 */
export function stillDiscarded(
  { discarded }: Watermark,
  hashes?: readonly string[],
): Pick<Watermark, 'discarded'> {
  if (!discarded) return {}
  const there = hashes && new Set(hashes)
  const rows = discarded.rows?.filter((hash) => there?.has(hash) ?? true)
  return discardedOf(rows, discarded.keys)
}

/** The same, as a part of a watermark: nothing where there is nothing to know. */
export function discardedOf(
  rows: readonly string[] = [],
  keys: readonly string[] = [],
): Pick<Watermark, 'discarded'> {
  if (rows.length + keys.length === 0) return {}
  return {
    discarded: { ...(rows.length > 0 ? { rows } : {}), ...(keys.length > 0 ? { keys } : {}) },
  }
}

/** How rows are told whose cursor lies after their source's own now. */
export function afterNow(cursor: string, rows: number): string {
  const [noun, verb] = rows === 1 ? ['row', 'lies'] : ['rows', 'lie']
  return `${thousands(rows)} ${noun} whose ${cursor} ${verb} in the future: read in each run`
}

export function refuseDrift(
  dataset: Bronze,
  source: DatabaseSource,
  changes: readonly Change[],
): void {
  if (source.drift !== 'freeze' || changes.length === 0) return
  const reason = changes.map((change) => change.reason).join(', ')
  throw new MoraineError('source', `The columns of its source have changed: ${reason}`, {
    doing: `read ${fullName(dataset)}`,
    hint: "Nothing was ingested. Accept the change with drift: 'evolve' (or ignore new columns with drift: 'discard').",
    place: dataset.place,
  })
}

/**
 * What a census tells of rows that are too many to be read again: their newest cursors, how many
 * have none, and what they add up to where changes move them.
 */
export const seenOf = ({ newest, last, empty, versions }: Census): string =>
  [newest ?? '', last ?? '', empty, ...(versions === undefined ? [] : [versions])].join(' ')

/** The columns of a source that are known: new ones are not where they are left out. */
export function knownOf(
  { drift }: DatabaseSource,
  all: readonly RemoteColumn[],
  before: Watermark | undefined,
): readonly RemoteColumn[] {
  const known = drift === 'discard' ? before?.columns : undefined
  return known ? all.filter(({ name }) => known.some((c) => c.name === name)) : all
}

/** The columns to read, of those that there are. */
export function chosen(
  source: DatabaseSource,
  all: readonly RemoteColumn[],
  before: Watermark | undefined,
): readonly RemoteColumn[] {
  for (const name of source.columns ?? [])
    if (!all.some((c) => c.name === name)) throw noColumn(name, all)
  const found = knownOf(source, all, before).filter(
    ({ name }) => source.columns?.includes(name) ?? true,
  )
  refuseTwins(found)
  return found
}

/**
 * Names that the lake can't tell apart, from each other or from its own: one of two would be lost,
 * or stand in the place of the other.
 */
function refuseTwins(columns: readonly RemoteColumn[]): void {
  const seen = new Map(bronzeLineage.map((name) => [name, undefined as string | undefined]))
  for (const { name } of columns) {
    const lower = name.toLowerCase()
    if (seen.has(lower)) {
      const other = seen.get(lower)
      const what =
        other === undefined
          ? `'${name}' is a reserved column of bronze datasets`
          : `'${other}' and '${name}' differ only in case`
      throw new MoraineError('source', `Columns of the source are ambiguous: ${what}`, {
        hint: `Exclude one with columns: [ … ], or rename it in a query: .query('select …, "${name}" as other_name from …')`,
      })
    }
    seen.set(lower, name)
  }
}

export function cursorOf(
  source: DatabaseSource,
  all: readonly RemoteColumn[],
): RemoteColumn | undefined {
  if (source.cursor === undefined) return undefined
  if (source.cursor === 'xmin' && source.database === 'postgres')
    return { name: 'xmin', type: 'xid' }
  const found = all.find(({ name }) => name === source.cursor)
  if (found) return found
  throw noColumn(source.cursor, all)
}

function noColumn(name: string, all: readonly RemoteColumn[]): MoraineError {
  const names = all.map((column) => column.name)
  const similar = nearest(name, names)
  return new MoraineError('source', `The source has no column '${name}'`, {
    hint: similar ? `Did you mean '${similar}'?` : `Its columns are: ${names.join(', ')}`,
  })
}

/** @throws MoraineError where there is nothing to read again, or nothing by which. */
export function refuseBackfill(
  dataset: Bronze,
  cursor: RemoteColumn | undefined,
  before: Watermark | undefined,
): void {
  const name = fullName(dataset)
  if (!cursor || cursor.name === 'xmin')
    throw new MoraineError('usage', `${name} has no cursor to select the rows to read again`, {
      hint: 'Give its source a cursor, or remove it from the backfill.',
    })
  if (before?.from === undefined)
    throw new MoraineError('usage', `${name} has not been read completely yet`, {
      hint: 'Run without --backfill first.',
    })
}
