import type { z } from 'zod'
import { t } from '../../define/types/t.js'
import { wholeDigits } from '../../plan/exact.js'

/**
 * How a column's texts may be read: a type with its options, both as a schema and as TypeScript.
 */
export interface Typed {
  schema: z.ZodType
  text: string
  note?: string
}

/** What the texts of a column are, all of them that look like the reading. */
export interface Digits {
  /** The most digits before and after the point. */
  whole: number
  fraction: number
}

/** A way in which texts are written. */
export interface Reading {
  /** What a text looks like, for regular expressions of JavaScript and of the engine alike. */
  pattern: string
  /** What some text of the column has to look like, so that this is meant at all. */
  some?: string
  /** What stands before decimals, where digits are to be counted. */
  point?: '.' | ','
  /** The type; `undefined` where no type can hold them. */
  type(digits: Digits, nulls: readonly string[], wide: boolean): Typed | undefined
}

/**
 * Texts that stand for a missing value where the others of a column are numbers, days or the like.
 */
export const NULL_WORDS = [
  '',
  'NA',
  'N/A',
  'n/a',
  '#N/A',
  'NaN',
  'nan',
  'null',
  'NULL',
  'Null',
  'None',
  'none',
  '-',
  '--',
  '?',
  '.',
  '\\N',
  '0000-00-00',
  '0000-00-00 00:00:00',
] as const

/** A text as TypeScript writes it; nothing in it ends a comment, a line or the text itself. */
export function codeText(text: string): string {
  const plain = JSON.stringify(text)
    .replace(/\u2028/g, '\\u2028')
    .replace(/\u2029/g, '\\u2029')
  if (/^"[^'\\"]*"$/.test(plain)) return `'${plain.slice(1, -1)}'`
  return text.includes("'") ? plain : `'${plain.slice(1, -1).replaceAll('\\"', '"')}'`
}

/** Options as TypeScript. */
export function codeOptions(options: Readonly<Record<string, unknown>>): string {
  const value = (v: unknown): string =>
    typeof v === 'string'
      ? codeText(v)
      : Array.isArray(v)
        ? `[${v.map(value).join(', ')}]`
        : String(v)
  const own = Object.entries(options).map(([name, v]) => `${name}: ${value(v)}`)
  return own.length === 0 ? '' : `{ ${own.join(', ')} }`
}

type Options = Readonly<Record<string, unknown>>

function call(name: keyof typeof t, args: readonly number[], given: Options): Typed {
  const { nulls, ...others } = given as { nulls?: readonly string[] }
  const options = { ...others, ...(nulls && nulls.length > 0 ? { nulls } : {}) }
  const code = codeOptions(options)
  const make = t[name] as unknown as (...all: unknown[]) => z.ZodType
  return {
    schema: code === '' ? make(...args) : make(...args, options),
    text: `t.${name}(${[...args.map(String), ...(code === '' ? [] : [code])].join(', ')})`,
  }
}

const simple =
  (name: keyof typeof t, options: Options = {}): Reading['type'] =>
  (_, nulls) =>
    call(name, [], { ...options, nulls })

const WHOLE = '-?(0|[1-9][0-9]*)'

/** Whole numbers as few bytes as hold them: their digits have room to grow. */
function whole(options: Options): Reading['type'] {
  return (digits, nulls, wide) => {
    const all = { ...options, nulls }
    if (digits.whole <= 7 && !wide) return call('int', [], all)
    if (digits.whole <= 18) return call('bigint', [], all)
    if (digits.whole > 38 || 'zeroFraction' in options) return undefined
    return call('decimal', [38, 0], all)
  }
}

function decimal(options: Options = {}): Reading['type'] {
  return (digits, nulls, wide) => {
    const { fraction } = digits
    const scale = wide ? Math.max(fraction, 6) : fraction
    const precision = wide ? 38 : Math.max(18, digits.whole + scale)
    if (digits.whole + scale > 38) return undefined
    return call('decimal', [precision, scale], { ...options, nulls })
  }
}

const DAY = '[0-9]{4}-[0-9]{2}-[0-9]{2}'
const CLOCK = '[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6}0*)?)?'
const ZONE = '(Z|[+-][0-9]{2}(:?[0-9]{2})?)'
const D = '(0?[1-9]|[12][0-9]|3[01])'
const M = '(0?[1-9]|1[0-2])'

const EITHER = 'no value shows which is the day and which the month'

/** Days and times as people write them in one order or another. */
function written(pattern: string, format: string, note?: string): Reading[] {
  const reading = (p: string, name: 'date' | 'timestamp', f: string): Reading => ({
    pattern: p,
    type: (_, nulls) => ({
      ...call(name, [], { format: f, nulls }),
      ...(note === undefined ? {} : { note }),
    }),
  })
  return [
    reading(pattern, 'date', format),
    reading(`${pattern} [0-9]{2}:[0-9]{2}:[0-9]{2}`, 'timestamp', `${format} %H:%M:%S`),
    reading(`${pattern} [0-9]{2}:[0-9]{2}`, 'timestamp', `${format} %H:%M`),
  ]
}

