import { z } from 'zod'
import { isBroken } from '../problems/mistakes.js'
import { defOf } from './schema.js'

/**
 * What an epoch counts: seconds, milliseconds, microseconds or nanoseconds since 1970-01-01 UTC.
 */
export type EpochUnit = 's' | 'ms' | 'us' | 'ns'

export interface NullOptions {
  /** Strings that mean NULL in this column: `['N/A', '-', '-999']`. */
  nulls?: readonly string[]
}

export interface NumberOptions extends NullOptions {
  /** The decimal mark: `.` (the default) or `,`. */
  decimal?: '.' | ','
  /**
   * The separator of groups of three digits: `,`, `.`, `'`, `_` or a space (of any kind). Default:
   * none allowed.
   */
  group?: ',' | '.' | "'" | '_' | ' '
  /** Currency symbols or codes that may precede or follow a number: `€`, `['$', 'USD']`. */
  currency?: string | readonly string[]
}

export interface WholeNumberOptions extends NumberOptions {
  /** Whether a whole number may have decimals that are zero: `1.0`. */
  zeroFraction?: boolean
}

export interface BooleanOptions extends NullOptions {
  /** Strings that mean true, in any case. Default: `true`, `t`, `1`. */
  true?: readonly string[]
  /** Strings that mean false, in any case. Default: `false`, `f`, `0`. */
  false?: readonly string[]
}

interface TimeOptions extends NullOptions {
  /**
   * The format in the source, in the notation of strptime: `%m/%d/%Y %H:%M:%S`; or `iso`, `rfc2822`
   * (`Tue, 01 Apr 2025 12:00:00 GMT`) or `syslog` (`Apr  1 12:00:00`). Several are tried in turn.
   * Default: `iso` (`2008-02-18`, `2008-02-18 02:36:48.5`).
   */
  format?: string | readonly string[]
  /** The year, for formats without one. */
  year?: number
  /** `'null'`: zero dates, as MySQL has them (`0000-00-00`), mean NULL. */
  zeroDates?: 'null'
}

export interface DateOptions extends TimeOptions {
  /**
   * Whether a day may be written as its midnight: `2008-02-18 00:00:00`,
   * `2008-02-18T00:00:00.000Z`.
   */
  midnight?: boolean
}

export interface TimestampOptions extends TimeOptions {
  /** The text is a number that counts from 1970-01-01 00:00:00 UTC: seconds, milliseconds, … */
  epoch?: EpochUnit
}

export interface MomentOptions extends TimestampOptions {
  /** The time zone of times without an offset: `Europe/Berlin`, `UTC`. */
  zone?: string
  /**
   * Names for `%Z`, in addition to `UTC`, `GMT` and names such as `Europe/Berlin`: `{ CET:
   * '+01:00', CEST: '+02:00' }`.
   */
  zones?: Readonly<Record<string, string>>
  /**
   * Which of the two points in time is meant if a local time occurs twice at a clock change.
   * Without it, such a row is discarded.
   */
  ambiguous?: 'earlier' | 'later'
}

/** All that may be said of how a column's texts are read. */
export type Reading = Omit<MomentOptions & DateOptions & WholeNumberOptions, 'format'> &
  BooleanOptions & { formats?: readonly string[] }

/** What was said of a column, and by which type: `t.date`. */
export interface Said {
  call: string
  options: Readonly<Record<string, unknown>>
}

/** What types were told; it follows a schema to those that its checks make of it. */
export const readings = z.registry<Said>()

/** Notes what a type was told, where that is anything, and not a mistake that is told elsewhere. */
export function withReading<S extends z.ZodType>(schema: S, call: string, options: object = {}): S {
  if (Object.keys(options).length > 0 && !isBroken(options))
    readings.add(schema, { call, options: options as Said['options'] })
  return schema
}

/** What a schema's type was told, also when it is wrapped by `.optional()` and the like. */
export function saidOf(schema: z.ZodType): Said | undefined {
  const said = readings.get(schema)
  if (said) return said as Said
  const def = defOf(schema)
  if (def.type === 'union') return saidOf(def.options[0])
  const inner = def.innerType ?? (def.type === 'pipe' ? def.in : undefined)
  return inner && saidOf(inner)
}

/** How a column's texts are read. */
export function readingOf(schema: z.ZodType): Reading {
  const { format, ...others } = saidOf(schema)?.options ?? {}
  return { ...others, ...(format === undefined ? {} : { formats: listOf(format as string) }) }
}

export function listOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T]
}
