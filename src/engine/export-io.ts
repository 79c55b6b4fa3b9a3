import type { Field } from '../define/types/column-type.js'

/** How values are written as texts for a program that reads them. */
export interface CellFormat {
  /** What stands for NULL, without quotes; texts always have quotes. */
  nulls: string
  booleans: readonly [no: string, yes: string]
  /** What stands before the hexadecimal digits of bytes. */
  bytes: string
}

/** What is counted of a column: values that are not NULL, and an exact sum where there is one. */
export interface ColumnFigures {
  values: bigint
  /**
   * Of numbers their sum, of booleans how many are true, of days and moments the sum of days or
   * microseconds since 1970, of texts and bytes that of their lengths in bytes (UTF-8). `undefined`
   * for doubles, whose sums depend on the order, and for lists and structs.
   */
  sum: string | undefined
}

/** What the lengths of texts are counted in: bytes of UTF-8, or bytes of UTF-16. */
export type TextUnits = 'utf8' | 'utf16'

/** What a target can hold of values that the lake has. */
export interface ValueLimits {
  /** The first and the last year of dates and moments; no infinite ones. */
  years: readonly [first: number, last: number]
  /**
   * `finite`: neither NaN nor infinity; `normal`: nor one that is so small that it has fewer
   * digits.
   */
  floats: 'any' | 'finite' | 'normal'
}

/** A file for programs that read files. */
export interface ExportFile {
  /** Where it lies, as the storage names it. */
  location: string
  format: 'parquet' | 'csv' | 'jsonl'
  /**
   * Parquet has only types that every reader knows: moments are in UTC without saying so, bytes are
   * hexadecimal digits, lists and structs JSON.
   */
  plain?: boolean
}

export interface Figures {
  rows: bigint
  columns: readonly ColumnFigures[]
}

/** Hands rows over to other programs. */
export interface ExportIO {
  /**
   * Writes the rows of a query as CSV (UTF-8, no header) into a file, or a named pipe that somebody
   * reads meanwhile, in any order. Lists and structs are JSON; moments are in UTC, without an
   * offset. From then on the engine writes rows in any order, so it is for exports alone.
   */
  csv(sql: string, columns: readonly Field[], path: string, format: CellFormat): Promise<void>
  /** SQL for one row: how many rows a query has, then values and sum of each column. */
  figuresSql(sql: string, columns: readonly Field[]): string
  /** What is counted of the columns of a query. */
  figures(sql: string, columns: readonly Field[], units?: TextUnits): Promise<Figures>
  /** A value, as text, that is beyond what a target can hold; `undefined` if there is none. */
  beyond(
    sql: string,
    columns: readonly Field[],
    limits: ValueLimits,
  ): Promise<{ name: string; value: string } | undefined>
  /** The longest value in bytes of each column that is a text in a plain file. */
  longest(sql: string, columns: readonly Field[]): Promise<{ name: string; bytes: number }[]>
  /** SQL for rows whose texts no spreadsheet runs: a `'` stands before those that it would. */
  withoutFormulas(sql: string, columns: readonly Field[]): string
  /**
   * Writes the rows of a query as one file. CSV (with a header) and JSON lines have bytes as
   * hexadecimal digits, and moments with a zone in UTC; CSV has lists and structs as JSON, JSON has
   * long numbers and decimals as texts. Texts of CSV have quotes, so that an empty one is no NULL.
   */
  file(sql: string, columns: readonly Field[], file: ExportFile): Promise<void>
  /** SQL for the rows of such a file. */
  fileRows(columns: readonly Field[], file: ExportFile): Promise<string>
}
