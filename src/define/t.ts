import { z } from 'zod'
import { textOrTexts, texts } from './expected.js'
import { checked, type OptionList } from './options.js'
import { columnHints, type DecimalValue, decimal, type TemporalValue, temporal } from './values.js'

export interface TemporalOptions {
  /**
   * How the text is written in the source, in strptime's notation: `%m/%d/%Y %H:%M:%S`.
   * Several are tried in turn. Without it: ISO 8601 (`2008-02-18`, `2008-02-18 02:36:48.5`).
   */
  format?: string | readonly string[]
}

export interface BooleanOptions {
  /** Texts that mean true, whatever their case. Default: `true`, `t`, `1`. */
  true?: readonly string[]
  /** Texts that mean false, whatever their case. Default: `false`, `f`, `0`. */
  false?: readonly string[]
}

const temporalOptions: OptionList<TemporalOptions> = { format: textOrTexts }
const booleanOptions: OptionList<BooleanOptions> = { true: texts, false: texts }

function formatsOf(call: string, options: TemporalOptions = {}): readonly string[] {
  const { format } = checked(call, options, temporalOptions, (given) =>
    typeof given === 'string' ? `Write ${call}({ format: '${given}' })` : undefined,
  )
  return format === undefined ? [] : typeof format === 'string' ? [format] : format
}

const isJson = (text: string) => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/**
 * Column types: Zod schemas that also say how a value is stored. They chain like any Zod schema
 * (`t.int().min(1).optional()`), and plain Zod schemas may stand beside them.
 */
export const t = {
  /** Text; any Zod string method applies. */
  string: () => z.string(),
  /** 32-bit integer; a `number` in TypeScript. */
  int: () => z.int32(),
  /** 64-bit integer; a `bigint` in TypeScript. */
  bigint: () => z.int64(),
  /** 64-bit floating point, finite; a `number`. */
  double: () => z.number(),
  /** Exact decimal with up to 38 digits; a `string` in TypeScript, so nothing is rounded. */
  decimal: (precision: number, scale: number): DecimalValue => decimal(precision, scale),
  /** True or false, written as TRUE/FALSE, t/f or 1/0 unless `options` say otherwise. */
  boolean: (options: BooleanOptions = {}) =>
    z.boolean().register(columnHints, {
      columnType: { kind: 'boolean' },
      ...checked('t.boolean', options, booleanOptions),
    }),
  /** Calendar day; an ISO string. */
  date: (options?: TemporalOptions): TemporalValue =>
    temporal('date', formatsOf('t.date', options)),
  /** Date and time of day without a zone, to the microsecond; an ISO string. */
  timestamp: (options?: TemporalOptions): TemporalValue =>
    temporal('timestamp', formatsOf('t.timestamp', options)),
  /** A moment in time (the source names an offset), stored in UTC; an ISO string. */
  timestamptz: (options?: TemporalOptions): TemporalValue =>
    temporal('timestamptz', formatsOf('t.timestamptz', options)),
  /** UUID, stored as a string: engines disagree on the order of binary UUIDs. */
  uuid: () => z.guid().register(columnHints, { columnType: { kind: 'uuid' } }),
  /** JSON, kept as its text. */
  json: () =>
    z
      .string()
      .refine(isJson, 'not JSON')
      .register(columnHints, { columnType: { kind: 'json' } }),
  /** A list; read from a JSON array when the source is text. */
  list: <T extends z.ZodType>(element: T) => z.array(element),
  /** Named fields; read from a JSON object when the source is text. */
  struct: <T extends z.core.$ZodLooseShape>(fields: T) => z.object(fields),
}
