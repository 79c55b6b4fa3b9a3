import type { Refusal, Rule, Site, Taken, Write } from '../rule.js'
import { wordIn } from '../rule.js'

const days: readonly Taken[] = ['date', 'timestamp']

/** Parts of dates, from 1 and of the ISO calendar where nothing else is said. */
const parts: Readonly<Record<string, { trino: Write; spark: Write; ofTime?: boolean }>> = {
  year: same('year'),
  month: same('month'),
  day: same('day'),
  quarter: same('quarter'),
  week: { trino: ([a]) => `week(${a})`, spark: ([a]) => `weekofyear(${a})` },
  dayofyear: { trino: ([a]) => `day_of_year(${a})`, spark: ([a]) => `dayofyear(${a})` },
  isodow: { trino: ([a]) => `day_of_week(${a})`, spark: ([a]) => `(weekday(${a}) + 1)` },
  // Sunday is 0.
  dayofweek: { trino: ([a]) => `(day_of_week(${a}) % 7)`, spark: ([a]) => `(dayofweek(${a}) - 1)` },
  hour: { ...same('hour'), ofTime: true },
  minute: { ...same('minute'), ofTime: true },
  second: { ...same('second'), ofTime: true },
}

const otherNames: Readonly<Record<string, string>> = {
  dayofmonth: 'day',
  doy: 'dayofyear',
  dow: 'dayofweek',
  weekday: 'dayofweek',
  weekofyear: 'week',
}

function same(name: string): { trino: Write; spark: Write } {
  const write: Write = ([a]) => `${name}(${a})`
  return { trino: write, spark: write }
}

const partRules = [...Object.keys(parts), 'dayofmonth', 'weekday', 'weekofyear'].flatMap((name) => {
  const { ofTime, ...write } = parts[otherNames[name] ?? name] as (typeof parts)[string]
  const given = ofTime ? (['timestamp'] as const) : days
  return given.map((one): Rule => ({ name, takes: [one], ...write }))
})

/** The part that a constant text names. */
const byName =
  (target: 'trino' | 'spark'): Write =>
  ([, a], site) => {
    const said = unitOf(site)
    const part = parts[otherNames[said] ?? said]
    if (!part || (part.ofTime && site.args[1]?.type.id !== 'timestamp'))
      throw { refused: `has no '${said}' of a ${site.args[1]?.type.id} here` } satisfies Refusal
    return part[target]([a as string], site)
  }

/** A unit, as its one name: `months` is `month`. */
function unitOf({ args }: Site): string {
  const said = (wordIn(args[0]) as string).toLowerCase()
  return said in parts || said in otherNames ? said : said.replace(/s$/, '')
}

const clock = ['hour', 'minute', 'second']
const sparkTruncated: Readonly<Record<string, (a: string) => string>> = {
  year: (a) => `make_date(year(${a}), 1, 1)`,
  quarter: (a) => `make_date(year(${a}), 3 * quarter(${a}) - 2, 1)`,
  month: (a) => `make_date(year(${a}), month(${a}), 1)`,
  week: (a) => `date_sub(CAST(${a} AS date), weekday(${a}))`,
  day: (a) => `CAST(${a} AS date)`,
  hour: (a) => `make_timestamp_ntz(year(${a}), month(${a}), day(${a}), hour(${a}), 0, 0)`,
  minute: (a) =>
    `make_timestamp_ntz(year(${a}), month(${a}), day(${a}), hour(${a}), minute(${a}), 0)`,
  second: (a) =>
    `make_timestamp_ntz(year(${a}), month(${a}), day(${a}), hour(${a}), minute(${a}), second(${a}))`,
}

function truncated(site: Site, a: string): string {
  const unit = unitOf(site)
  const write = sparkTruncated[unit]
  if (!write || (clock.includes(unit) && site.args[1]?.type.id !== 'timestamp'))
    throw { refused: `has no date_trunc('${unit}') here` } satisfies Refusal
  if (site.target.name === 'spark') return write(a)
  return `date_trunc('${unit}', ${a})`
}

