import { quoteText } from '../define/sql/sql.js'
import type { ColumnType } from '../define/types/column-type.js'
import type { EpochUnit, Reading } from '../define/types/reading.js'
import {
  aroundZone,
  engineFormat,
  formatGrammar,
  hasSpecifier,
  namedFormats,
} from '../define/types/strptime.js'
import { ownValue } from '../own-value.js'
import type { Dialect } from '../sql/dialect.js'
import type { Check } from './checks.js'
import type { Compiling } from './functions.js'
import { locate } from './zones.js'

export const DATE = '[0-9]{4}-[0-9]{2}-[0-9]{2}'
export const TIME = '[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6}0*)?)?'
export const ZONE = '(Z|z|[+-][0-9]{2}(:?[0-9]{2})?)'
const MIDNIGHT = '([ T]00:00(:00([.]0+)?)?(Z|z|[+]00(:?00)?)?)?'

/** A text on its way to a value. */
export interface Decoded {
  /** SQL for the value; NULL where there is none. */
  value: string
  /** SQL that the text is not one of the type, where that is less than that there is no value. */
  isNone?: string
  /** Why there may be no value although the text is one of the type. */
  doubts?: Check[]
}

/** What a format makes of a text: a moment, or a local time and SQL for the zone it is of. */
interface Attempt {
  moment?: string
  local?: string
  zone?: string | undefined
}

/** Whether times are read in another way than by ISO 8601 alone. */
export function hasTimeWords({ formats, epoch, zone, midnight }: Reading): boolean {
  return formats !== undefined || epoch !== undefined || zone !== undefined || midnight === true
}

/** A time as it is told to be written. The text has no spaces around it. */
export function decodeTime(
  text: string,
  type: ColumnType,
  reading: Reading,
  on: Compiling,
): Decoded {
  const { formats = ['iso'], epoch } = reading
  const { inZone } = on.dialect.times
  if (epoch !== undefined) {
    const time = epochSql(text, epoch, on.dialect)
    return { value: type.kind === 'timestamptz' ? inZone("'UTC'", time) : time }
  }
  const attempts = formats.flatMap((format) => attemptsOf(text, type, format, reading, on))
  const moments = attempts.flatMap(({ moment }) => moment ?? [])
  const locals = attempts.flatMap(({ local, zone }) => (local ? [{ local, zone }] : []))
  if (type.kind !== 'timestamptz')
    return {
      value: `CAST(${firstOf(locals.map((l) => l.local))} AS ${on.dialect.values.type(type)})`,
    }
  const moment = firstOf(moments)
  if (locals.length === 0) return { value: `CAST(${moment} AS ${on.dialect.values.type(type)})` }
  const bound = locals.map(({ local, zone }) => ({ local: on.bind(local), zone: zone as string }))
  const zones = bound.map(({ local, zone }) => `WHEN ${local} IS NOT NULL THEN ${zone}`)
  const [first] = bound as [{ local: string; zone: string }]
  const same = bound.every(({ zone }) => zone === first.zone)
  const local = bound.length === 1 ? first.local : on.bind(firstOf(bound.map((b) => b.local)))
  const zone = same ? first.zone : on.bind(`CASE ${zones.join(' ')} END`)
  const found = locate(local, zone, reading.ambiguous, on)
  const read = moments.length > 0 ? on.bind(moment) : 'NULL'
  return {
    value: `CAST(coalesce(${read}, ${found.moment}) AS ${on.dialect.values.type(type)})`,
    isNone: `${read} IS NULL AND ${local} IS NULL`,
    doubts: found.doubts.map((doubt) => ({
      ...doubt,
      fails: `${read} IS NULL AND ${doubt.fails}`,
    })),
  }
}

const firstOf = (sqls: readonly string[]) =>
  sqls.length === 1 ? (sqls[0] as string) : `coalesce(${sqls.join(', ')})`

const when = ({ patterns }: Dialect, text: string, grammar: string, value: string) =>
  `CASE WHEN ${patterns.matches(text, grammar)} THEN ${value} END`

