import type { Readable } from 'node:stream'
import type { ColumnType, Field } from '../define/types/column-type.js'
import type { CellFormat, Figures, TextUnits, ValueLimits } from '../engine/export-io.js'

export type Rows = (string | null)[][]

/** A table of a target. */
export interface TableName {
  /** `undefined`: that of the connection. */
  schema: string | undefined
  name: string
}

/** A type that a target can't hold exactly, and what to do. */
export interface Unfit {
  unfit: string
}

export type TransactionStep = 'BEGIN' | 'COMMIT' | 'ROLLBACK'

/** A connection to a target, one statement after the other. */
export interface TargetSession extends AsyncDisposable {
  /** For messages: kind, host and name of the database. */
  readonly place: string
  readonly secrets: readonly string[]
  /** All values as texts. */
  ask(sql: string): Promise<Rows>
  /** How many rows a statement has changed. */
  change(sql: string): Promise<bigint>
  /** Begins or ends a transaction, where that is no statement. */
  transact?(step: TransactionStep): Promise<void>
  /** Adds rows to a table, as CSV of {@link TargetDialect.cells}; how many they were. */
  fill?(table: string, columns: readonly Field[], csv: Readable): Promise<bigint>
  /** The same of a query that the engine of the export can run: where it writes there by itself. */
  fillFrom?(table: string, columns: readonly Field[], sql: string): Promise<bigint>
}

/** What a table is that stands in a target. */
export interface Found {
  /** Its comment, or what stands for one there. */
  comment: string | null
  /** Whether views of others read it, so that it can't be replaced by another one. */
  isReadByViews: boolean
}

/** How tables are loaded into one kind of target. What is the same everywhere is in `load/`. */
export interface TargetDialect {
  /** `PostgreSQL`. */
  readonly name: string
  readonly cells: CellFormat
  /**
   * Whether tables are created, dropped and renamed in a transaction; otherwise such a statement is
   * one of its own, and ends one that is open.
   */
  readonly transactionalDdl: boolean
  /** What lengths of texts are counted in there. Default: bytes of UTF-8. */
  readonly textUnits?: TextUnits
  /** What values it does not have, where it would not say so by itself. */
  readonly limits?: ValueLimits
  /** The longest name that a column can have; a longer one would be cut. */
  readonly longestName?: { length: number; of: 'bytes' | 'characters' }
  /** What the client library says in our words: the error that matters, and what to do. */
  explain?(error: unknown): { error: unknown; hint?: string | undefined }
  quote(name: string): string
  /** A table as statements name it. */
  named(table: TableName): string
  text(value: string): string
  typeOf(type: ColumnType): string | Unfit
  /** Whether a column can be part of a primary key. */
  isKeyType(type: ColumnType): boolean
  /** What {@link lock} needs, before the transaction. */
  prepare?(session: TargetSession, table: TableName): Promise<void>
  /** Waits until no other export works on the table. Said within the transaction, if DDL is. */
  lock(session: TargetSession, table: TableName, waits: () => void): Promise<void>
  unlock(session: TargetSession, table: TableName): Promise<void>
  /** Creates the schema if it does not exist. */
  createSchema(session: TargetSession, schema: string): Promise<void>
  find(session: TargetSession, table: TableName): Promise<Found | undefined>
  /** Statements that create a table with a comment. */
  create(table: TableName, columns: readonly string[], comment: string): string[]
  createTemporary(name: string, columns: readonly string[]): string
  /** What a temporary table is called in statements. */
  temporary(name: string): string
  /** Statements that give a table a primary key. */
  addKey(table: string, key: readonly Field[]): string[]
  rename(table: TableName, to: string): string
  /** Renames several tables at once, where DDL is not part of transactions. */
  swap?(moves: readonly (readonly [from: string, to: string])[]): string
  /** Deletes rows of a table whose key columns have values of another table. */
  deleteMatching(table: string, keys: string, columns: readonly Field[]): string
  /** The same for rows without a value, if the other table has one without. */
  deleteNull(table: string, keys: string, column: string): string
  /** SQL for rows, then values and sum of each column, of a table. */
  figures(table: string, columns: readonly Field[]): string
  grant(table: string, to: string): string
  /** The type of texts of any length, and of whole numbers, in the table of records. */
  readonly recordTypes: { text: string; name: string; whole: string; now: string }
}

/** The statement that gives a table a primary key, as most targets have it. */
export const primaryKey =
  (quote: (name: string) => string): TargetDialect['addKey'] =>
  (table, key) => [
    `ALTER TABLE ${table} ADD PRIMARY KEY (${key.map(({ name }) => quote(name)).join(', ')})`,
  ]

/** The figures in the answer to {@link TargetDialect.figures}. */
export function figuresOf([row = []]: Rows, columns: readonly Field[]): Figures {
  return {
    rows: BigInt(row[0] ?? 0),
    columns: columns.map((_, i) => ({
      values: BigInt(row[2 * i + 1] ?? 0),
      sum: row[2 * i + 2] ?? undefined,
    })),
  }
}
