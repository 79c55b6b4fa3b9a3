import { refuse } from '../refusal.js'
import {
  engineType,
  fieldName,
  haveSameNames,
  isFloat,
  isInteger,
  isNumber,
  isText,
  shown,
  type TrinoType,
} from '../types.js'
import { fromJson, toJson } from './json-casts.js'
import { localOf, momentOf, momentText, zoneIn } from './moments.js'
import { type Context, quote, text } from './scope.js'
import { failsWhen, once, type Written } from './written.js'

const INTEGER_TEXT = ' *[+-]?[0-9]+ *'
const FLOAT_TEXT = ' *([+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?|NaN|[+-]?Infinity) *'
/** What texts may be that are cast: what the engine takes beside that, Trino does not. */
const TEXTS: Readonly<Record<string, string>> = {
  tinyint: INTEGER_TEXT,
  smallint: INTEGER_TEXT,
  integer: INTEGER_TEXT,
  bigint: INTEGER_TEXT,
  decimal: '[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?',
  double: FLOAT_TEXT,
  real: FLOAT_TEXT,
  boolean: '(?i)t|f|true|false|1|0',
  date: ' *[0-9]{4}-[0-9]{1,2}-[0-9]{1,2} *',
  uuid: '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}',
}

const DAY = '[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}'

/** The engine passes over digits beyond the sixth, which matter where there are as many. */
const clockOf = ({ precision = 3 }: TrinoType) =>
  `[0-9]{1,2}:[0-9]{1,2}(?::[0-9]{1,2}(?:[.][0-9]{1,${precision < 6 ? 12 : 6}})?)?`

/** A cast, as exact as Trino's: what the engine does otherwise is written out, or refused. */
export function writeCast(
  of: Written,
  { to, isTry, at }: { to: TrinoType; isTry: boolean; at: number },
  { statement }: Pick<Context, 'statement'>,
): Written {
  const from = of.type
  const engine = engineType(to)
  const impossible = (why: string, hint?: string) => refuse(statement, at, why, hint)
  if (!from)
    throw impossible(
      'The type of what is cast is not known',
      'Cast a column, a constant or a call.',
    )
  if (!engine) throw impossible(`A cast to ${shown(to)} is not translated`)
  const type = castType(of, from, to)
  const made = (sql: string): Written => ({
    sql: isTry ? `TRY(${sql})` : sql,
    type,
    at,
    ...(of.isPlain && from.name === 'unknown' ? { isPlain: true } : {}),
  })
  if (from.name === 'unknown') return made(`CAST(${of.sql} AS ${engine})`)
  const written = castOf(of, from, type)
  if (written === undefined)
    throw impossible(`A cast of ${shown(from)} to ${shown(to)} is not translated`)
  return made(written)
}

/** Moments keep their zone, and have that of the text that they are read from. */
function castType(of: Written, from: TrinoType, to: TrinoType): TrinoType {
  if (to.name !== 'timestamptz') return to
  if (from.name === 'timestamptz') return from.zone === undefined ? to : { ...to, zone: from.zone }
  const zone = isText(from) && of.word !== undefined ? zoneIn(zoneWord(of.word)) : undefined
  return zone ? { ...to, zone } : to
}

const zoneWord = (word: string) => /:\d\d(?:\.\d+)?\s*(\S+)\s*$/.exec(word)?.[1] ?? 'UTC'

type Value = Pick<Written, 'sql' | 'isPlain' | 'word'>

/** A value of one type as another; `undefined` where that is not translated. */
export function castOf(of: Value, from: TrinoType, to: TrinoType): string | undefined {
  if (to.name === 'varchar' || to.name === 'char') return asText(of, from, to)
  if (to.name === 'json') return toJson(of, from, textOf)
  if (from.name === 'json') return fromJson(of, to)
  if (isText(from)) return readAs(of, from, to)
  if (from.of || to.of) return from.name === to.name ? partsOf(of, from, to) : undefined
  return numbersOf(of, from, to) ?? timesOf(of, from, to) ?? sameOf(of, from, to)
}

const sameOf = ({ sql }: Value, from: TrinoType, to: TrinoType) =>
  from.name === to.name && !/^(time|interval)/.test(to.name)
    ? `CAST(${sql} AS ${engineType(to)})`
    : undefined

