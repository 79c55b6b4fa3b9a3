import {
  engineType,
  isFloat,
  isInteger,
  isNumber,
  isText,
  shown,
  type TrinoType,
} from '../types.js'
import { quote, text } from './scope.js'
import { failsWhen, once, type Written } from './written.js'

type Value = Pick<Written, 'sql' | 'isPlain'>
type TextOf = (of: Value, type: TrinoType) => string | undefined

/**
 * A value as JSON; `undefined` for a type that is not written so.
 *
 * @param textOf times and dates as texts.
 */
export function toJson(of: Value, from: TrinoType, textOf: TextOf): string | undefined {
  if (from.name === 'json') return of.sql
  const written = jsonValue('v', from, 0, textOf)
  if (written === undefined) return undefined
  return once({ v: of }, ({ v = '' }) => {
    const value = jsonValue(v, from, 0, textOf)
    return `CASE WHEN ${v} IS NULL THEN NULL ELSE to_json(${value}) END`
  })
}

/** A value of which the engine makes the JSON that Trino makes. */
function jsonValue(
  value: string,
  from: TrinoType,
  depth: number,
  textOf: TextOf,
): string | undefined {
  const { name, of = [], fields = [] } = from
  if (isText(from) && name !== 'char') return value
  if (isInteger(from) || isFloat(from)) return value
  if (['boolean', 'json', 'unknown'].includes(name)) return value
  if (/^(date|timestamp)/.test(name)) return textOf({ sql: value, isPlain: true }, from)
  const item = quote(`m j${depth}`)
  const inner = (sql: string, i: number) => jsonValue(sql, of[i] as TrinoType, depth + 1, textOf)
  if (name === 'array') {
    const one = inner(item, 0)
    return one && `list_transform(${value}, lambda ${item}: ${one})`
  }
  if (name === 'map' && of[0]?.name === 'varchar') {
    const one = inner(`${item}."value"`, 1)
    // Its keys are sorted.
    return (
      one &&
      `map_from_entries(list_transform(list_sort(map_entries(${value})), lambda ${item}: {'key': ${item}."key", 'value': ${one}}))`
    )
  }
  if (name !== 'row' || fields.some((one) => one === undefined)) return undefined
  const parts = of.map((_, i) => {
    const field = fields[i] as string
    const one = inner(`struct_extract(${value}, ${text(field)})`, i)
    return one && `${text(field)}: ${one}`
  })
  return parts.includes(undefined) ? undefined : `{${parts.join(', ')}}`
}

/** What JSON says, as a value of a type; `undefined` for types that are not read from it. */
export function fromJson(of: Value, to: TrinoType): string | undefined {
  if (to.name === 'json') return of.sql
  if (!isRead(to)) return undefined
  const kinds = to.of ? (to.name === 'array' ? ['ARRAY'] : ['OBJECT']) : SCALARS
  return once({ j: of }, ({ j = '' }) => {
    const isOther = `json_type(${j}) NOT IN (${[...kinds, 'NULL'].map(text).join(', ')})`
    const other = failsWhen(isOther, `Cannot cast JSON to ${shown(to)}`)
    const value = to.of ? partsIn(j, to) : scalar(j, to)
    return `CASE WHEN ${j} IS NULL OR json_type(${j}) = 'NULL' THEN NULL ${other} ELSE ${value} END`
  })
}

/** Arrays, maps and rows, each part by itself: what a row has no field for is passed over. */
function partsIn(j: string, to: TrinoType): string {
  const { name, of = [], fields = [] } = to
  const engine = engineType(to)
  const inner = (sql: string, i: number) => fromJson({ sql, isPlain: true }, of[i] as TrinoType)
  if (name === 'array') {
    const items = `CAST(json_extract(${j}, '$[*]') AS JSON[])`
    return `CAST(list_transform(${items}, lambda "m i": ${inner('"m i"', 0)}) AS ${engine})`
  }
  const entries = `map_entries(CAST(${j} AS MAP(VARCHAR, JSON)))`
  if (name === 'map') {
    const one = `{'key': "m i"."key", 'value': ${inner('"m i"."value"', 1)}}`
    return `CAST(map_from_entries(list_transform(${entries}, lambda "m i": ${one})) AS ${engine})`
  }
  const values = of.map((_, i) => {
    const field = fields[i] as string
    const isIt = `lower("m i"."key") = ${text(field.toLowerCase())}`
    const found = `list_filter(${entries}, lambda "m i": ${isIt})[1]."value"`
    return `${text(field)}: ${once({ f: { sql: found } }, ({ f = '' }) => inner(f, i) as string)}`
  })
  return `CAST({${values.join(', ')}} AS ${engine})`
}

const SCALARS = ['BOOLEAN', 'UBIGINT', 'BIGINT', 'HUGEINT', 'DOUBLE', 'VARCHAR']

function scalar(j: string, to: TrinoType): string {
  const said = `json_extract_string(${j}, '$')`
  const engine = engineType(to)
  if (isText(to)) return to.precision === undefined ? said : `substr(${said}, 1, ${to.precision})`
  if (to.name === 'boolean') {
    const number = `WHEN json_type(${j}) NOT IN ('BOOLEAN', 'VARCHAR') THEN CAST(${said} AS DOUBLE) <> 0`
    return `CASE ${number} ELSE CAST(${said} AS BOOLEAN) END`
  }
  const isBoolean = `WHEN json_type(${j}) = 'BOOLEAN' THEN CASE ${said} WHEN 'true' THEN 1 ELSE 0 END`
  const number = isInteger(to)
    ? `CASE WHEN json_type(${j}) = 'DOUBLE' THEN round(CAST(${said} AS DOUBLE)) ELSE CAST(${said} AS HUGEINT) END`
    : said
  return `CAST(CASE ${isBoolean} ELSE ${isInteger(to) ? number : `CAST(${number} AS ${engine})`} END AS ${engine})`
}

/** Whether a type is read from JSON, in all of its parts. */
function isRead({ name, of = [], fields = [] }: TrinoType): boolean {
  if (name === 'map' && of[0]?.name !== 'varchar') return false
  if (name === 'row' && fields.some((one) => one === undefined)) return false
  if (of.length > 0) return of.every(isRead)
  return isText({ name }) || isNumber({ name }) || name === 'boolean' || name === 'json'
}