function attemptsOf(
  text: string,
  type: ColumnType,
  format: string,
  reading: Reading,
  on: Compiling,
): Attempt[] {
  const zone = reading.zone === undefined ? undefined : quoteText(reading.zone)
  if (format === 'rfc2822') return [{ moment: rfc2822(text, on) }]
  if (format === 'iso') return isoAttempts(text, type, reading, zone, on.dialect)
  const written = ownValue(namedFormats, format) ?? format
  const around = aroundZone(written)
  if (around) return namedZone(text, around, reading, on)
  const parsed = strptime(on.dialect, text, written, reading)
  const found = when(on.dialect, text, formatGrammar(written), parsed)
  return [hasSpecifier(written, 'z') ? { moment: found } : { local: found, zone }]
}

function isoAttempts(
  text: string,
  { kind }: ColumnType,
  { midnight }: Reading,
  zone: string | undefined,
  dialect: Dialect,
): Attempt[] {
  const { texts, values } = dialect
  if (kind === 'date') {
    const day = values.tryCast(texts.slice(text, 1, 10), 'DATE')
    return [{ local: when(dialect, text, `${DATE}${midnight ? MIDNIGHT : ''}`, day) }]
  }
  const local = when(dialect, text, `${DATE}[ T]${TIME}`, values.tryCast(text, 'TIMESTAMP'))
  if (kind === 'timestamp') return [{ local }]
  const cast = values.tryCast(text, 'TIMESTAMP WITH TIME ZONE')
  const moment = when(dialect, text, `${DATE}[ T]${TIME}${ZONE}`, cast)
  return zone === undefined ? [{ moment }] : [{ moment }, { local, zone }]
}

/** The engine's reading of a text whose grammar was checked. */
function strptime(
  { texts, times }: Dialect,
  text: string,
  format: string,
  { year }: Reading,
): string {
  const known = hasSpecifier(format, 'Y') || hasSpecifier(format, 'y') || year === undefined
  const [whole, pattern] = known
    ? [text, format]
    : [texts.join([text, `' ${String(year).padStart(4, '0')}'`]), `${format} %Y`]
  return times.parse(whole, engineFormat(pattern))
}

const NONE = ['UTC', 'GMT', 'UT', 'Z']

/** A text that names its zone: cut out, so that what is left can be read without it. */
function namedZone(
  text: string,
  [before, after]: readonly [string, string],
  reading: Reading,
  on: Compiling,
): Attempt[] {
  const grammar = `(${formatGrammar(before)})(${formatGrammar('%Z')})(${formatGrammar(after)})`
  const { texts, times, patterns } = on.dialect
  const part = (i: number) => patterns.extract(text, `^${grammar}$`, i)
  const rest = texts.join([part(1), part(3)])
  const parsed = strptime(on.dialect, rest, before + after, reading)
  const local = on.bind(when(on.dialect, text, grammar, parsed))
  const name = on.bind(when(on.dialect, text, grammar, part(2)))
  const offsets = Object.entries(reading.zones ?? {}).map(([zone, offset]) => {
    const [, sign, hours, minutes] = /^([+-])(\d\d):(\d\d)$/.exec(offset) as RegExpExecArray
    const total = Number(hours) * 60 + Number(minutes)
    return [zone.toUpperCase(), sign === '-' ? -total : total] as const
  })
  const minutes = new Map([...NONE.map((zone) => [zone, 0] as const), ...offsets])
  const cases = [...minutes].map(([zone, n]) => `WHEN ${quoteText(zone)} THEN ${n}`)
  const offset = times.minutes(`CAST(CASE upper(${name}) ${cases.join(' ')} END AS BIGINT)`)
  // Names that say where, not abbreviations, which mean several zones each.
  const isPlace = `${texts.contains(name, "'/'")} AND ${times.isZone(name)}`
  const place = on.bind(`CASE WHEN ${isPlace} THEN ${name} END`)
  return [
    { moment: times.inZone("'UTC'", `${local} - ${offset}`) },
    { local: `CASE WHEN ${place} IS NOT NULL THEN ${local} END`, zone: place },
  ]
}

/** Offsets of the zones that RFC 2822 names, section 4.3. */
const ZONES = { EST: -5, EDT: -4, CST: -6, CDT: -5, MST: -7, MDT: -6, PST: -8, PDT: -7 }
const MONTHS = 'janfebmaraprmayjunjulaugsepoctnovdec'

