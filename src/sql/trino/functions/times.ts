import {
  BIGINT,
  DATE,
  DOUBLE,
  shown,
  TIMESTAMPTZ,
  type TrinoType,
  timestamp,
  VARCHAR,
} from '../types.js'
import { writeCast } from '../write/casts.js'
import {
  CALENDAR,
  kindsOf,
  localOf,
  momentOf,
  PARTS,
  writeExtract,
  writeNow,
  zoneIn,
} from '../write/moments.js'
import { text } from '../write/scope.js'
import { failsWhen, once, type Written } from '../write/written.js'
import { fromJoda, fromMysql, readFromJoda, readFromMysql } from './formats.js'
import type { Functions, Signature, Site } from './signature.js'

/** What clocks show, with or without a day. */
const CLOCKS = [...CALENDAR, 'time']
const CLOCK = ['second', 'minute', 'hour', 'millisecond']
const DAYS = ['day', 'week', 'month', 'quarter', 'year']

/** The unit that is named first; those of a clock are not for dates, and others not for times. */
function unitIn({ args, refused, node }: Site, of = 1): string {
  const unit = (args[0]?.word ?? '').toLowerCase()
  const name = args[of]?.type?.name
  if (name !== 'time' && DAYS.includes(unit)) return unit
  if (name !== 'date' && CLOCK.includes(unit)) return unit
  throw refused(`${node.name} has no unit '${unit}' for this type`)
}

/** For each kind of dates and times. */
const each = (
  before: readonly string[],
  after: readonly string[],
  rest: Pick<Signature, 'returns' | 'write'>,
  kinds = CALENDAR,
): Signature[] => kinds.map((kind) => ({ takes: [...before, kind, ...after], ...rest }))

const parts: Functions = Object.fromEntries(
  Object.entries(PARTS).map(([name, part]) => [
    name,
    each(
      [],
      [],
      {
        returns: BIGINT,
        write: (_, { args, node }) =>
          writeExtract(name, args[0] as Written, node.at, { statement: '' }).sql,
      },
      kindsOf(part),
    ),
  ]),
)

/** A date or time as its clocks show it. */
const shownAt = ({ args }: Site, index: number) => localOf(args[index] as Written)

/** A text as a moment, whose fraction of a second may have up to nine digits. */
function dateParse(value: string, site: Site): string {
  const formats = readFromMysql(site, 1)
  const list = (all: readonly string[]) =>
    all.length === 1 ? text(all[0] as string) : `[${all.map(text).join(', ')}]`
  const fraction = /(?<!%)((?:%%)*)%f/g
  if (!formats.some((one) => fraction.test(one))) return `strptime(${value}, ${list(formats)})`
  const nanos = formats.map((one) => one.replace(fraction, '$1%n'))
  return once({ a: { sql: value, isPlain: site.args[0]?.isPlain ?? false } }, ({ a }) => {
    const read = `coalesce(try_strptime(${a}, ${list(formats)}), CAST(strptime(${a}, ${list(nanos)}) AS TIMESTAMP))`
    return `date_trunc('millisecond', ${read})`
  })
}

/** A moment as ISO 8601 writes it; results show no other zone than UTC. */
const ISO = '^\\d{4}-\\d\\d-\\d\\d(T\\d\\d:\\d\\d:\\d\\d([.]\\d{1,6})?(Z|[+-]00:?00)?)?$'

function isoMoment(value: string, site: Site): string {
  return once({ a: { sql: value, isPlain: site.args[0]?.isPlain ?? false } }, ({ a }) => {
    const isOther = `NOT regexp_full_match(${a}, ${text(ISO)})`
    const read = `date_trunc('millisecond', CAST(replace(${a}, 'Z', '+00:00') AS TIMESTAMPTZ))`
    return `CASE ${failsWhen(isOther, 'from_iso8601_timestamp reads days and seconds of UTC: 2026-01-31T10:00:00Z')} ELSE ${read} END`
  })
}

