import type { ColumnType } from '../define/column-type.js'
import { quoteText } from '../define/sql.js'
import { sqlType } from '../define/sql-type.js'
import { formatGrammar } from '../define/strptime.js'

/** How the texts of a column are to be read, beyond its type. */
export interface DecodeOptions {
  formats?: readonly string[]
  true?: readonly string[]
  false?: readonly string[]
}

const DATE = '[0-9]{4}-[0-9]{2}-[0-9]{2}'
const TIME = '[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6}0*)?)?'
const ZONE = '(Z|z|[+-][0-9]{2}(:?[0-9]{2})?)'

/** What a text must look like to be a value of the type; the same on every engine. */
function grammarOf(type: ColumnType): string {
  switch (type.kind) {
    case 'int':
    case 'bigint':
      return '[+-]?[0-9]+'
    case 'float':
    case 'double':
      return '[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?'
    case 'decimal': {
      const part = type.scale === 0 ? '0*' : `[0-9]{0,${type.scale}}0*`
      return `[+-]?([0-9]+([.]${part})?|[.][0-9]${part})`
    }
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

const texts = ['string', 'json', 'uuid']

/** Whether values of the type are kept as their text. */
export function isText(type: ColumnType): boolean {
  return texts.includes(type.kind)
}

/**
 * SQL that turns a text into a value of the type, or into NULL when the text is not one.
 * What a cast would bend (`1.5` to 2, `12.345` to 12.35, `0x1F`, `1e400`) is not a value.
 * Spaces around anything but a text mean nothing.
 */
export function decode(text: string, type: ColumnType, options: DecodeOptions = {}): string {
  if (isText(type)) return text
  const trimmed = `trim(${text}, ${quoteText(' \t')})`
  if (type.kind === 'boolean') return decodeBoolean(trimmed, options)
  if (options.formats?.length) return decodeFormats(trimmed, type, options.formats)
  const cast = `TRY_CAST(${trimmed} AS ${sqlType(type)})`
  const matches = `regexp_full_match(${trimmed}, ${quoteText(grammarOf(type))})`
  const finite = type.kind === 'double' || type.kind === 'float' ? ` AND isfinite(${cast})` : ''
  return `CASE ${canonical(text, type)}WHEN ${matches}${finite} THEN ${cast} END`
}

/** Values of these have one text of their own. */
const exact: readonly ColumnType['kind'][] = ['int', 'bigint', 'decimal']

/** Bytes of a value's own text, where all of its values within the grammar have the same. */
const widths: Partial<Record<ColumnType['kind'], number>> = { date: 10, timestamp: 19 }

/**
 * A short cut that needs no regular expression: a text that the cast gives back unchanged is one that
 * the grammar allows. The width keeps out what the engine alone calls a date (`infinity`, years BC).
 */
function canonical(text: string, type: ColumnType): string {
  const width = widths[type.kind]
  if (!exact.includes(type.kind) && width === undefined) return ''
  const cast = `TRY_CAST(${text} AS ${sqlType(type)})`
  const short = width === undefined ? '' : ` AND strlen(${text}) = ${width}`
  return `WHEN CAST(${cast} AS VARCHAR) = ${text}${short} THEN ${cast} `
}

function decodeBoolean(trimmed: string, options: DecodeOptions): string {
  const words = (given: readonly string[] | undefined, usual: readonly string[]) =>
    (given ?? usual).map((word) => quoteText(word.toLowerCase())).join(', ')
  const yes = words(options.true, ['true', 't', '1'])
  const no = words(options.false, ['false', 'f', '0'])
  return `CASE WHEN lower(${trimmed}) IN (${yes}) THEN true WHEN lower(${trimmed}) IN (${no}) THEN false END`
}

function decodeFormats(trimmed: string, type: ColumnType, formats: readonly string[]): string {
  const attempts = formats.map((format) => {
    const parsed = `try_strptime(${trimmed}, ${quoteText(format)})`
    return `CASE WHEN regexp_full_match(${trimmed}, ${quoteText(formatGrammar(format))}) THEN ${parsed} END`
  })
  return `CAST(coalesce(${attempts.join(', ')}) AS ${sqlType(type)})`
}