/** Date and time of RFC 2822, section 3.3: a day of the week, if any, must be that of the date. */
function rfc2822(text: string, on: Compiling): string {
  const names = [...NONE, ...Object.keys(ZONES)].join('|')
  const grammar = `^(?:((?i:mon|tue|wed|thu|fri|sat|sun)),[ \\t]*)?([0-9]{1,2})[ \\t]+((?i:${MONTHS.match(/.../g)?.join('|')}))[ \\t]+([0-9]{4})[ \\t]+((?:[01][0-9]|2[0-3]):[0-5][0-9])(:[0-5][0-9])?[ \\t]*([+-](?:0[0-9]|1[0-9]|2[0-3])[0-5][0-9]|(?i:${names}))(?:[ \\t]*\\([^()]*\\))?$`
  const fields = ['weekday', 'day', 'month', 'year', 'minute', 'second', 'zone']
  const { texts, patterns, values, times } = on.dialect
  const m = on.bind(patterns.extractAll(text, grammar, fields))
  const found = texts.position(`'${MONTHS}'`, `lower(${m}.month)`)
  const number = values.quotient(`(${found} + 2)`, '3')
  const month = `lpad(CAST(${number} AS VARCHAR), 2, '0')`
  const day = `lpad(${m}.day, 2, '0')`
  const second = `CASE ${m}.second WHEN '' THEN ':00' ELSE ${m}.second END`
  const local = on.bind(
    texts.join([`${m}.year`, "'-'", month, "'-'", day, "' '", `${m}.minute`, second]),
  )
  const hours = Object.entries(ZONES).map(([zone, n]) => `WHEN '${zone}' THEN '-0${-n}:00'`)
  const zone = `${m}.zone`
  const spelt = texts.join([texts.slice(zone, 1, 3), "':'", texts.slice(zone, 4)])
  const offset = `CASE WHEN ${patterns.finds(zone, '[0-9]')} THEN ${spelt}
    ELSE CASE upper(${m}.zone) ${hours.join(' ')} ELSE '+00:00' END END`
  const agrees = `${m}.weekday = '' OR lower(${m}.weekday) = lower(${times.weekday(values.tryCast(local, 'TIMESTAMP'))})`
  const moment = values.tryCast(texts.join([local, offset]), 'TIMESTAMP WITH TIME ZONE')
  return `CASE WHEN ${m}.year <> '' AND (${agrees}) THEN ${moment} END`
}

/** Digits of each unit that stand for microseconds and more. */
const DECIMALS: Record<Exclude<EpochUnit, 'ns'>, number> = { s: 6, ms: 3, us: 0 }
/** The first and the last moment of the years 1 to 9999, in microseconds. */
const [FIRST, LAST] = ['-62135596800000000', '253402300799999999']

/** The time in UTC that a number tells, to the microsecond; what is more precise is none. */
function epochSql(
  text: string,
  unit: EpochUnit,
  { patterns, texts, times, values }: Dialect,
): string {
  const decimals = unit === 'ns' ? 0 : DECIMALS[unit]
  const fraction = decimals > 0 ? `[0-9]{1,${decimals}}0*` : '0+'
  const whole = unit === 'ns' ? '(?:[0-9]+000|0)' : '[0-9]+'
  const grammar = `[+-]?${whole}(?:[.]${fraction})?`
  const digits = patterns.replaceFirst(text, '[.].*$', '')
  const some = texts.slice(patterns.extract(text, '[.]([0-9]*)$', 1), 1, decimals)
  const after = `rpad(${some}, ${decimals}, '0')`
  const number =
    unit === 'ns'
      ? patterns.replaceFirst(digits, '000$', '')
      : decimals > 0
        ? texts.join([digits, after])
        : digits
  const micros = values.tryCast(number, 'BIGINT')
  const inRange = `${patterns.matches(text, grammar)} AND ${micros} BETWEEN ${FIRST} AND ${LAST}`
  return `CASE WHEN ${inRange} THEN ${times.fromMicros(micros)} END`
}