/** A text of a length is filled up to it; what is no text must not be longer. */
function asText(of: Value, from: TrinoType, to: TrinoType): string | undefined {
  const { precision } = to
  if (to.name === 'char' && !isText(from) && from.name !== 'json') return undefined
  const sql = textOf(of, from)
  if (sql === undefined || precision === undefined) return sql
  const cut = (v: string) =>
    to.name === 'char' ? `rpad(${v}, ${precision}, ' ')` : `substr(${v}, 1, ${precision})`
  if (isText(from)) return cut(sql)
  return once({ v: { sql } }, ({ v = '' }) => {
    const isLong = failsWhen(
      `length(${v}) > ${precision}`,
      `Value cannot be represented as ${shown(to)}`,
    )
    return `CASE ${isLong} ELSE ${cut(v)} END`
  })
}

/** What a text says. */
function readAs(of: Value, from: TrinoType, to: TrinoType): string | undefined {
  const given = from.name === 'char' ? { ...of, sql: `rtrim(${of.sql}, ' ')` } : of
  const { name } = to
  if (name === 'timestamp') return momentIn(given, to, ZONE, (local) => local)
  if (name === 'timestamptz') {
    const zone = to.zone === undefined ? '(?:UTC|Z|[+-]00:?00)?' : '.*'
    return momentIn(given, to, zone, (local) => momentOf(local, to.zone))
  }
  const pattern = name === 'time' ? ` *${clockOf(to)} *` : TEXTS[name]
  if (pattern === undefined) return undefined
  return once({ v: given }, ({ v = '' }) => {
    const isOther = `NOT regexp_full_match(${v}, ${text(pattern)})`
    const read = name === 'time' ? roundedText(v, to, 'TIME') : `CAST(${v} AS ${engineType(to)})`
    return `CASE ${failsWhen(isOther, `Cannot cast the text to ${shown(to)}`)} ELSE ${read} END`
  })
}

/** A zone after a time, which is passed over. */
const ZONE = '(?:UTC|UT|GMT|Z|[A-Za-z]+(?:/[A-Za-z0-9_+-]+)+|[+-][0-9]{1,2}(?::?[0-9]{2})?)?'

/** A day with its time, if it has one, before what Trino takes for a zone. */
function momentIn(
  of: Value,
  to: TrinoType,
  zone: string,
  write: (local: string) => string,
): string {
  const pattern = text(`(?s) *(${DAY})(?: (?:(${clockOf(to)}))?\\s*${zone})? *`)
  return once({ v: of }, ({ v = '' }) => {
    const isLong = (to.precision ?? 3) < 6 ? '' : ` OR regexp_matches(${v}, '[.][0-9]{7}')`
    const isOther = `NOT regexp_full_match(${v}, ${pattern})${isLong}`
    const [day, clock] = [1, 2].map((i) => `regexp_extract(${v}, ${pattern}, ${i})`)
    const local = roundedText(`rtrim(${day} || ' ' || ${clock})`, to, 'TIMESTAMP')
    return `CASE ${failsWhen(isOther, `Cannot cast the text to ${shown(to)}`)} ELSE ${write(local)} END`
  })
}

/** A text as a time, with as many digits of a second as the type has. */
function roundedText(value: string, { precision = 3 }: TrinoType, engine: string): string {
  if (precision >= 6) return `CAST(${value} AS ${engine})`
  return roundedTo(`CAST(${value} AS ${engine})`, precision, engine)
}

/** A time with fewer digits of a second. */
function roundedTo(sql: string, precision: number, engine: string): string {
  const unit = 10 ** (6 - precision)
  if (engine === 'TIME') {
    const day = `(DATE '2000-01-01' + ${sql})`
    return `CAST(${roundedTo(day, precision, 'TIMESTAMP')} AS TIME)`
  }
  const micros = `epoch_us(${sql})`
  const rounded = `((${micros} + ${unit / 2} - (CASE WHEN (${micros} + ${unit / 2}) % ${unit} < 0 THEN ${unit} ELSE 0 END)) // ${unit}) * ${unit}`
  const moment = `make_timestamp(CAST(${rounded} AS BIGINT))`
  return engine === 'TIMESTAMP' ? moment : `CAST(${moment} AS TIMESTAMP WITH TIME ZONE)`
}

