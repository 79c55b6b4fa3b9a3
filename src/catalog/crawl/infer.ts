import type { FoundColumn } from './found.js'

/** Different texts up to which a column may be a list of known words. */
const WORDS = 12
/** The share of values that must fit. */
const MOST = 0.98
/** Rows from which on few different texts mean something. */
const ENOUGH = 100

interface Reading {
  schema: (texts: readonly string[]) => string
  fits: (text: string) => boolean
}

const isWhole = (text: string) => /^-?(0|[1-9]\d{0,17})$/.test(text)
const isDecimal = (text: string) =>
  /^-?(0|[1-9]\d*)(\.\d+)?$/.test(text) && text.replace(/\D/g, '').length <= 38
const isIsoDay = (text: string) => isDate(text.slice(0, 10)) && text.length === 10

/** What texts can be, the narrowest first. A number that begins with 0 is a text. */
const readings: Reading[] = [
  { fits: (text) => /^(true|false)$/i.test(text), schema: () => 't.boolean()' },
  { fits: isWhole, schema: (texts) => (texts.every(isSmall) ? 't.int()' : 't.bigint()') },
  { fits: isDecimal, schema: decimalSchema },
  {
    fits: (text) =>
      Number.isFinite(Number(text)) &&
      /^-?\d+(\.\d+)?([eE][+-]?\d+)$|^-?(0|[1-9]\d*)(\.\d+)?$/.test(text),
    schema: () => 't.double()',
  },
  { fits: isIsoDay, schema: () => 't.date()' },
  { fits: (text) => isDate(text) && isTime(text.slice(10)), schema: () => 't.timestamp()' },
  {
    fits: (text) =>
      isDate(text) && /^[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d(:?\d\d)?)$/.test(text.slice(10)),
    schema: () => 't.timestamptz()',
  },
  ...[0, 1].flatMap((month): Reading[] => {
    const format = month === 0 ? '%m/%d/%Y' : '%d/%m/%Y'
    return [
      { fits: (text) => isDay(text, month), schema: () => `t.date({ format: '${format}' })` },
      {
        fits: (text) => isDay(text.split(' ')[0] ?? '', month) && isTime(` ${text.split(' ')[1]}`),
        schema: () => `t.timestamp({ format: '${format} %H:%M:%S' })`,
      },
    ]
  }),
  {
    fits: (text) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text),
    schema: () => 't.uuid()',
  },
  { fits: (text) => /^\s*[[{]/.test(text) && isJson(text), schema: () => 't.json()' },
]

/** What a column is, by texts of it; `null` stands for no value. `complete`: they are all that there are. */
export function inferColumn(
  name: string,
  texts: readonly (string | null)[],
  complete: boolean,
): FoundColumn {
  const values = texts.filter((text) => text !== null)
  const nullable = values.length < texts.length || (!complete && !isKeyName(name))
  if (values.length === 0)
    return { name, schema: 'z.string()', nullable: true, note: 'no value was seen' }
  const counted = readings.map((reading) => ({ reading, fit: values.filter(reading.fits) }))
  // Data has dirt: a few values that fit nothing do not make a number a text.
  const found = counted.find(({ fit }) => fit.length >= values.length * MOST)
  if (!found) return { name, nullable, ...wordsOf(values, complete) }
  const { reading, fit } = found
  const schema = reading.schema(fit)
  const others = values.find((text) => !reading.fits(text))
  const left = values.length - fit.length
  const either = schema.includes('%m/%d') && fit.every((text) => isDay(text, 1))
  const note = [
    ...(others === undefined
      ? []
      : [
          `not ${JSON.stringify(others.slice(0, 20))}: ${left} of ${values.length} values do not fit`,
        ]),
    ...(either ? ['or is it %d/%m? no value tells'] : []),
  ].join('; ')
  return { name, schema, nullable, ...(note === '' ? {} : { note }) }
}

/** Columns whose values are each there once, in the order of how likely they are a key. */
export function inferKey(
  columns: readonly FoundColumn[],
  rows: readonly Readonly<Record<string, string | null>>[],
  table: string,
): string[] {
  if (rows.length < 2) return []
  const single = table.replace(/s$/, '')
  const rank = ({ name }: FoundColumn) => {
    const lower = name.toLowerCase().replace(/[^a-z0-9]/g, '')
    const stem = single.replace(/[^a-z0-9]/g, '')
    if (lower === 'id' || lower === `${stem}id` || lower === `${table.replace(/[^a-z0-9]/g, '')}id`)
      return 0
    return /(id|key|uuid|code|nr|number)$/.test(lower) ? 1 : 2
  }
  const unique = columns.filter(({ name }) => {
    const values = rows.flatMap((row) => row[name] ?? [])
    // Rows that come twice, or without it, are what silver is for.
    return new Set(values).size >= rows.length * MOST
  })
  const [best] = [...unique].sort((a, b) => rank(a) - rank(b))
  // A column that just happens to differ in each row is no key.
  return best && (rank(best) < 2 || best === columns[0]) ? [best.name] : []
}

function wordsOf(
  values: readonly string[],
  complete: boolean,
): Pick<FoundColumn, 'schema' | 'note'> {
  const words = [...new Set(values)].sort()
  if (words.length < 2 || words.length > WORDS || values.length < ENOUGH)
    return { schema: 'z.string()' }
  const list = words.map((word) => JSON.stringify(word)).join(', ')
  if (complete) return { schema: `z.enum([${list.replaceAll('"', "'")}])` }
  return { schema: 'z.string()', note: `seen: ${words.join(', ')}` }
}

function isKeyName(name: string): boolean {
  return /(^|_)id$/i.test(name)
}

function isSmall(text: string): boolean {
  return Math.abs(Number(text)) < 10_000_000
}

function decimalSchema(texts: readonly string[]): string {
  const parts = texts.map((text) => text.replace('-', '').split('.'))
  const scale = Math.max(...parts.map(([, fraction = '']) => fraction.length))
  const whole = Math.max(...parts.map(([digits = '']) => digits.length))
  return `t.decimal(${Math.min(38, Math.max(18, whole + scale))}, ${scale})`
}

function isDate(text: string): boolean {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)/.exec(text) ?? []
  if (year === undefined) return false
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)))
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
}

function isTime(text: string): boolean {
  return /^[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?$/.test(text)
}

/** A day between slashes, whose month is at a place. */
function isDay(text: string, month: number): boolean {
  const [, ...parts] = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/.exec(text) ?? []
  const [m, d] = [Number(parts[month]), Number(parts[1 - month])]
  return m >= 1 && m <= 12 && d >= 1 && d <= 31
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