function truncated([, a = '']: readonly string[], site: Site): string {
  const unit = unitIn(site)
  const of = site.args[1] as Written
  const { name, zone } = of.type ?? {}
  const sql = `date_trunc('${unit}', ${a})`
  if (name === 'date') return `CAST(${sql} AS DATE)`
  if (name === 'time') return `CAST(date_trunc('${unit}', DATE '2000-01-01' + ${a}) AS TIME)`
  if (zone === undefined) return sql
  return once({ a: of }, ({ a = '' }) => {
    const local = `CAST(${localOf({ sql: a, type: of.type })} AS TIMESTAMP)`
    const begin = `date_trunc('${unit}', ${local})`
    // An hour may be there twice on clocks.
    return CLOCK.includes(unit) ? `(${a} - (${local} - ${begin}))` : momentOf(begin, zone)
  })
}

function added([, n]: readonly string[], site: Site): string {
  const unit = unitIn(site, 2)
  const of = site.args[2] as Written
  const { name, zone } = of.type ?? {}
  const [size, times] = unit === 'quarter' ? ['month', ' * 3'] : [unit, '']
  const moved = (a: string) => `(${a} + INTERVAL '1' ${size} * (CAST(${n} AS BIGINT)${times}))`
  if (name === 'date') return `CAST(${moved(of.sql)} AS DATE)`
  if (zone === undefined || CLOCK.includes(unit)) return moved(of.sql)
  return momentOf(moved(localOf(of)), zone)
}

/** Trino computes some with milliseconds alone, to which it rounds. */
function millis(sql: string | undefined, type: TrinoType | undefined): string {
  if (type?.name === 'date' || (type?.precision ?? 3) <= 3) return `CAST(${sql} AS TIMESTAMP)`
  return `date_trunc('millisecond', CAST(${sql} AS TIMESTAMP) + to_microseconds(500))`
}

/** Or which it has without the rest. */
const whole = (sql: string | undefined, type: TrinoType | undefined) =>
  type?.name === 'date' || (type?.precision ?? 3) <= 3
    ? `CAST(${sql} AS TIMESTAMP)`
    : `date_trunc('millisecond', CAST(${sql} AS TIMESTAMP))`

function apart(_: readonly string[], site: Site): string {
  const { args } = site
  const [, a, b] = args as [Written, Written, Written]
  const unit = unitIn(site, a.type?.name === 'date' ? 2 : 1)
  if (a.type?.name === 'time') return `date_sub('${unit}', ${a.sql}, ${b.sql})`
  // With more digits of a second than three, Trino has the days of UTC.
  const isExact = [a, b].every(({ type }) => type?.name === 'date' || (type?.precision ?? 3) <= 3)
  const zone = CLOCK.includes(unit) || !isExact ? undefined : a.type?.zone
  const [x, y] = [a, b].map((one) => {
    const type = one.type as TrinoType
    const isLocal = zone === undefined || type.name === 'timestamptz'
    const moment = isLocal ? one.sql : momentOf(one.sql, undefined)
    return whole(localOf({ sql: moment, type: TIMESTAMPTZ }, zone), type)
  })
  return `date_sub('${unit}', ${x}, ${y})`
}

/** Two of any kind: a day is its first moment. */
const twoOf = (kinds: readonly string[]): Signature[] =>
  kinds.flatMap((one) =>
    kinds.map((other) => ({ takes: ['word', one, other], returns: BIGINT, write: apart })),
  )

/** As ISO 8601 writes it. */
function isoText(sql: readonly string[], site: Site): string {
  const [a = ''] = sql
  const type = site.args[0]?.type
  const { name = '', precision = 3, zone } = type ?? {}
  if (name === 'date') return `CAST(${a} AS VARCHAR)`
  const fraction = { 0: '', 3: '.%g', 6: '.%f' }[precision]
  if (fraction === undefined || (zone !== undefined && !/^[+-]/.test(zone)))
    throw site.refused(`to_iso8601 of a ${shown(type as TrinoType)} is not translated`)
  const clock = `strftime(CAST(${shownAt(site, 0)} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S${fraction}')`
  return name === 'timestamp' ? clock : `(${clock} || ${text(zone ?? 'Z')})`
}

const zoneAt = ({ args, refused }: Site) => {
  const zone = zoneIn(args[1]?.word ?? '')
  if (zone === null) throw refused('A time zone must be a name in quotes', "'Europe/Berlin'")
  return zone === undefined ? {} : { zone }
}

