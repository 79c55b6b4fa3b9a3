import { refuse } from '../refusal.js'
import {
  BIGINT,
  DATE,
  isInterval,
  shown,
  TIMESTAMPTZ,
  type TrinoType,
  timestamp,
} from '../types.js'
import { type Context, text } from './scope.js'
import { once, type Written } from './written.js'

export const CALENDAR = ['date', 'timestamp', 'timestamptz']

interface Part {
  engine: string
  /** Of times of a day, which dates have not. */
  ofTime?: true
  /** Milliseconds of one, and how many there are before they begin anew, in intervals. */
  ofInterval?: readonly [size: number, most?: number]
}

/** Parts of dates and times by their names in Trino, and the engine's. */
export const PARTS: Readonly<Record<string, Part>> = {
  year: { engine: 'year' },
  quarter: { engine: 'quarter' },
  month: { engine: 'month' },
  week: { engine: 'week' },
  day: { engine: 'day', ofInterval: [86_400_000] },
  day_of_month: { engine: 'day' },
  day_of_week: { engine: 'isodow' },
  dow: { engine: 'isodow' },
  day_of_year: { engine: 'dayofyear' },
  doy: { engine: 'dayofyear' },
  week_of_year: { engine: 'week' },
  year_of_week: { engine: 'isoyear' },
  yow: { engine: 'isoyear' },
  hour: { engine: 'hour', ofTime: true, ofInterval: [3_600_000, 24] },
  minute: { engine: 'minute', ofTime: true, ofInterval: [60_000, 60] },
  second: { engine: 'second', ofTime: true, ofInterval: [1000, 60] },
  // The engine's has the seconds, too.
  millisecond: { engine: 'millisecond', ofTime: true, ofInterval: [1, 1000] },
}

/** What dates and times a part is of. */
export const kindsOf = ({ ofTime, ofInterval }: Part): string[] => [
  ...(ofTime ? ['timestamp', 'timestamptz', 'time'] : CALENDAR),
  ...(ofInterval ? ['interval', 'interval of days'] : []),
]

/** A part of a date or time. */
export function writeExtract(
  part: string,
  of: Written,
  at: number,
  { statement }: Pick<Context, 'statement'>,
): Written {
  const found = Object.hasOwn(PARTS, part) ? PARTS[part] : undefined
  if (!found) throw refuse(statement, at, `There is no part '${part}' of a time here`)
  const { type } = of
  if (type?.name === 'unknown') return { sql: 'CAST(NULL AS BIGINT)', type: BIGINT, at }
  if (!type || !kindsOf(found).includes(type.name))
    throw refuse(
      statement,
      at,
      `A ${type ? shown(type) : 'value of unknown type'} has no ${part}`,
      'Cast it to a timestamp.',
    )
  const { engine, ofInterval } = found
  if (isInterval(type) && ofInterval) {
    const [size, most] = ofInterval
    const whole = `epoch_ms(${of.sql}) // ${size}`
    return { sql: `(${most === undefined ? whole : `(${whole}) % ${most}`})`, type: BIGINT, at }
  }
  const plain = `date_part('${engine}', ${localOf(of)})`
  return { sql: engine === 'millisecond' ? `(${plain} % 1000)` : plain, type: BIGINT, at }
}

/** A difference to UTC, which is a zone by itself: `-05:30`, `+2`, `UTC-3`. */
const OFFSET = /^(?:utc|ut|gmt)?([+-])(\d{1,2})(?::?(\d{2}))?$/i
const NAMED = /^[A-Za-z]+(\/[A-Za-z0-9_+-]+)+$/
const IS_UTC = /^(etc\/)?(utc|uct|ut|gmt|zulu|z|greenwich|universal)$/i

/** A zone as types have it: `undefined` for UTC; `null` for what is none. */
export function zoneIn(word: string): string | undefined | null {
  if (IS_UTC.test(word)) return undefined
  const [, sign, hours = '', minutes = '00'] = OFFSET.exec(word) ?? []
  if (sign === undefined) return NAMED.test(word) ? word : null
  const total = Number(hours) * 60 + Number(minutes)
  if (total > 14 * 60 || Number(minutes) > 59) return null
  return total === 0 ? undefined : `${sign}${hours.padStart(2, '0')}:${minutes}`
}

/** A moment as clocks of its zone show it; what is none as it is. */
export function localOf({ sql, type }: Pick<Written, 'sql' | 'type'>, zone = type?.zone): string {
  if (type?.name !== 'timestamptz' || zone === undefined) return sql
  const offset = offsetOf(zone)
  return offset === undefined
    ? `timezone(${text(zone)}, ${sql})`
    : `(CAST(${sql} AS TIMESTAMP) + ${offset})`
}

