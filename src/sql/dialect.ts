import type { ColumnType } from '../define/types/column-type.js'

/**
 * How an engine spells what standard SQL lacks, or reads in another way than others. Arguments and
 * results are SQL of values, where nothing else is said. What goes for all of it:
 *
 * - NULL among the arguments gives NULL, and an empty text is none.
 * - Texts are of Unicode's code points, which alone say whether two are equal and which comes
 *   first: no collation, no normal forms, no spaces that are made up for. Places count from 1.
 * - Times are of the Gregorian calendar, also before 1582, to the microsecond, of the years 1 to
 *   9999. A TIMESTAMP has no zone; where SQL needs one, the session's is UTC.
 * - Nothing rounds: callers look at a text's form first, so that a cast has nothing to decide.
 * - The same arguments give the same result, on any thread and in any run.
 * - For arguments of the types said here nothing fails, but what is made to fail.
 *
 * What an engine can't do exactly so, its dialect refuses with an error of kind `definition`; it
 * never comes close. `test/contract/engine/dialect` proves each sentence by rows.
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
  /** A column's type, as `Session.describe` names it. */
  type(type: ColumnType): string
  /** The type of whole numbers of any size that columns have: beyond 64 bits, up to 38 digits. */
  readonly wholeType: string
  /** A whole number as a value of that type. */
  whole(number: bigint): string
  /**
   * A text as another type, or NULL where it is none: numbers out of range, days that no calendar
   * has. What a text may look like is proved before. Spaces and tabs around numbers are passed
   * over; a moment without an offset is in UTC; 24:00:00 is the beginning of the next day. What is
   * too large for a double may also be infinity, and what is too small 0. Of a number that the
   * other type can't hold: NULL where it is out of range, else one near it, which callers compare.
   */
  tryCast(value: string, type: string): string
  /**
   * The value's own text: decimals with all digits of their scale, `true`, `1969-12-31`,
   * `1969-12-31 23:59:59.5` (no zeros at the end of the fraction), moments in UTC with `+00`;
   * doubles with the fewest digits that give them back, however the engine writes these.
   */
  text(value: string): string
  /**
   * A struct whose `v` is what an expression gives, which may be NULL; NULL where the expression
   * fails on the row. The expression is SQL of people, perhaps with comments at its end.
   */
  attempt(expression: string): string
  /**
   * A number of 64 bits that equal values share, those of several places one behind the other; it
   * is never NULL. Different values share it seldom. Other versions of the engine may have another.
   */
  hash(...values: readonly string[]): string
  isFinite(double: string): string
  isNaN(double: string): string
  /** How often a whole number above zero goes into another that is not below zero. */
  quotient(number: string, by: string): string
  /**
   * Values with names as one. Two of the same names are equal where all values are; so are NULLs.
   */
  struct(fields: readonly (readonly [name: string, value: string])[]): string
  /** Fails with a text, on rows for which it is computed and on no others: `CASE` keeps it off. */
  fail(message: string): string
}

export interface TextDialect {
  /** Code points. */
  length(text: string): string
  /** Bytes of the text in UTF-8. */
  bytes(text: string): string
  /** The text in UTF-8, as BLOB. */
  utf8(text: string): string
  /** MD5 of the text in UTF-8 (RFC 1321), in 32 digits of lower case. */
  md5(text: string): string
  /** A text of code points. */
  characters(codes: readonly number[]): string
  /**
   * An empty part is in every text, at its beginning and its end; no character stands for others.
   */
  contains(text: string, part: string): string
  startsWith(text: string, part: string): string
  endsWith(text: string, part: string): string
  /** From a code point on, so many of them or all; an empty text behind the end. */
  slice(text: string, from: number, length?: number): string
  /** The first code points. */
  first(text: string, length: number): string
  /** The last code points. */
  last(text: string, length: number): string
  /** Where a part begins for the first time, in code points; 0 where it is not there. */
  position(text: string, part: string): string
  /** What stands before a text in JavaScript for the first time, or all where that is not there. */
  before(text: string, mark: string): string
  /** Without these characters at its ends, in whatever order they stand there. */
  trim(text: string, characters: string): string
  /** Each part, from the left, replaced; an empty part is found nowhere. */
  replace(text: string, part: string, by: string): string
  /** Texts one behind the other; those that are NULL are left out, and of none it is empty. */
  join(texts: readonly string[]): string
  /** The same with a text in JavaScript between them, not beside those that are left out. */
  joinBy(separator: string, texts: readonly string[]): string
}

/**
 * Regular expressions of RE2, given as texts in JavaScript. `.` is any code point but a line feed,
 * `^` and `$` are the ends of the whole text (a last line end is part of it), `\w`, `\d` and `\s`
 * mean ASCII. Of several ways to match, the leftmost counts, and of those the one that is tried
 * first.
 */
export interface PatternDialect {
  /** Whether all of a text matches. */
  matches(text: string, pattern: string): string
  /** Whether some part of a text matches. */
  finds(text: string, pattern: string): string
  /**
   * What a group of the first match holds, from 1; an empty text where nothing matches, or the
   * group has no part in it.
   */
  extract(text: string, pattern: string, group: number): string
  /** A struct of what the groups of the first match hold, by names, each as in {@link extract}. */
  extractAll(text: string, pattern: string, names: readonly string[]): string
  /** The text without what matches, wherever it does. */
  without(text: string, pattern: string): string
  /**
   * The text with its first match replaced by a text in JavaScript, in which nothing has a meaning.
   */
  replaceFirst(text: string, pattern: string, by: string): string
}