const now = (name: string): Signature[] => {
  const { sql, type } = writeNow(name, 0)
  return [{ takes: [], returns: () => type, write: () => sql }]
}

const cast = (kind: string, to: TrinoType): Signature => ({
  takes: [kind],
  returns: to,
  write: (_, { args, node, refused }) => {
    const [of] = args
    if (!of) throw refused('A value is missing')
    return writeCast(of, { to, isTry: false, at: node.at }, { statement: '' }).sql
  },
})

export const times: Functions = {
  ...parts,
  date: ['text', ...CALENDAR].map((kind) => cast(kind, DATE)),
  now: now('CURRENT_TIMESTAMP'),
  date_trunc: each(['word'], [], { returns: ([, a]) => a?.type, write: truncated }, CLOCKS),
  date_add: each(['word', 'integer'], [], { returns: ([, , a]) => a?.type, write: added }, CLOCKS),
  date_diff: [
    ...twoOf(CALENDAR),
    { takes: ['word', 'time', 'time'], returns: BIGINT, write: apart },
  ],
  last_day_of_month: each([], [], {
    returns: DATE,
    write: (_, site) => `last_day(${shownAt(site, 0)})`,
  }),
  date_format: each([], ['word'], {
    returns: VARCHAR,
    write: (_, site) =>
      `strftime(${millis(shownAt(site, 0), site.args[0]?.type)}, ${text(fromMysql(site, 1))})`,
  }),
  date_parse: [
    {
      takes: ['text', 'word'],
      returns: timestamp(3),
      write: ([a], site) => dateParse(a as string, site),
    },
  ],
  format_datetime: each(
    [],
    ['word'],
    {
      returns: VARCHAR,
      write: (_, site) =>
        `strftime(${millis(shownAt(site, 0), site.args[0]?.type)}, ${text(fromJoda(site, 1))})`,
    },
    CALENDAR.slice(1),
  ),
  parse_datetime: [
    {
      takes: ['text', 'word'],
      returns: TIMESTAMPTZ,
      write: ([a], site) => momentOf(`strptime(${a}, ${text(readFromJoda(site, 1))})`, undefined),
    },
  ],
  to_iso8601: each([], [], { returns: VARCHAR, write: isoText }),
  to_milliseconds: ['interval', 'interval of days'].map((kind) => ({
    takes: [kind],
    returns: BIGINT,
    write: ([a]: readonly string[]) => `epoch_ms(${a})`,
  })),
  at_timezone: [
    {
      takes: ['timestamptz', 'word'],
      returns: (args, site) => ({ ...(args[0]?.type as TrinoType), ...zoneAt(site) }),
      write: ([a = '']) => a,
    },
  ],
  with_timezone: [
    {
      takes: ['timestamp', 'word'],
      returns: ([a], site) => ({
        ...TIMESTAMPTZ,
        precision: a?.type?.precision ?? 3,
        ...zoneAt(site),
      }),
      write: ([a = ''], site) => momentOf(a, zoneAt(site).zone),
    },
  ],
  current_timezone: [{ takes: [], returns: VARCHAR, write: () => "'UTC'" }],
  from_unixtime: ['integer', 'double', 'decimal'].map((kind) => ({
    takes: [kind, 'word'],
    least: 1,
    returns: (args, site) => ({ ...TIMESTAMPTZ, ...(args[1] ? zoneAt(site) : {}) }),
    write: ([a]: readonly string[]) =>
      `epoch_ms(CAST(round(CAST(${a} AS DOUBLE) * 1000) AS BIGINT))::TIMESTAMP::TIMESTAMP WITH TIME ZONE`,
  })),
  to_unixtime: each([], [], { returns: DOUBLE, write: ([a]) => `epoch(${a})` }, [
    'timestamp',
    'timestamptz',
  ]),
  from_iso8601_timestamp: [
    {
      takes: ['text'],
      returns: TIMESTAMPTZ,
      write: ([a], site) => isoMoment(a as string, site),
    },
  ],
  from_iso8601_date: [cast('text', DATE)],
}
