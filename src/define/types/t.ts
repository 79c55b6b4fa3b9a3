import { z } from 'zod'
import { isType, object } from '../options/expected.js'
import { checked, checkedArguments, type Expected, type OptionList } from '../options/options.js'
import {
  type BooleanOptions,
  type DateOptions,
  listOf,
  type MomentOptions,
  type NullOptions,
  type NumberOptions,
  type TimestampOptions,
  type WholeNumberOptions,
  withReading,
} from './reading.js'
import {
  booleanOptions,
  dateOptions,
  momentOptions,
  nullOptions,
  numberOptions,
  timestampOptions,
  wholeNumberOptions,
} from './reading-options.js'
import { withText } from './stable-text.js'
import { columnHints, type DecimalValue, decimal, type TemporalValue, temporal } from './values.js'

const aType: Expected = { is: 'a type, such as t.int()', fits: isType }
const someTypes: Expected = {
  is: 'an object of types, such as { id: t.int() }',
  fits: (value) =>
    object.fits(value) && !isType(value) && Object.values(value as object).every(isType),
}

// The text is that of the build which made the first tables.
const isJson = withText((text: string) => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}, '(text) => {\n    try {\n        JSON.parse(text);\n        return true;\n    }\n    catch {\n        return false;\n    }\n}')

/** A type, and what it is told of how its texts are read. */
function read<S extends z.ZodType, O extends object>(
  call: string,
  schema: S,
  options: O | undefined,
  list: OptionList<O>,
): S {
  return options === undefined ? schema : withReading(schema, call, checked(call, options, list))
}

function time<O extends { format?: string | readonly string[] }>(
  kind: 'date' | 'timestamp' | 'timestamptz',
  options: O | undefined,
  list: OptionList<O>,
): TemporalValue {
  const call = `t.${kind}`
  const good =
    options === undefined
      ? undefined
      : checked(call, options, list, (given) =>
          typeof given === 'string' ? `Write ${call}({ format: '${given}' })` : undefined,
        )
  const { format } = good ?? {}
  return withReading(temporal(kind, format === undefined ? [] : listOf(format)), call, good)
}

/**
 * Column types: Zod schemas that also define how a value is stored. They chain like any Zod schema
 * (`t.int().min(1).optional()`), and can be mixed with plain Zod schemas.
 */
export const t = {
  /** String; any Zod string method applies. */
  string: (options?: NullOptions) => read('t.string', z.string(), options, nullOptions),
  /** 32-bit integer; a `number` in TypeScript. */
  int: (options?: WholeNumberOptions) => read('t.int', z.int32(), options, wholeNumberOptions),
  /** 64-bit integer; a `bigint` in TypeScript. */
  bigint: (options?: WholeNumberOptions) =>
    read('t.bigint', z.int64(), options, wholeNumberOptions),
  /** 64-bit floating point, finite; a `number`. */
  double: (options?: NumberOptions) => read('t.double', z.number(), options, numberOptions),
  /** Exact decimal with up to 38 digits; a `string` in TypeScript, so nothing is rounded. */
  decimal: (precision: number, scale: number, options?: NumberOptions): DecimalValue =>
    read('t.decimal', decimal(precision, scale), options, numberOptions),
  /** True or false, written as TRUE/FALSE, t/f or 1/0 unless `options` define other strings. */
  boolean: (options: BooleanOptions = {}) => {
    const good = checked('t.boolean', options, booleanOptions)
    const { nulls: _, ...words } = good
    const schema = z.boolean().register(columnHints, { columnType: { kind: 'boolean' }, ...words })
    return withReading(schema, 't.boolean', good)
  },
  /** Calendar day; an ISO string. */
  date: (options?: DateOptions): TemporalValue => time('date', options, dateOptions),
  /** Date and time of day without a zone, to the microsecond; an ISO string. */
  timestamp: (options?: TimestampOptions): TemporalValue =>
    time('timestamp', options, timestampOptions),
  /**
   * A point in time, stored in UTC; an ISO string. The text contains an offset, or `options` set
   * the time zone.
   */
  timestamptz: (options?: MomentOptions): TemporalValue =>
    time('timestamptz', options, momentOptions),
  /** UUID, stored as a string: engines disagree on the order of binary UUIDs. */
  uuid: (options?: NullOptions) =>
    read(
      't.uuid',
      z.guid().register(columnHints, { columnType: { kind: 'uuid' } }),
      options,
      nullOptions,
    ),
  /** JSON, stored as its text. */
  json: (options?: NullOptions) => {
    const schema = z.string().refine(isJson, 'not JSON')
    return read(
      't.json',
      schema.register(columnHints, { columnType: { kind: 'json' } }),
      options,
      nullOptions,
    )
  },
  /** A list; read from a JSON array when the source is text. */
  list: <T extends z.ZodType>(element: T) =>
    z.array(
      checkedArguments('t.list(…)', { element }, { element: aType }).element ??
        (z.string() as never as T),
    ),
  /** Named fields; read from a JSON object when the source is text. */
  struct: <T extends z.core.$ZodLooseShape>(fields: T) =>
    z.object(
      checkedArguments('t.struct(…)', { fields }, { fields: someTypes }).fields ?? ({} as T),
    ),
}
