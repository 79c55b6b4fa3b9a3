import type { DatabaseSource, OpenConnection } from '../../define/source.js'
import type { Extracted, Horizon, Range, Remote, RemoteColumn, Window } from './reader.js'

/**
 * What one kind of database does in its own way: SQL for names and values, what its types and error
 * codes mean, and how it is connected to. `database-reader` has all else: a new database is one
 * such value, and its line in `open`.
 */
export interface SourceDialect {
  /** What people call it. */
  readonly name: string
  quote(name: string): string
  /** Whether a type is of whole numbers, so that a cursor of it counts. */
  counts(type: string): boolean
  /** How a type shows times; `undefined`: it shows none. */
  timesOf(type: string): Times | undefined
  /** What follows a moment's text where the clock is UTC. */
  readonly utc: string
  /** Which columns can be cursors, for people. */
  readonly cursors: string
  /** SQL for a cursor's text as a value of its type, and for such a value as that text. */
  cursorSql(text: string, cursor: RemoteColumn): string
  cursorText(value: string, cursor: RemoteColumn): string
  /** SQL for the text of a key's column as a value. */
  keySql(text: string, column: RemoteColumn): string
  /** SQL for columns as they are read. */
  listSql(columns: readonly RemoteColumn[]): string
  /** SQL for the server's clock: microseconds since 1970. */
  readonly clock: string
  /** A cursor that every table has without a column of that name. */
  readonly system?: { readonly name: string; windowSql(window: Window): string }
  /**
   * SQL for the sum of a cursor's values, as a text, where only the database sets them and moves
   * them on with each change of a row; `undefined`: it is no such cursor.
   */
  versionsSql?(cursor: RemoteColumn): string | undefined
  readonly split: TableSplit
  /** Advice by an error's code, where the general one is not enough. */
  readonly hints: Readonly<Record<string, string>>
  /** The error that others are about. */
  unwrap?(error: unknown): unknown
  /** What is noted where the open transactions of others can't be seen. */
  readonly blind: string
  /** Loads the client library, and settles what is to be connected to. */
  prepare(connection: OpenConnection): Promise<SourceSession>
}

/** What values of a type of times show. */
export interface Times {
  /** Whose clock they show: that of UTC, or the server's own. */
  clock: 'utc' | 'server'
  /** Microseconds between two of them. */
  grain: number
  /** They show days alone. */
  day: boolean
}

/**
 * How a table is split into ranges: by its first key, a whole number, or in a way of the database's
 * own.
 */
export type TableSplit = SplitByKey | SplitByPlace

/** Ranges of places, from which rows go elsewhere when they change. */
export interface SplitByPlace {
  rangesOf(ask: Ask, table: string, bytes: number, epoch?: string): Ranges
  /** The condition that a row came to its place since ranges of an epoch were begun. */
  movedSql(epoch: string): string
}

export interface SplitByKey {
  /** The first column of a table's primary key. */
  keyOf(ask: Ask, table: string): Promise<string | null | undefined>
  /** About how many bytes it has. */
  bytesOf(ask: Ask, table: string): Promise<number>
}

export type Ranges = Promise<{ ranges: Range[]; epoch: string }>

/** The rows of a statement, their values as texts. */
export type Ask = (sql: string, values?: readonly unknown[]) => Promise<Rows>
export type Rows = readonly (readonly (string | null)[])[]

/** The end of a window, where the next one begins, and what lies after now. */
export interface Ends<T> {
  bound: T
  next: T
  later: T
}

/**
 * A connection to a database. What it throws is of its client; `database-reader` says it in our
 * words.
 */
export interface SourceSession {
  /** Where the database is, for people. */
  readonly place: string
  readonly secrets: readonly string[]
  connect(): Promise<void>
  /**
   * Before `begin` each statement stands for itself; afterwards all see one snapshot. May be called
   * several times at once.
   */
  readonly ask: Ask
  /** The columns of a query; `table`: the one that it reads as it is. */
  describe(query: string, table: string | undefined): Promise<RemoteColumn[]>
  openTransactions(): Promise<OpenTransactions>
  /** @param tables that will be read. */
  begin(tables: readonly string[]): Promise<Snapshot>
  /**
   * How far a cursor of the database's own kind lets itself be trusted; `undefined`: it is of
   * another kind.
   */
  horizon?(cursor: RemoteColumn): Horizon | undefined
  /** Moments (microseconds since 1970) as the server's own clock shows them. */
  onClock(ends: Ends<number>): Promise<Ends<string>>
  /**
   * Writes the rows of a query whose columns were made by `listSql`. May be called several times at
   * once.
   */
  extract(
    query: string,
    columns: readonly RemoteColumn[],
    path: string,
    signal: AbortSignal,
  ): Promise<Extracted>
  remote?: Remote
  /** Also of one that was not connected. */
  close(): Promise<void>
}

/** The transactions of others that may still write rows. */
export interface OpenTransactions {
  /** The server's clock, before they were looked at; microseconds since 1970, as all times here. */
  now: number
  /** When the oldest of them began. */
  oldest?: number | undefined
  /** Whether some can't be seen. */
  hidden: boolean
  /** Whether rows come from other servers, where none can be seen. */
  replicated: boolean
}

/** What is noted where rows come from other servers. */
export const REPLICATED =
  'rows come from another server by replication, whose open transactions are not visible here, so rows that they commit late may be missed unless lag covers them'

export interface Snapshot {
  /** The server's clock once it was taken. */
  now: number
  /** The database has none: rows may come while others are read. */
  moving?: boolean
  notes?: readonly string[]
}

/** The table that a source reads as it is. */
export const tableOf = ({ reads }: DatabaseSource) => ('table' in reads ? reads.table : undefined)
