import { quoteText } from '../define/sql/sql.js'
import type { ColumnType } from '../define/types/column-type.js'
import type { Reading } from '../define/types/reading.js'
import type { Dialect } from '../sql/dialect.js'
import type { Compiling } from './functions.js'
import {
  decodeNumber,
  hasNumberWords,
  isAmbiguous,
  isNumeric,
  numberBody,
  numberValue,
} from './numbers.js'
import { DATE, type Decoded, decodeTime, hasTimeWords, TIME, ZONE } from './times.js'

/** What a text must look like to be a value of the type; the same on every engine. */
function grammarOf(type: ColumnType): string {
  if (isNumeric(type)) return `[+-]?${numberBody(type)}`
  switch (type.kind) {
    case 'date':
      return DATE
    case 'timestamp':
      return `${DATE}[ T]${TIME}`
    case 'timestamptz':
      return `${DATE}[ T]${TIME}${ZONE}`
    default:
      return '(?s:.*)'
  }
}

const textKinds = ['string', 'json', 'uuid']

/** Whether values of the type are kept as their text. */
export function isText(type: ColumnType): boolean {
  return textKinds.includes(type.kind)
}

/**
 * SQL that turns a text into a value of the type, or into NULL when the text is not one.
 * What a cast would bend (`1.5` to 2, `12.345` to 12.35, `0x1F`, `1e400`, `1e-400`) is not a value.
 * Spaces around anything but a text mean nothing.
 */
export function decode(
  text: string,
  type: ColumnType,
  dialect: Dialect,
  reading: Reading = {},
): string {
  return decodeText(text, type, reading, { dialect, bind: (sql) => sql }).value
}

/** The same, with what can be said of a text that gives no value. */
export function decodeText(
  text: string,
  type: ColumnType,
  reading: Reading,
  on: Compiling,
): Decoded {
  const { dialect } = on
  const { patterns, values } = dialect
  if (isText(type)) return { value: text }
  if (exact.includes(type.kind) && !hasNumberWords(reading)) {
    // The cast passes over spaces by itself, so that none need be cut off first.
    const cast = values.tryCast(text, values.type(type))
    const matches = patterns.matches(text, `[ \t]*${grammarOf(type)}[ \t]*`)
    return { value: `CASE ${canonical(text, type, dialect)}WHEN ${matches} THEN ${cast} END` }
  }
  const own = trimmed(text, dialect)
  if (type.kind === 'boolean') return { value: decodeBoolean(own, reading) }
  if (isNumeric(type) && hasNumberWords(reading)) {
    const read = decodeNumber(own, type, reading, dialect)
    const short = isAmbiguous(reading, type) ? '' : canonical(text, type, dialect)
    return { value: short ? `CASE ${short}ELSE ${read} END` : read }
  }
  if (widths[type.kind] !== undefined || type.kind === 'timestamptz')
    if (hasTimeWords(reading)) return decodeTime(own, type, reading, on)
  const cast = values.tryCast(own, values.type(type))
  const matches = patterns.matches(own, grammarOf(type))
  const found = numberValue(cast, own, type, dialect)
  return { value: `CASE ${canonical(text, type, dialect)}WHEN ${matches} THEN ${found} END` }
}

/**
 * SQL for a text without the spaces around it. The engine makes a set of what is to be cut off, row
 * by row: that is left to texts that have some, or begin with what sorts as low.
 */
export function trimmed(text: string, { texts }: Dialect): string {
  const ends = [' ', '\t'].map((space) => texts.endsWith(text, quoteText(space)))
  const cut = texts.trim(text, quoteText(' \t'))
  return `CASE WHEN ${text} < '!' OR ${ends.join(' OR ')} THEN ${cut} ELSE ${text} END`
}

/** Values of these have one text of their own. */
const exact: readonly ColumnType['kind'][] = ['int', 'bigint', 'decimal']

/** Bytes of a value's own text, where all of its values within the grammar have the same. */
const widths: Partial<Record<ColumnType['kind'], number>> = { date: 10, timestamp: 19 }

/**
 * A short cut that needs no regular expression: a text that the cast gives back unchanged is one
 * that the grammar allows. The width keeps out what the engine alone calls a date (`infinity`,
 * years BC).
 */
function canonical(text: string, type: ColumnType, { texts, values }: Dialect): string {
  const width = widths[type.kind]
  if (!exact.includes(type.kind) && width === undefined) return ''
  const cast = values.tryCast(text, values.type(type))
  const short = width === undefined ? '' : ` AND ${texts.bytes(text)} = ${width}`
  return `WHEN ${values.text(cast)} = ${text}${short} THEN ${cast} `
}

function decodeBoolean(trimmed: string, options: Reading): string {
  const words = (given: readonly string[] | undefined, usual: readonly string[]) =>
    (given ?? usual).map((word) => quoteText(word.toLowerCase())).join(', ')
  const yes = words(options.true, ['true', 't', '1'])
  const no = words(options.false, ['false', 'f', '0'])
  return `CASE WHEN lower(${trimmed}) IN (${yes}) THEN true WHEN lower(${trimmed}) IN (${no}) THEN false END`
}
