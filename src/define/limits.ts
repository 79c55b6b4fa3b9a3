import { secondsOf } from './interval.js'
import { number } from './options/expected.js'
import type { Expected, OptionList } from './options/options.js'
import { bytesOf } from './size.js'

/** What one query may use. A query that needs more is ended, and says which limit it was. */
export interface QueryLimits {
  /**
   * Memory of its process, such as `2GB`; before that is reached, it goes on on disk where it can. Default: a quarter of the
   * machine's, or of the container's, and at most 4 GiB.
   */
  memory?: string
  /** How long it may work, such as `30s`, `15m`, or `none`. Time in which its rows are not read does not count. Default: `10m`. */
  timeout?: string
  /** Space on disk for what does not fit into memory, such as `20GB`. Default, and at most: half of what is free. */
  spill?: string
  /** Rows that it may give. Default: any number. */
  maxRows?: number
  /**
   * Size of the values that it may give, such as `1GB`. Default: any size where rows are read one after the other; where they are
   * returned as one list, what the memory of JavaScript has room for.
   */
  maxBytes?: string
  /** Threads that it may use. Default: one for each processor. */
  threads?: number
}

/** What the step of one silver or gold dataset may take in a run, with its checks. */
export interface StepLimits {
  /** How long it may work, such as `30m`; then it fails, its table stays as it was, and other steps go on. Default: `none`. */
  timeout?: string
}

/** What limits of memory begin with: below it nothing runs. */
export const LEAST_MEMORY = 2 ** 28

const size: Expected = {
  is: "a size such as '512MiB' or '2GB'",
  fits: (value) => typeof value === 'string' && bytesOf(value) !== undefined,
  advise: (value) => (typeof value === 'number' ? 'Include the unit, in quotes.' : undefined),
}

export const memorySize: Expected = {
  ...size,
  is: "a size of at least 256MiB, such as '512MiB' or '2GB'",
  fits: (value) => size.fits(value) && (bytesOf(value as string) as number) >= LEAST_MEMORY,
}

const counting: Expected = {
  ...number,
  is: 'a whole number, 1 or more',
  fits: (value) => Number.isSafeInteger(value) && (value as number) >= 1,
}

const duration: Expected = {
  is: "a duration such as '30s', '15m' or '2h', or 'none'",
  fits: (value) =>
    typeof value === 'string' && (value === 'none' || secondsOf(value) !== undefined),
  advise: (value) => (typeof value === 'number' ? 'Include the unit, in quotes.' : undefined),
}

export const stepLimits: OptionList<StepLimits> = { timeout: duration }

/** The milliseconds of a time limit. */
export function limitOf(timeout: string): number {
  return timeout === 'none' ? Number.POSITIVE_INFINITY : (secondsOf(timeout) as number) * 1000
}

/** A time limit for people: `30 s`, `10 min`. */
export function timeText(time: number): string {
  const seconds = time / 1000
  return seconds % 60 === 0 && seconds > 60 ? `${seconds / 60} min` : `${seconds} s`
}

/** Three times as much, as it is written. */
export function longer(time: number): string {
  const seconds = (time * 3) / 1000
  if (seconds < 60) return `${Math.ceil(seconds)}s`
  return seconds < 3600 ? `${Math.ceil(seconds / 60)}m` : `${Math.ceil(seconds / 3600)}h`
}

export const queryLimits: OptionList<QueryLimits> = {
  memory: memorySize,
  timeout: duration,
  spill: size,
  maxRows: counting,
  maxBytes: size,
  threads: counting,
}