const seconds: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3600 }

/** How many bounds of units lie between two times; whole units are another number. */
const between =
  (target: 'trino' | 'spark'): Write =>
  ([, a = '', b = ''], site) => {
    const unit = unitOf(site)
    const daysApart =
      target === 'trino'
        ? (from: string, to: string) =>
            `date_diff('day', CAST(${from} AS date), CAST(${to} AS date))`
        : (from: string, to: string) => `datediff(CAST(${to} AS date), CAST(${from} AS date))`
    if (unit === 'day') return daysApart(a, b)
    if (unit === 'year') return `(year(${b}) - year(${a}))`
    if (unit === 'month') return months(a, b, 12, 'month')
    if (unit === 'quarter') return months(a, b, 4, 'quarter')
    const size = seconds[unit]
    if (!size || site.args[1]?.type.id !== 'timestamp')
      throw { refused: `has no date_diff('${unit}') here` } satisfies Refusal
    const clockParts = Object.keys(seconds).filter((one) => (seconds[one] as number) >= size)
    const inDay = clockParts.map(
      (one) => ` + (${one}(${b}) - ${one}(${a})) * ${(seconds[one] as number) / size}`,
    )
    return `(CAST(${daysApart(a, b)} AS bigint) * ${86_400 / size}${inDay.join('')})`
  }

const months = (a: string, b: string, times: number, part: string) =>
  `((CAST(year(${b}) AS bigint) - year(${a})) * ${times} + ${part}(${b}) - ${part}(${a}))`

/** Days later, by a number or an interval. */
const later =
  (minus: boolean, target: 'trino' | 'spark'): Write =>
  ([a, n], site) => {
    const by = site.args[1]
    if (by?.is !== 'interval')
      return target === 'trino'
        ? `date_add('day', ${minus ? `- ${n}` : n}, ${a})`
        : `${minus ? 'date_sub' : 'date_add'}(${a}, ${n})`
    const amount = minus ? -BigInt(by.amount) : BigInt(by.amount)
    const time = `CAST(${a} AS ${site.target.type({ id: 'timestamp' })})`
    if (target === 'trino') return `date_add('${by.unit}', ${amount}, ${time})`
    return `(${time} + INTERVAL '${amount}' ${by.unit.toUpperCase()})`
  }

const all: readonly Rule[] = [
  ...partRules,
  ...['date_part', 'datepart'].flatMap((name) =>
    days.map(
      (one): Rule => ({
        name,
        takes: ['word', one],
        trino: byName('trino'),
        spark: byName('spark'),
      }),
    ),
  ),
  ...['date_trunc', 'datetrunc'].flatMap((name) =>
    days.map((one): Rule => {
      const write: Write = ([, a], site) => truncated(site, a as string)
      return { name, takes: ['word', one], trino: write, spark: write }
    }),
  ),
  ...['date_diff', 'datediff'].flatMap((name) =>
    days.map(
      (one): Rule => ({
        name,
        takes: ['word', one, one],
        trino: between('trino'),
        spark: between('spark'),
      }),
    ),
  ),
  ...(['+', '-'] as const).flatMap((name) => {
    const minus = name === '-'
    const write = { trino: later(minus, 'trino'), spark: later(minus, 'spark') }
    return [
      { name, takes: ['date', 'integer'], ...write },
      { name, takes: ['date', 'none'], ...write },
      { name, takes: ['timestamp', 'none'], ...write },
    ] as const satisfies readonly Rule[]
  }),
  {
    name: '-',
    takes: ['date', 'date'],
    trino: ([a, b]) => `date_diff('day', ${b}, ${a})`,
    spark: ([a, b]) => `datediff(${a}, ${b})`,
  },
  ...days.map(
    (one): Rule => ({
      name: 'last_day',
      takes: [one],
      trino: ([a]) => `last_day_of_month(CAST(${a} AS date))`,
      spark: ([a]) => `last_day(CAST(${a} AS date))`,
    }),
  ),
]

export const times: readonly Rule[] = all.map((rule) => ({ ...rule, counts: true }))