function numbersOf({ sql, isPlain }: Value, from: TrinoType, to: TrinoType): string | undefined {
  const engine = engineType(to)
  const plain = `CAST(${sql} AS ${engine})`
  if (from.name === 'double' && to.name === 'real')
    return asReal({ sql, isPlain: isPlain ?? false })
  if (isFloat(from) && isInteger(to)) return `CAST(round(${sql}) AS ${engine})`
  // By the digits that it is shown with, and not by those that it has.
  if (isFloat(from) && to.name === 'decimal')
    return once({ v: { sql, isPlain: isPlain ?? false } }, ({ v = '' }) => {
      const isNone = failsWhen(`isnan(${v}) OR isinf(${v})`, `Cannot cast to ${shown(to)}`)
      return `CASE ${isNone} ELSE CAST(CAST(${v} AS VARCHAR) AS ${engine}) END`
    })
  if (isNumber(from) && (isNumber(to) || to.name === 'boolean')) return plain
  if (from.name === 'boolean' && isNumber(to) && to.name !== 'decimal') return plain
  return undefined
}

/**
 * A double as a real: one that a real has no room for is infinite, where the engine's cast fails.
 */
export const asReal = (of: Pick<Written, 'sql' | 'isPlain'>): string =>
  once({ v: of }, ({ v = '' }) => {
    const infinite = `CAST(${v} * CAST('Infinity' AS DOUBLE) AS FLOAT)`
    return `coalesce(TRY_CAST(${v} AS FLOAT), ${infinite})`
  })

/** Dates and times as others of them. */
function timesOf(of: Value, from: TrinoType, to: TrinoType): string | undefined {
  const pair = `${from.name} ${to.name}`
  const local = `CAST(${localOf({ sql: of.sql, type: from })} AS TIMESTAMP)`
  switch (pair) {
    case 'date timestamp':
      return `CAST(${of.sql} AS TIMESTAMP)`
    case 'date timestamptz':
      return `CAST(${of.sql} AS TIMESTAMP WITH TIME ZONE)`
    case 'timestamp date':
    case 'timestamptz date':
      return `CAST(${local} AS DATE)`
    case 'timestamp time':
    case 'timestamptz time':
      return `CAST(${withDigits(local, from, to, 'TIMESTAMP')} AS TIME)`
    case 'timestamp timestamp':
    case 'timestamptz timestamp':
      return withDigits(local, from, to, 'TIMESTAMP')
    case 'timestamp timestamptz':
      return momentOf(withDigits(of.sql, from, to, 'TIMESTAMP'), undefined)
    case 'timestamptz timestamptz':
      return withDigits(of.sql, from, to, 'TIMESTAMP WITH TIME ZONE')
    case 'time time':
      return withDigits(of.sql, from, to, 'TIME')
    default:
      return undefined
  }
}

function withDigits(sql: string, from: TrinoType, to: TrinoType, engine: string): string {
  const [a, b] = [from.precision ?? 3, to.precision ?? 3]
  return a <= b ? sql : roundedTo(sql, b, engine)
}

/** Arrays, maps and rows, each part by itself where it is cast to another type. */
function partsOf(of: Value, from: TrinoType, to: TrinoType): string | undefined {
  const engine = engineType(to)
  if (sameParts(from, to)) return `CAST(${byPlaces(of, from, to)} AS ${engine})`
  const made = rebuilt('v', from, to, 0)
  if (made === undefined) return undefined
  const whole = once({ v: of }, ({ v = '' }) => rebuilt(v, from, to, 0) as string)
  return `CAST(${whole} AS ${engine})`
}

/** A value of parts with each of them cast. */
function rebuilt(value: string, from: TrinoType, to: TrinoType, depth: number): string | undefined {
  const [a = [], b = []] = [from.of, to.of]
  if (a.length !== b.length) return undefined
  const item = quote(`m ${depth}`)
  const inner = (sql: string, i: number) => {
    const [one, other] = [a[i] as TrinoType, b[i] as TrinoType]
    if (one.of || other.of)
      return one.name === other.name
        ? rebuilt(sql, one, other, depth + 1)
        : castOf({ sql }, one, other)
    return one.name === 'unknown' ? sql : castOf({ sql, isPlain: true }, one, other)
  }
  if (a.length === 0) return value
  if (from.name === 'array') {
    const one = inner(item, 0)
    return one && `list_transform(${value}, lambda ${item}: ${one})`
  }
  if (from.name === 'map') {
    const [key, one] = [inner(`${item}."key"`, 0), inner(`${item}."value"`, 1)]
    return (
      key &&
      one &&
      `map_from_entries(list_transform(map_entries(${value}), lambda ${item}: {'key': ${key}, 'value': ${one}}))`
    )
  }
  const fields = a.map((_, i) => inner(`struct_extract(${value}, ${text(fieldName(from, i))})`, i))
  if (fields.some((one) => one === undefined)) return undefined
  return `CASE WHEN ${value} IS NULL THEN NULL ELSE row(${fields.join(', ')}) END`
}

