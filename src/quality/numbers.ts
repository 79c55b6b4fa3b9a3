import { quoteText } from '../define/sql/sql.js'
import type { ColumnType } from '../define/types/column-type.js'
import { listOf, type Reading } from '../define/types/reading.js'
import type { Dialect } from '../sql/dialect.js'

const numeric: readonly ColumnType['kind'][] = ['int', 'bigint', 'decimal', 'double', 'float']

export function isNumeric({ kind }: ColumnType): boolean {
  return numeric.includes(kind)
}

/** Whether numbers are written in another way than as digits, a point and digits. */
export function hasNumberWords({ decimal, group, currency, zeroFraction }: Reading): boolean {
  return (decimal ?? '.') !== '.' || group !== undefined || currency !== undefined || !!zeroFraction
}

/** Whether the text that a number itself is written as may mean another number, or none. */
export function isAmbiguous({ decimal = '.', group }: Reading, type: ColumnType): boolean {
  const whole = type.kind === 'int' || type.kind === 'bigint'
  return !whole && (decimal !== '.' || group === '.')
}

/** Spaces that people see no difference between, and what is typed for an apostrophe. */
const alike: Readonly<Record<string, string>> = { ' ': ' \u00a0\u202f', "'": "'\u2019" }
const BLANK = '[ \u00a0\u202f]?'

const quoteRegex = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

/**
 * What a number of the type must look like, after its sign; without more words as anybody writes
 * it.
 */
export function numberBody(type: ColumnType, { decimal = '.', group, zeroFraction }: Reading = {}) {
  const groups = group === undefined ? '' : `[0-9]{1,3}(?:[${alike[group] ?? group}][0-9]{3})+|`
  const digits = `(?:${groups}[0-9]+)`
  const point = `[${decimal}]`
  switch (type.kind) {
    case 'int':
    case 'bigint':
      return `${digits}${zeroFraction ? `(?:${point}0*)?` : ''}`
    case 'decimal': {
      const { scale } = type
      const some = scale === 0 ? '0*' : `[0-9]{0,${scale}}0*`
      const one = scale === 0 ? '0+' : `[0-9]{1,${scale}}0*`
      return `(?:${digits}(?:${point}${some})?|${point}${one})`
    }
    default:
      return `(?:${digits}(?:${point}[0-9]*)?|${point}[0-9]+)(?:[eE][+-]?[0-9]+)?`
  }
}

/**
 * A number that is written with a comma, groups of digits or a currency. The text has no spaces
 * around it.
 */
export function decodeNumber(
  text: string,
  type: ColumnType,
  reading: Reading,
  dialect: Dialect,
): string {
  const { patterns, texts, values } = dialect
  const { decimal = '.', group, currency, zeroFraction } = reading
  const signs = currency === undefined ? [] : listOf(currency)
  const body = numberBody(type, reading)
  const sign = `(?:${signs.map(quoteRegex).join('|')})`
  const grammar =
    signs.length === 0
      ? `[+-]?${body}`
      : `(?:[+-]?(?:${sign}${BLANK})?${body}|${sign}${BLANK}[+-]${body}|[+-]?${body}${BLANK}${sign})`
  const dropped = [
    ...(alike[group ?? ''] ?? group ?? ''),
    ...(signs.length ? (alike[' '] ?? '') : ''),
  ]
  // Longer signs first: `US$` holds `$`.
  const words = signs.toSorted((a, b) => b.length - a.length)
  const plain = [...words, ...new Set(dropped)].reduce(
    (sql, word) => texts.replace(sql, quoteText(word), "''"),
    text,
  )
  const pointed = decimal === '.' ? plain : texts.replace(plain, quoteText(decimal), "'.'")
  const whole = zeroFraction ? patterns.replaceFirst(pointed, '[.]0*$', '') : pointed
  const cast = values.tryCast(whole, values.type(type))
  const value = numberValue(cast, whole, type, dialect)
  return `CASE WHEN ${patterns.matches(text, grammar)} THEN ${value} END`
}

/**
 * SQL for the value of a text that the grammar allows: too large or too small a number for a double
 * would be infinity, or 0.
 */
export function numberValue(
  cast: string,
  text: string,
  { kind }: ColumnType,
  { patterns, values }: Dialect,
): string {
  if (kind !== 'double' && kind !== 'float') return cast
  const isZero = `NOT ${patterns.finds(text, '^[^eE1-9]*[1-9]')}`
  return `CASE WHEN ${cast} <> 0 AND ${values.isFinite(cast)} THEN ${cast} WHEN ${cast} = 0 AND ${isZero} THEN ${cast} END`
}
