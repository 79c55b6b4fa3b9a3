import { BIGINT, DATE, DOUBLE, type TrinoType, timestamp, VARCHAR } from '../types.js'
import { writeCast } from '../write/casts.js'
import { CALENDAR, PARTS, writeNow } from '../write/moments.js'
import { text } from '../write/scope.js'
import { failsWhen, once } from '../write/written.js'
import { fromJoda, fromMysql, readFromMysql } from './formats.js'
import type { Functions, Signature, Site } from './signature.js'

const CLOCK = ['second', 'minute', 'hour']
const DAYS = ['day', 'week', 'month', 'quarter', 'year']

/** The unit that is named first; those of a clock are not for dates. */
function unitIn({ args, refused, node }: Site, of = 1): string {
  const unit = (args[0]?.word ?? '').toLowerCase()
  const isDate = args[of]?.type?.name === 'date'
  if (DAYS.includes(unit) || (!isDate && [...CLOCK, 'millisecond'].includes(unit))) return unit
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
  Object.entries(PARTS).map(([name, { engine, ofTime }]) => [
    name,
    each(
      [],
      [],
      { returns: BIGINT, write: ([a]) => `date_part('${engine}', ${a})` },
      ofTime ? CALENDAR.slice(1) : CALENDAR,
    ),
  ]),
)

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
  const sql = `date_trunc('${unit}', ${a})`
  return site.args[1]?.type?.name === 'date' ? `CAST(${sql} AS DATE)` : sql
}

function added([, n, a]: readonly string[], site: Site): string {
  const unit = unitIn(site, 2)
  const [size, times] = unit === 'quarter' ? ['month', ' * 3'] : [unit, '']
  const sql = `(${a} + INTERVAL '1' ${size} * (CAST(${n} AS BIGINT)${times}))`
  return site.args[2]?.type?.name === 'date' ? `CAST(${sql} AS DATE)` : sql
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

function apart([, a, b]: readonly string[], site: Site): string {
  const { args, refused } = site
  const unit = unitIn(site)
  if (args[1]?.type?.name !== args[2]?.type?.name) throw refused('date_diff takes two of one type')
  const [x, y] = [a, b].map((one, i) => whole(one, args[i + 1]?.type))
  return `date_sub('${unit}', ${x}, ${y})`
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
  date_trunc: each(['word'], [], { returns: ([, a]) => a?.type, write: truncated }),
  date_add: each(
    ['word', 'integer'],
    [],
    { returns: ([, , a]) => a?.type, write: added },
    CALENDAR.slice(0, 3),
  ),
  date_diff: CALENDAR.slice(0, 3).map((kind) => ({
    takes: ['word', kind, kind],
    returns: BIGINT,
    write: apart,
  })),
  last_day_of_month: each([], [], { returns: DATE, write: ([a]) => `last_day(${a})` }),
  date_format: each([], ['word'], {
    returns: VARCHAR,
    write: ([a], site) => `strftime(${millis(a, site.args[0]?.type)}, ${text(fromMysql(site, 1))})`,
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
      write: ([a], site) =>
        `strftime(${millis(a, site.args[0]?.type)}, ${text(fromJoda(site, 1))})`,
    },
    CALENDAR.slice(1),
  ),
  from_unixtime: ['integer', 'double', 'decimal'].map((kind) => ({
    takes: [kind],
    returns: { name: 'timestamptz', precision: 3 },
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
      returns: { name: 'timestamptz', precision: 3 },
      write: ([a], site) => isoMoment(a as string, site),
    },
  ],
  from_iso8601_date: [cast('text', DATE)],
}