/** The moment at which clocks of a zone show a time. */
export function momentOf(local: string, zone: string | undefined): string {
  if (zone === undefined) return `CAST(${local} AS TIMESTAMP WITH TIME ZONE)`
  const offset = offsetOf(zone)
  return offset === undefined
    ? `timezone(${text(zone)}, ${local})`
    : `CAST((${local} - ${offset}) AS TIMESTAMP WITH TIME ZONE)`
}

function offsetOf(zone: string): string | undefined {
  const [, sign, hours, minutes] = OFFSET.exec(zone) ?? []
  const total = Number(hours) * 60 + Number(minutes)
  return sign === undefined ? undefined : `INTERVAL '${sign}${total}' MINUTE`
}

/** A moment as it is seen in another zone: the same, with another type. */
export function writeZone(of: Written, zone: Written, at: number, { statement }: Context): Written {
  const { name, precision = 3 } = of.type ?? {}
  if (name !== 'timestamp' && name !== 'timestamptz')
    throw refuse(statement, at, 'Only timestamps can be seen AT TIME ZONE')
  // Times without a zone are those of the session, whose zone is UTC.
  const sql = name === 'timestamp' ? momentOf(of.sql, undefined) : of.sql
  return { sql, type: { name: 'timestamptz', precision, ...zoneOf(zone, { statement }) }, at }
}

/** The zone that a constant names, as a part of a type. */
function zoneOf(
  zone: Pick<Written, 'word' | 'at'>,
  { statement }: Pick<Context, 'statement'>,
): { zone?: string } {
  const found = zone.word === undefined ? null : zoneIn(zone.word)
  if (found === null)
    throw refuse(
      statement,
      zone.at,
      'A time zone must be a name in quotes',
      "AT TIME ZONE 'Europe/Berlin'",
    )
  return found === undefined ? {} : { zone: found }
}

export function writeNow(name: string, at: number): Written {
  if (name === 'CURRENT_DATE') return { sql: 'current_date', type: DATE, at }
  const millis = "date_trunc('millisecond', now())"
  if (name === 'LOCALTIMESTAMP')
    return { sql: `CAST(${millis} AS TIMESTAMP)`, type: timestamp(3), at }
  if (name === 'LOCALTIME')
    return {
      sql: `CAST(CAST(${millis} AS TIMESTAMP) AS TIME)`,
      type: { name: 'time', precision: 3 },
      at,
    }
  if (name === 'CURRENT_TIME')
    return {
      sql: `CAST(CAST(CAST(${millis} AS TIMESTAMP) AS TIME) AS TIME WITH TIME ZONE)`,
      type: { name: 'timetz', precision: 3 },
      at,
    }
  return { sql: millis, type: TIMESTAMPTZ, at }
}

const FORMATS: Readonly<Record<number, string>> = { 0: '', 3: '.%g', 6: '.%f' }

/** A moment by a format, with as many digits of a second as its type has. */
function clockText(sql: string, format: string, precision: number): string {
  const found = FORMATS[precision]
  if (found !== undefined) return `strftime(${sql}, '${format}${found}')`
  return `left(strftime(${sql}, '${format}.%f'), ${precision - 6})`
}

/** Dates, times and intervals as Trino writes them; `undefined` for what is not written so. */
export function momentText(
  of: Pick<Written, 'sql' | 'isPlain'>,
  type: TrinoType,
): string | undefined {
  const { name, precision = 3 } = type
  if (isInterval(type)) return intervalText(of, type)
  const moment = '%Y-%m-%d %H:%M:%S'
  if (name === 'timestamp') return clockText(of.sql, moment, precision)
  if (name === 'timestamptz') {
    const local = `CAST(${localOf({ sql: of.sql, type })} AS TIMESTAMP)`
    return `(${clockText(local, moment, precision)} || ${text(` ${type.zone ?? 'UTC'}`)})`
  }
  if (name === 'time') return clockText(`DATE '2000-01-01' + ${of.sql}`, '%H:%M:%S', precision)
  return undefined
}

function intervalText(of: Pick<Written, 'sql' | 'isPlain'>, { name }: TrinoType): string {
  const isMonths = name === 'interval of months'
  const count = isMonths
    ? `(date_part('year', ${of.sql}) * 12 + date_part('month', ${of.sql}))`
    : `epoch_ms(${of.sql})`
  return once({ n: { sql: count } }, ({ n = '' }) => {
    const sign = `CASE WHEN ${n} < 0 THEN '-' ELSE '' END`
    if (isMonths) return `(${sign} || (abs(${n}) // 12) || '-' || (abs(${n}) % 12))`
    const part = (size: number, most: number, width = 2) =>
      `lpad(CAST((abs(${n}) // ${size}) % ${most} AS VARCHAR), ${width}, '0')`
    const clock = [part(3_600_000, 24), part(60_000, 60), part(1000, 60)].join(` || ':' || `)
    return `(${sign} || (abs(${n}) // 86400000) || ' ' || ${clock} || '.' || ${part(1, 1000, 3)})`
  })
}