const GROUPED = '-?([0-9]{1,3}(,[0-9]{3})+|[0-9]+)([.][0-9]+)?'
const COMMA = '-?([0-9]{1,3}([.][0-9]{3})+|[0-9]+)(,[0-9]+)?'
/** What can only be one of the two. */
const IS_GROUPED = '.*,[0-9]{3}([.,].*)'
const IS_COMMA = '.*(,([0-9]{1,2}|[0-9]{4,})|[.][0-9]{3}[.,].*|,[0-9]{3},.*)|-?0,.*'

/** Numbers with a currency, which is cut off by the type. */
export function moneyReadings(currency: string): Reading[] {
  const sign = currency.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const around = (body: string) =>
    `(-?${sign} ?${body.slice(2)}|${sign} ?${body}|${body} ?${sign}|${body})`
  return [
    { pattern: around('-?([0-9]+)([.][0-9]+)?'), point: '.', type: decimal({ currency }) },
    {
      pattern: around(GROUPED),
      some: IS_GROUPED,
      point: '.',
      type: decimal({ group: ',', currency }),
    },
    {
      pattern: around(COMMA),
      some: `.*,[0-9]{1,2}[^0-9]*`,
      point: ',',
      type: decimal({ decimal: ',', group: '.', currency }),
    },
  ]
}

/**
 * What texts can be, the narrowest first. A number that begins with 0 is a text, as are those of
 * phones.
 */
export const textReadings: readonly Reading[] = [
  { pattern: '(?i)(true|false)', type: simple('boolean') },
  { pattern: WHOLE, point: '.', type: whole({}) },
  // As pandas writes whole numbers of which some are missing.
  {
    pattern: `${WHOLE}[.]0`,
    point: '.',
    type: (digits, nulls, wide) => {
      const typed = wide ? undefined : whole({ zeroFraction: true })(digits, nulls, true)
      return typed && { ...typed, note: 'whole numbers, written as 1.0' }
    },
  },
  { pattern: '-?(0|[1-9][0-9]*)?([.][0-9]+)?', some: '.*[0-9].*', point: '.', type: decimal() },
  {
    // Programs write 1e5, 1e+5 or 1.0E5: what is written 1E5 is a code.
    pattern:
      '-?((0|[1-9][0-9]*)?([.][0-9]*)?(e[+-]?[0-9]+|E[+-][0-9]+)?|(0|[1-9][0-9]*)?[.][0-9]*E[0-9]+)',
    some: '.*[eE].*',
    type: simple('double'),
  },
  { pattern: DAY, type: simple('date') },
  { pattern: `${DAY}[T ]${CLOCK}`, type: simple('timestamp') },
  { pattern: `${DAY}[T ]${CLOCK}${ZONE}`, type: simple('timestamptz') },
  {
    pattern: '((Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?[0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} .*',
    type: simple('timestamptz', { format: 'rfc2822' }),
  },
  ...written(`${M}/${D}/[0-9]{4}`, '%m/%d/%Y'),
  ...written(`${D}/${M}/[0-9]{4}`, '%d/%m/%Y'),
  ...written(`${D}[.]${M}[.][0-9]{4}`, '%d.%m.%Y'),
  {
    pattern: '(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}',
    type: simple('uuid'),
  },
  { pattern: GROUPED, some: IS_GROUPED, point: '.', type: decimal({ group: ',' }) },
  { pattern: COMMA, some: IS_COMMA, point: ',', type: decimal({ decimal: ',', group: '.' }) },
  { pattern: '(?s)\\s*[[{].*', type: simple('json') },
]

const nativeReadings: readonly [type: RegExp, name: keyof typeof t][] = [
  [/^(TINYINT|SMALLINT|INTEGER|UTINYINT|USMALLINT)$/, 'int'],
  [/^(BIGINT|UINTEGER)$/, 'bigint'],
  [/^(FLOAT|DOUBLE)$/, 'double'],
  [/^BOOLEAN$/, 'boolean'],
  [/^DATE$/, 'date'],
  [/^TIMESTAMP WITH TIME ZONE$/, 'timestamptz'],
  [/^TIMESTAMP/, 'timestamp'],
  [/^UUID$/, 'uuid'],
  [/\[\d*\]$|^STRUCT|^MAP/, 'json'],
]

/** Digits that all whole numbers of 64 bits have at most. */
const LONG = 19

/** The readings of a column whose file says its type. */
export function readingsOfType(type: string): Reading[] {
  const any = '(?s).*'
  const [, precision, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(type) ?? []
  if (precision !== undefined)
    return [{ pattern: any, type: () => call('decimal', [Number(precision), Number(scale)], {}) }]
  const digits = wholeDigits(type)
  if (digits !== undefined && digits > LONG)
    return [{ pattern: WHOLE, type: () => call('decimal', [Math.min(digits, 38), 0], {}) }]
  const name = nativeReadings.find(([of]) => of.test(type))?.[1]
  return name === undefined ? [] : [{ pattern: any, type: simple(name) }]
}

export { EITHER }
