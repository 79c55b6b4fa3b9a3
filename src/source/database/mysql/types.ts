import type { FieldPacket } from 'mysql2'
import { isNumeral, literal } from '../conditions.js'
import type { RemoteColumn } from '../reader.js'

/** Names of the protocol's type codes; the codes are those of MySQL's field packets. */
const types: Readonly<Record<number, string>> = {
  1: 'tinyint',
  2: 'smallint',
  3: 'int',
  4: 'float',
  5: 'double',
  7: 'timestamp',
  8: 'bigint',
  9: 'mediumint',
  10: 'date',
  11: 'time',
  12: 'datetime',
  13: 'year',
  16: 'bit',
  245: 'json',
  246: 'decimal',
  247: 'enum',
  248: 'set',
  255: 'geometry',
}
/** The character set of bytes that are no text. */
const BINARY = 63
const counters = ['tinyint', 'smallint', 'mediumint', 'int', 'bigint']

/** The flag of columns without NULLs. */
const NOT_NULL = 1
/** The character sets of texts that others can be put together with. */
const unicode = ['utf8mb4', 'utf8mb3', 'utf8', 'ascii']
/** Those that do not write letters as ASCII does. */
const wide = ['ucs2', 'utf16', 'utf16le', 'utf32']

/** A column, and what the server need not do for it. */
export interface Field extends RemoteColumn {
  /** It has no NULLs. */
  required: boolean
  /** Its texts need no conversion of their own. */
  plain: boolean
}

/** Columns with what is known of them, by the character sets of those that are texts. */
export function fieldsOf(
  fields: readonly FieldPacket[],
  charsets: ReadonlyMap<string, string>,
): Field[] {
  const used = new Set(charsets.values())
  // The server puts texts of one character set together as they are, and converts them as a whole.
  const plain = used.size === 1 ? [...used].filter((c) => !wide.includes(c)) : unicode
  return fields.map((field) => {
    const { name, flags } = field
    const required = (Number(flags) & NOT_NULL) > 0
    const plainly = plain.includes(charsets.get(name) ?? '')
    return { name, type: typeOf(field), required, plain: plainly }
  })
}

/**
 * SQL for a row as delimited text, which the server puts together: values are quoted, NULL is
 * nothing.
 */
export function recordSql(columns: readonly Field[]): string {
  const fields = columns.map((column) =>
    column.required ? fieldSql(column) : `COALESCE(${fieldSql(column)}, '')`,
  )
  return `CONCAT(${fields.join(`, ',', `)})`
}

function fieldSql({ name, type, plain }: Field): string {
  const value = quote(name)
  const kind = kindOf(type)
  if ([...counters, 'decimal', 'date', 'datetime', 'time', 'year', 'double'].includes(kind))
    return value
  // All digits of it: the text of a float has six.
  if (kind === 'float') return `${value} + 0e0`
  if (kind === 'bit') return `${value} + 0`
  // A moment, whatever zone it is shown in.
  if (kind === 'timestamp') return `CONCAT(${value}, '+00')`
  if (kind === 'binary') return `CONCAT('\\\\x', LOWER(HEX(${value})))`
  if (kind === 'geometry') return `CONCAT('"', ST_AsText(${value}), '"')`
  const text = plain ? value : `CONVERT(${value} USING utf8mb4)`
  return `CONCAT('"', REPLACE(${text}, '"', '""'), '"')`
}

function typeOf(field: FieldPacket): string {
  const { type, columnType, characterSet, flags, decimals } = field as unknown as Record<
    string,
    number
  >
  const name = types[columnType ?? type ?? 0]
  if (name === undefined) return characterSet === BINARY ? 'binary' : 'text'
  if (name === 'timestamp' || name === 'datetime') return decimals ? `${name}(${decimals})` : name
  // Zeros in front are part of the text.
  const zeros = ((flags ?? 0) & 64) > 0 ? ' zerofill' : ''
  const unsigned = `${((flags ?? 0) & 32) > 0 ? ' unsigned' : ''}${zeros}`
  return counters.includes(name) || name === 'float' || name === 'double' ? name + unsigned : name
}

/** A type without what is said about it: `datetime(6)`, `int unsigned`. */
export const kindOf = (type: string) => type.replace(/( unsigned)?( zerofill)?$|\(\d\)/, '')
export const digitsOf = (type: string) => Number(/\((\d)\)/.exec(type)?.[1] ?? 0)

export const isCounter = (type: string) => counters.includes(kindOf(type))

/** The text of a key's column as a value: no escapes, no conversion of numbers and bytes. */
export function keyValue(text: string, { type }: RemoteColumn): string {
  const kind = kindOf(type)
  if ((isCounter(type) || kind === 'decimal') && isNumeral(text)) return text
  if (kind === 'timestamp') return literal(text.replace(/\+00$/, ''))
  if (kind === 'binary') return text === '\\x' ? "''" : `0x${text.slice(2)}`
  return text === '' ? "''" : `_utf8mb4 0x${Buffer.from(text).toString('hex')}`
}

export const quote = (name: string) => `\`${name.replaceAll('`', '``')}\``