export interface TimeDialect {
  /**
   * A text as a TIMESTAMP by a format of strptime, or NULL where it is none: what the format does
   * not say is that of the beginning of 1900. With `%z` it is a moment. `%y` from 69 on is 1969,
   * `%b` and
   * `%p` are English in any case. That the text has the form of the format is proved before.
   */
  parse(text: string, format: string): string
  /**
   * Of a moment, the TIMESTAMP that clocks of a zone show. Of a TIMESTAMP, the moment at which they
   * show it; where they show it never or twice, one near it. The zone is a name of the IANA
   * database, with the offsets of all times in it, also before 1900.
   */
  inZone(zone: string, time: string): string
  /** Whether a text names a zone of the IANA database, in its very letters. */
  isZone(name: string): string
  /** The DATE so many days after 1970 began, by a whole number, which may be below zero. */
  fromDays(days: string): string
  /** The TIMESTAMP so many microseconds after 1970 began, a BIGINT, which may be below zero. */
  fromMicros(micros: string): string
  /** An interval of so many minutes, a BIGINT, which may be below zero. */
  minutes(number: string): string
  /** An interval of so many days of 24 hours, none or more. */
  days(number: number): string
  /** An interval of so many microseconds, none or more. */
  micros(number: number): string
  /** Seconds since 1970 began, a DOUBLE with their fraction; of a TIMESTAMP, a moment or a DATE. */
  seconds(time: string): string
  /** Milliseconds since 1970 began, a BIGINT, of a TIMESTAMP; what is less than one is left out. */
  millis(time: string): string
  /** The day of the week in English, as `Mon`, of a TIMESTAMP. */
  weekday(time: string): string
}

/** Lists, of texts where nothing else is said. Their places count from 1. */
export interface ListDialect {
  /** A list of values of a type, those that are NULL left out; of none it is empty. */
  present(values: readonly string[], type: string): string
  /** One list behind the other; neither may be NULL, for engines differ in what that gives. */
  concat(one: string, other: string): string
  /** The list, or one without values in the place of NULL. */
  orEmpty(list: string): string
  /** NULL, as a list of texts. */
  readonly none: string
  /** A list of values of one type, NULLs included. */
  of(...values: readonly string[]): string
  /** Whether a condition holds for some value of a list; false where that is not known of any. */
  some(list: string, condition: (value: string) => string): string
  /** The value at a place, a whole number above zero; NULL where the list has none. */
  at(list: string, place: string): string
  /**
   * In a SELECT: a row for each value of a list, and none for NULL or an empty list; lists that
   * stand side by side go together.
   */
  each(list: string): string
}

export interface JsonDialect {
  /**
   * A value as JSON, in a text. Control characters and quotes are escaped, all else stands as it
   * is. A decimal has all of its digits, but perhaps not the zeros at its end; dates and times are
   * their own text. NULL gives NULL, within a list or a struct `null`.
   */
  text(value: string): string
  /** Values with names as a JSON object, in a text, in this order; NULL is `null`. */
  object(fields: readonly (readonly [name: string, value: string])[]): string
  /** JSON in a text as a list or a struct, which was written for the type; `null` gives NULL. */
  value(text: string, type: string): string
  /** A JSON list of texts, in a text, as a list; `null` within it gives NULL. */
  texts(text: string): string
}

/**
 * Aggregates of a group's rows; of those without rows they are NULL, or 0 where they count. `FILTER
 * (WHERE …)` may stand behind each.
 */
export interface AggregateDialect {
  /**
   * The most frequent values and their rows, of rows that have one value each, as a text of JSON:
   * an array of `{"rows", "value"}`, of the same number of rows the least value first.
   */
  frequent(value: string, rows: string, most: number): string
  /** Whether a condition holds for some row of which that is known; NULL where it is of none. */
  any(condition: string): string
  /** Whether a condition holds for each row of which that is known; NULL where it is of none. */
  all(condition: string): string
  /**
   * The value of the row whose `by` is the greatest, whichever of several; neither may be NULL, for
   * engines differ in what that gives.
   */
  maxBy(value: string, by: string): string
  /** The values of all rows as a list, NULLs included, in no order; `DISTINCT` may stand before. */
  list(value: string): string
  /**
   * A number that all values of all rows have to be read for, and in which their order has no say;
   * `row` is the relation's alias. Two equal rows take each other away, so that rows are counted,
   * too.
   */
  checksum(row: string): string
}

/** Relations: what stands behind SELECT and behind FROM. */
export interface RowDialect {
  /**
   * Of a relation that `Session.materialize` made, as a column of it: the number of each row, from
   * 0 without gaps, as long as nothing is added to it.
   */
  readonly number: string
  /** All columns of a relation but some; an alias and a point may stand before. */
  except(columns: readonly string[]): string
  /** All columns of a relation in their order, some of them with other values. */
  replacing(columns: readonly (readonly [name: string, value: string])[]): string
  /**
   * The rows of one relation for which the other has a row, each as often as it is there. NULL is
   * equal to nothing.
   */
  semiJoin(one: string, other: string, on: JoinOn): string
  /**
   * The rows of one relation for which the other has no row: those with NULL among the columns
   * stay.
   */
  antiJoin(one: string, other: string, on: JoinOn): string
  /**
   * The rows of all queries, as often as each is there, their columns by names in any case; a
   * column that a query lacks is NULL. The first query says the order of its columns.
   */
  union(queries: readonly string[]): string
  /**
   * SELECT of columns from rows, of which a condition on a window over all of them holds. `from`
   * may end with WHERE, which comes before the window.
   */
  qualify(columns: string, from: string, condition: string): string
}

/** Columns that both sides have, as SQL, or a condition over their aliases. */
export type JoinOn = { using: string } | { on: string }
