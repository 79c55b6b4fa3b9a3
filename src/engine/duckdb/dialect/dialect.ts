import { quoteName, quoteText } from '../../../define/sql/sql.js'
import { sqlType } from '../../../define/types/sql-type.js'
import type {
  Dialect,
  JsonDialect,
  ListDialect,
  PatternDialect,
  TextDialect,
  TimeDialect,
  ValueDialect,
} from '../../../sql/dialect.js'

const values: ValueDialect = {
  type: sqlType,
  whole: (number) => `CAST(${number} AS HUGEINT)`,
  tryCast: (value, type) => `TRY_CAST(${value} AS ${type})`,
  text: (value) => `CAST(${value} AS VARCHAR)`,
  attempt: (expression) => `TRY(struct_pack(v := (\n${expression}\n)))`,
  hash: (value) => `hash(${value})`,
  isFinite: (double) => `isfinite(${double})`,
}

const texts: TextDialect = {
  length: (text) => `length(${text})`,
  bytes: (text) => `strlen(${text})`,
  utf8: (text) => `encode(${text})`,
  characters: (codes) => codes.map((code) => `chr(${code})`).join('||'),
  contains: (text, part) => `contains(${text}, ${part})`,
  startsWith: (text, part) => `starts_with(${text}, ${part})`,
  endsWith: (text, part) => `ends_with(${text}, ${part})`,
  slice: (text, from, length) =>
    `substr(${text}, ${from}${length === undefined ? '' : `, ${length}`})`,
  last: (text, length) => `right(${text}, ${length})`,
  position: (text, part) => `strpos(${text}, ${part})`,
  trim: (text, characters) => `trim(${text}, ${characters})`,
  replace: (text, part, by) => `replace(${text}, ${part}, ${by})`,
  join: (parts) => `concat(${parts.join(', ')})`,
}

const patterns: PatternDialect = {
  matches: (text, pattern) => `regexp_full_match(${text}, ${quoteText(pattern)})`,
  finds: (text, pattern) => `regexp_matches(${text}, ${quoteText(pattern)})`,
  extract: (text, pattern, group) => `regexp_extract(${text}, ${quoteText(pattern)}, ${group})`,
  extractAll: (text, pattern, names) =>
    `regexp_extract(${text}, ${quoteText(pattern)}, [${names.map(quoteText).join(', ')}])`,
  replaceFirst: (text, pattern, by) =>
    `regexp_replace(${text}, ${quoteText(pattern)}, ${quoteText(by.replaceAll('\\', '\\\\'))})`,
}

const times: TimeDialect = {
  parse: (text, format) => `try_strptime(${text}, ${quoteText(format)})`,
  inZone: (zone, time) => `timezone(${zone}, ${time})`,
  isZone: (name) => `${name} IN (SELECT name FROM pg_timezone_names())`,
  fromMicros: (micros) => `make_timestamp(${micros})`,
  minutes: (number) => `to_minutes(${number})`,
  days: (number) => `INTERVAL ${number} DAY`,
  weekday: (time) => `strftime(${time}, '%a')`,
}

const lists: ListDialect = {
  present: (items, type) =>
    `list_filter([${items.join(', ')}]::${type}[], lambda x: x IS NOT NULL)`,
  concat: (one, other) => `list_concat(${one}, ${other})`,
  orEmpty: (list) => `coalesce(${list}, [])`,
  none: 'CAST(NULL AS VARCHAR[])',
  of: (value) => `[${value}]`,
}

const json: JsonDialect = {
  text: (value) => `CAST(to_json(${value}) AS VARCHAR)`,
  object: (fields) => {
    const packed = fields.map(([name, value]) => `${quoteName(name)} := ${value}`)
    return `CAST(to_json(struct_pack(${packed.join(', ')})) AS VARCHAR)`
  },
  value: (text, type) => `CAST(CAST(${text} AS JSON) AS ${type})`,
  texts: (text) => `from_json(${text}, '["VARCHAR"]')`,
}

/** DuckDB's own SQL. */
export const duckdbDialect: Dialect = { values, texts, patterns, times, lists, json }
