import type { DatabaseSource } from '../../define/source.js'
import type { RemoteSession } from '../../engine/engine.js'

/** A column of a source, as its database describes it. */
export interface RemoteColumn {
  name: string
  /** The database's own name of the type. */
  type: string
  /** What stays the same when the column is renamed, where the database has such a thing. */
  id?: number
}

/**
 * Rows by their cursor: from one value on, up to another that is not among them. Values are texts
 * as the database writes them.
 */
export interface Window {
  from?: string | undefined
  until?: string | undefined
}

/**
 * How far a source's clock and its open transactions let a cursor be trusted. All rows are read
 * that are there; where the next window begins is decided by this and by the newest value among
 * them.
 */
export interface Horizon {
  /**
   * Rows with this cursor or a later one don't move the next window; `undefined`: no row's cursor
   * says how far that goes.
   */
  bound: string | undefined
  /**
   * Where the next window begins at the latest, set back by the lag; `undefined`: nothing can be
   * read yet.
   */
  next: string | undefined
  /**
   * Rows with this cursor or a later one lie after the source's own now; `undefined`: a cursor that
   * knows no now.
   */
  later?: string
  /** The newest cursor there is, and when that was seen: a later window may go so far. */
  mark?: Mark
  /** What somebody should know of it. */
  notes: readonly string[]
}

/** What is there to read by a cursor, from one value on, and of rows without one. */
export interface Census {
  rows: number
  /** How many of them have no cursor. */
  empty: number
  /** The newest cursor below the horizon's bound. */
  newest?: string
  /** The newest of all. */
  last?: string
  /** Rows that lie after the source's own now. */
  later: number
  /** The sum of their cursors, where each change of a row moves its own on. */
  versions?: string
}

/**
 * The newest cursor that was there at a time of the database's clock, in microseconds since 1970.
 */
export type Mark = readonly [time: number, cursor: string]

/**
 * A part of a table's rows, read on its own: a condition in the database's SQL, `undefined` for all
 * rows.
 */
export interface Range {
  condition?: string
  /** The condition of all ranges before it. */
  before?: string
}

/** What is asked for of one source. */
export interface Extract {
  source: DatabaseSource
  columns: readonly string[]
  /** Conditions that rows meet, in the database's SQL. */
  conditions: readonly string[]
}

/** What was written to a file. */
export interface Extracted {
  /** Bytes; 0 when there are no rows. */
  bytes: number
  /** Bytes between two line ends, at most. */
  longest: number
  sha256: string
}

/** How an engine reads rows by itself; see `Reader.remote`. */
export type Remote = (
  what: Omit<Extract, 'columns'> & { columns: readonly RemoteColumn[] },
  values: ReadonlySet<string>,
) => Promise<{ session: RemoteSession; query: string } | undefined>

/**
 * A database while a run reads it: everything that it gives comes from one snapshot, which was
 * taken after the open transactions were looked at, unless it is `moving`. Connectors implement
 * this; `test/contract/reader.ts` holds them to it.
 */
export interface Reader {
  /**
   * Whether there is no snapshot, as the database gives none: rows may come while others are read.
   */
  readonly moving?: boolean
  /** @throws MoraineError of kind `source` when there is no such table, or the query is wrong. */
  columns(source: DatabaseSource): Promise<RemoteColumn[]>
  /** How far the rows can be read by a cursor, given earlier marks. */
  horizon(source: DatabaseSource, cursor: RemoteColumn, marks: readonly Mark[]): Promise<Horizon>
  /**
   * Counts rows from a cursor's value on (`null`: all that have one), and those without a cursor.
   */
  census(
    source: DatabaseSource,
    cursor: RemoteColumn,
    from: string | null,
    horizon: Horizon,
  ): Promise<Census>
  /** Conditions for the rows of a window, and for those without a cursor. */
  windowSql(cursor: RemoteColumn, window: Window): string
  nullSql(cursor: RemoteColumn): string
  /** The condition that rows have one of several keys, as their texts have it. */
  keysSql(columns: readonly RemoteColumn[], keys: readonly (readonly string[])[]): string
  /**
   * Ranges of about so many bytes that have all rows between them. With the epoch of earlier ones
   * they are the same as then, unless another epoch is returned.
   */
  ranges(
    source: DatabaseSource,
    bytes: number,
    epoch?: string,
  ): Promise<{ ranges: Range[]; epoch: string }>
  /**
   * The condition that a row may have come to its range from another one since ranges of an epoch
   * were begun. Without it, a row stays in its range whatever is done to it.
   */
  movedSql?(epoch: string): string | undefined
  /**
   * Writes rows as delimited text: commas, quotes where needed, nothing for NULL, `\n` at line
   * ends, UTF-8. May be called several times at once.
   */
  extract(what: Extract, path: string, signal: AbortSignal): Promise<Extracted>
  /**
   * How an engine reads such rows by itself, from the same snapshot and in the same order: columns
   * in `values` as values, others as texts. `undefined` where it can't.
   */
  readonly remote?: Remote | undefined
  close(): Promise<void>
}
