import { refuse } from '../refusal.js'
import {
  engineType,
  fieldName,
  haveSameNames,
  isFloat,
  isInteger,
  isText,
  shown,
  type TrinoType,
} from '../types.js'
import { type Context, quote, text } from './scope.js'
import { failsWhen, once, type Written } from './written.js'

/** What texts may be that are cast: what the engine takes beside that, Trino does not. */
const TEXTS: Readonly<Record<string, string>> = {
  tinyint: ' *[+-]?[0-9]+ *',
  smallint: ' *[+-]?[0-9]+ *',
  integer: ' *[+-]?[0-9]+ *',
  bigint: ' *[+-]?[0-9]+ *',
  decimal: '[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?',
  double: ' *([+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?|NaN|[+-]?Infinity) *',
  real: ' *([+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?|NaN|[+-]?Infinity) *',
  boolean: '(?i)t|f|true|false|1|0',
  date: ' *[0-9]{4}-[0-9]{1,2}-[0-9]{1,2} *',
  timestamp:
    ' *[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}( [0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?)? *',
  uuid: '[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}',
}

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
  const made = (sql: string): Written => ({
    sql: isTry ? `TRY(${sql})` : sql,
    type: to,
    at,
    ...(of.isPlain && from.name === 'unknown' ? { isPlain: true } : {}),
  })
  const plain = `CAST(${of.sql} AS ${engine})`
  if (from.name === 'unknown') return made(plain)
  const written = castOf(of, from, to, engine)
  if (written === undefined)
    throw impossible(`A cast of ${shown(from)} to ${shown(to)} is not translated`)
  return made(written)
}

function castOf(of: Written, from: TrinoType, to: TrinoType, engine: string): string | undefined {
  const plain = `CAST(${of.sql} AS ${engine})`
  const pair = `${from.name} ${to.name}`
  if (to.name === 'varchar') return cut(textOf(of, from), to.precision)
  if (isText(from)) {
    const pattern = TEXTS[to.name]
    if (pattern === undefined) return undefined
    return once({ v: of }, ({ v = '' }) => {
      return `CASE ${failsWhen(`NOT regexp_full_match(${v}, ${text(pattern)})`, `Cannot cast the text to ${shown(to)}`)} ELSE CAST(${v} AS ${engine}) END`
    })
  }
  if (from.name === 'zoned')
    return to.name === 'date' || to.name === 'timestamp' ? plain : undefined
  if (pair === 'timestamp timestamptz' && (from.precision ?? 3) > (to.precision ?? 3)) {
    const local = atPrecision(of, from, to, plain)
    return local === undefined ? undefined : `CAST(${local} AS ${engine})`
  }
  if (isFloat(from) && isInteger(to)) return `CAST(round(${of.sql}) AS ${engine})`
  if (isNumeric(from) && isNumeric(to)) return plain
  if (from.name === 'boolean' && isNumeric(to) && to.name !== 'decimal') return plain
  if (isNumeric(from) && to.name === 'boolean') return plain
  if (
    [
      'date timestamp',
      'timestamp date',
      'timestamptz date',
      'timestamp timestamptz',
      'timestamptz timestamp',
      'date timestamptz',
    ].includes(pair)
  )
    return plain
  if (pair === 'timestamp timestamp' || pair === 'timestamptz timestamptz')
    return atPrecision(of, from, to, plain)
  if (from.name !== to.name) return undefined
  if (from.of)
    return sameParts(from, to) ? `CAST(${byPlaces(of, from, to)} AS ${engine})` : undefined
  return plain
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
      if (one.name === 'unknown' || (isInteger(one) && isNumeric(other))) return true
      return one.name === other.name && other.precision === undefined
    })
  )
}

const isNumeric = (one: TrinoType) => isInteger(one) || isFloat(one) || one.name === 'decimal'

/** Fewer digits of a second are rounded. */
function atPrecision(
  of: Written,
  from: TrinoType,
  to: TrinoType,
  plain: string,
): string | undefined {
  const [a = 3, b = 3] = [from.precision, to.precision]
  if (a <= b) return plain
  const engine = { 0: 'TIMESTAMP_S', 3: 'TIMESTAMP_MS' }[b]
  if (engine === undefined || from.name === 'timestamptz') return undefined
  const half = b === 0 ? 500_000 : 500
  return `CAST(CAST(date_trunc('${b === 0 ? 'second' : 'millisecond'}', ${of.sql} + to_microseconds(${half})) AS ${engine}) AS TIMESTAMP)`
}

const cut = (sql: string | undefined, length: number | undefined) =>
  sql === undefined || length === undefined ? sql : `substr(${sql}, 1, ${length})`

/** A value as Trino writes it. */
function textOf(of: Written, from: TrinoType): string | undefined {
  const plain = `CAST(${of.sql} AS VARCHAR)`
  if (isText(from)) return of.sql
  if (isInteger(from) || ['decimal', 'boolean', 'date', 'uuid'].includes(from.name)) return plain
  if (from.name === 'double')
    return once({ v: of }, ({ v = '' }) => {
      // Beyond that, Trino writes 1.0E10, and the engine 10000000000.0.
      const isEasy = `${v} IS NULL OR ${v} = 0 OR isnan(${v}) OR isinf(${v}) OR (abs(${v}) >= 0.001 AND abs(${v}) < 10000000)`
      return `CASE ${failsWhen(`NOT (${isEasy})`, 'A double from 10000000 on or below 0.001 is not written as a text: cast it to a decimal')} WHEN isnan(${v}) THEN 'NaN' WHEN isinf(${v}) THEN CASE WHEN ${v} < 0 THEN '-Infinity' ELSE 'Infinity' END ELSE CAST(${v} AS VARCHAR) END`
    })
  if (from.name === 'timestamp' || from.name === 'zoned') {
    const { precision = 3 } = from
    const fraction: Readonly<Record<number, string>> = { 0: '', 3: '.%g', 6: '.%f' }
    const format = fraction[precision]
    return format === undefined ? undefined : `strftime(${of.sql}, '%Y-%m-%d %H:%M:%S${format}')`
  }
  return undefined
}
