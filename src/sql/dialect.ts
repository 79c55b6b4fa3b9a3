import type { ColumnType } from '../define/types/column-type.js'

/**
 * How an engine spells what standard SQL lacks. Arguments and results are SQL, where nothing else is
 * said; a NULL among the arguments gives NULL. `test/contract/engine` says by examples what each must do.
 */
export interface Dialect {
  readonly values: ValueDialect
  readonly texts: TextDialect
  readonly patterns: PatternDialect
  readonly times: TimeDialect
  readonly lists: ListDialect
  readonly json: JsonDialect
  readonly aggregates: AggregateDialect
  readonly rows: RowDialect
}

/** Types, casts, and what goes for values of all types. */
export interface ValueDialect {
  type(type: ColumnType): string
  /** A whole number of any size that columns have. */
  whole(number: bigint): string
  /** The value as another type, or NULL where it is none. */
  tryCast(value: string, type: string): string
  text(value: string): string
  /** A struct whose `v` is what an expression gives, NULL where the expression fails. */
  attempt(expression: string): string
  /** A number that equal values share, of NULL too. */
  hash(value: string): string
  isFinite(double: string): string
  isNaN(double: string): string
  /** How often a whole number goes into another, both above zero. */
  quotient(number: string, by: string): string
  /** Values with names as one, which is equal to another where all of them are. */
  struct(fields: readonly (readonly [name: string, value: string])[]): string
  /** Fails with a text where it is computed. */
  fail(message: string): string
}

export interface TextDialect {
  /** Code points. */
  length(text: string): string
  /** Bytes of the text in UTF-8. */
  bytes(text: string): string
  /** The text in UTF-8. */
  utf8(text: string): string
  /** A text of code points. */
  characters(codes: readonly number[]): string
  contains(text: string, part: string): string
  startsWith(text: string, part: string): string
  endsWith(text: string, part: string): string
  /** From a code point on, counted from 1, so many of them or all. */
  slice(text: string, from: number, length?: number): string
  /** The first code points. */
  first(text: string, length: number): string
  /** The last code points. */
  last(text: string, length: number): string
  /** Where a part begins, from 1; 0 where it is not there. */
  position(text: string, part: string): string
  /** What stands before a text in JavaScript, or all where that is not there. */
  before(text: string, mark: string): string
  /** Without these characters at its ends. */
  trim(text: string, characters: string): string
  replace(text: string, part: string, by: string): string
  /** Texts one behind the other; those that are NULL are left out. */
  join(texts: readonly string[]): string
  /** The same with a text in JavaScript between them. */
  joinBy(separator: string, texts: readonly string[]): string
}

/** Regular expressions of RE2, given as texts in JavaScript. `.` is no line end, `$` the end of the text alone. */
export interface PatternDialect {
  /** Whether all of a text matches. */
  matches(text: string, pattern: string): string
  /** Whether some part of a text matches. */
  finds(text: string, pattern: string): string
  /** What a group of the first match holds, from 1; an empty text where nothing matches. */
  extract(text: string, pattern: string, group: number): string
  /** A struct of what the groups of the first match hold, by names. */
  extractAll(text: string, pattern: string, names: readonly string[]): string
  /** The text without what matches. */
  without(text: string, pattern: string): string
  /** The text with its first match replaced by a text in JavaScript. */
  replaceFirst(text: string, pattern: string, by: string): string
}

export interface TimeDialect {
  /** A text as a TIMESTAMP by a format of strptime, or NULL where it is none. */
  parse(text: string, format: string): string
  /** The TIMESTAMP that clocks of a zone show at a moment, or the moment at which they show a TIMESTAMP. */
  inZone(zone: string, time: string): string
  /** Whether a text names a zone. */
  isZone(name: string): string
  /** The DATE so many days after 1970 began, by a whole number. */
  fromDays(days: string): string
  /** The TIMESTAMP so many microseconds after 1970 began. */
  fromMicros(micros: string): string
  /** An interval of so many minutes, a BIGINT. */
  minutes(number: string): string
  days(number: number): string
  /** Seconds since 1970 began, with their fraction. */
  seconds(time: string): string
  /** Milliseconds since 1970 began, of a TIMESTAMP. */
  millis(time: string): string
  /** Days of the week as `Mon`, of a TIMESTAMP. */
  weekday(time: string): string
}

/** Lists, of texts where nothing else is said. */
export interface ListDialect {
  /** A list of values of a type, those that are NULL left out. */
  present(values: readonly string[], type: string): string
  concat(one: string, other: string): string
  /** The list, or one without values in the place of NULL. */
  orEmpty(list: string): string
  /** NULL, as a list of texts. */
  readonly none: string
  /** A list of values of one type. */
  of(...values: readonly string[]): string
  /** Whether a condition holds for some value of a list. */
  some(list: string, condition: (value: string) => string): string
  /** The value at a place, from 1; NULL where the list has none. */
  at(list: string, place: string): string
  /** In a SELECT: a row for each value of a list; lists that stand side by side go together. */
  each(list: string): string
}

export interface JsonDialect {
  /** A value as JSON, in a text. A decimal has all of its digits, but perhaps not the zeros at its end. */
  text(value: string): string
  /** Values with names as a JSON object, in a text. */
  object(fields: readonly (readonly [name: string, value: string])[]): string
  /** JSON in a text as a value of a type. */
  value(text: string, type: string): string
  /** A JSON list of texts, in a text, as a list. */
  texts(text: string): string
}

/** Aggregates of a group's rows; of those without rows they are NULL, or 0 where they count. */
export interface AggregateDialect {
  /** About how many different values there are. */
  distinct(value: string): string
  /** Whether a condition holds for some row; NULL where that is not known of any. */
  any(condition: string): string
  /** Whether a condition holds for each row of which that is known. */
  all(condition: string): string
  /** The value of one row, which may be NULL. */
  one(value: string): string
  /** The values of all rows as a list, in no order. */
  list(value: string): string
  /** A number that all rows have to be read for, and in which their order has no say; `row` is the relation's alias. */
  checksum(row: string): string
}

/** Relations: what stands behind SELECT and behind FROM. */
export interface RowDialect {
  /** All columns of a relation but some. */
  except(columns: readonly string[]): string
  /** All columns of a relation, some of them with other values. */
  replacing(columns: readonly (readonly [name: string, value: string])[]): string
  /** The rows of one relation for which the other has a row, by columns that both have or by a condition. */
  semiJoin(one: string, other: string, on: JoinOn): string
  /** The rows of one relation for which the other has no row. */
  antiJoin(one: string, other: string, on: JoinOn): string
  /** The rows of all queries, their columns by names; a column that a query lacks is NULL. */
  union(queries: readonly string[]): string
  /** SELECT of columns from rows, of which a condition on a window over all of them holds. */
  qualify(columns: string, from: string, condition: string): string
}

/** Columns that both sides have, as SQL, or a condition over their aliases. */
export type JoinOn = { using: string } | { on: string }