/**
 * A value whose rows are without names where those of the other type have others: the engine casts
 * by names, and Trino by places.
 */
export function byPlaces(
  of: Pick<Written, 'sql' | 'isPlain'>,
  from: TrinoType,
  to: TrinoType,
): string {
  return haveNamesOf(to, from) ? of.sql : once({ v: of }, ({ v = '' }) => unnamed(v, from, to, 0))
}

function unnamed(value: string, from: TrinoType, to: TrinoType, depth: number): string {
  const parts = from.of ?? []
  if (parts.length === 0 || haveNamesOf(to, from)) return value
  const inner = (of: string, i: number) =>
    unnamed(of, parts[i] as TrinoType, to.of?.[i] as TrinoType, depth + 1)
  const item = quote(`m ${depth}`)
  if (from.name === 'array') return `list_transform(${value}, lambda ${item}: ${inner(item, 0)})`
  if (from.name === 'map') {
    const [key, of] = [inner(`${item}."key"`, 0), inner(`${item}."value"`, 1)]
    return `map_from_entries(list_transform(map_entries(${value}), lambda ${item}: {'key': ${key}, 'value': ${of}}))`
  }
  const fields = parts.map((_, i) =>
    inner(`struct_extract(${value}, ${text(fieldName(from, i))})`, i),
  )
  return `CASE WHEN ${value} IS NULL THEN NULL ELSE row(${fields.join(', ')}) END`
}

/** Whether all rows within have the names of those within another type. */
const haveNamesOf = (a: TrinoType, b: TrinoType): boolean =>
  haveSameNames(a, b) && (a.of ?? []).every((one, i) => haveNamesOf(one, b.of?.[i] ?? one))

/** Whether only texts and numbers of the same kind lie within. */
function sameParts(from: TrinoType, to: TrinoType): boolean {
  const [a = [], b = []] = [from.of, to.of]
  return (
    a.length === b.length &&
    a.every((one, i) => {
      const other = b[i] as TrinoType
      if (one.of || other.of) return one.name === other.name && sameParts(one, other)
      if (one.name === 'unknown' || (isInteger(one) && isNumber(other))) return true
      return one.name === other.name && other.precision === undefined
    })
  )
}

/** A value as Trino writes it. */
function textOf(of: Value, from: TrinoType): string | undefined {
  if (isText(from)) return of.sql
  if (from.name === 'json') return fromJson(of, { name: 'varchar' })
  if (isInteger(from) || ['decimal', 'boolean', 'date', 'uuid', 'ipaddress'].includes(from.name))
    return `CAST(${of.sql} AS VARCHAR)`
  if (isFloat(from)) return once({ v: of }, ({ v = '' }) => floatText(v, from))
  return momentText(of, from)
}

/** As SQL's standard has it: 1.5E0, with seven digits of a real. */
function floatText(v: string, { name }: TrinoType): string {
  const none = `WHEN isnan(${v}) THEN 'NaN' WHEN isinf(${v}) THEN CASE WHEN ${v} < 0 THEN '-Infinity' ELSE 'Infinity' END`
  const size = `CAST(abs(${v}) AS DOUBLE)`
  const plain = name === 'real' ? `format('{:.6e}', ${size})` : `CAST(${size} AS VARCHAR)`
  const written = once({ t: { sql: plain }, v: { sql: v } }, ({ t = '', v = '' }) => {
    // The engine writes 1.5e+20, 15000000.0 and 0.00015.
    const shown = `split_part(${t}, 'e', 1)`
    const all = `ltrim(replace(${shown}, '.', ''), '0')`
    const digits = `rtrim(${all}, '0')`
    const fraction = `CASE WHEN length(${digits}) > 1 THEN substr(${digits}, 2) ELSE '0' END`
    const whole = `length(ltrim(split_part(${shown}, '.', 1), '0'))`
    const below = `length(${shown}) - 2 - length(${all})`
    const exponent = `CASE WHEN contains(${t}, 'e') THEN CAST(split_part(${t}, 'e', 2) AS INTEGER) WHEN ${whole} > 0 THEN ${whole} - 1 ELSE -(${below}) - 1 END`
    return `(CASE WHEN ${v} < 0 THEN '-' ELSE '' END || substr(${digits}, 1, 1) || '.' || ${fraction} || 'E' || (${exponent}))`
  })
  const zero = `CASE WHEN starts_with(CAST(${v} AS VARCHAR), '-') THEN '-0E0' ELSE '0E0' END`
  return `CASE ${none} WHEN ${v} = 0 THEN ${zero} ELSE ${written} END`
}
