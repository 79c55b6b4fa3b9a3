import { secondsOf } from './interval.js'
import { counting } from './options/expected.js'
import type { Expected, OptionList } from './options/options.js'
import { bytesOf } from './size.js'

/** Limits of one query. A query that exceeds one is ended, and the error names the limit. */
export interface QueryLimits {
  /**
   * Memory of its process, such as `2GB`; below that, it spills to disk if it can. Default: a
   * quarter of the machine's memory, or of the container's, and at most 4 GiB.
   */
  memory?: string
  /**
   * Time limit, such as `30s`, `15m`, or `none`. Time in which its rows are not read does not
   * count. Default: `10m`.
   */
  timeout?: string
  /** Disk space for spilling, such as `20GB`. Default, and at most: half of the free space. */
  spill?: string
  /** Maximum number of rows. Default: no limit. */
  maxRows?: number
  /**
   * Maximum size of the result, such as `1GB`. Default: no limit if rows are streamed; if they are
   * returned as one list, what fits into JavaScript's memory.
   */
  maxBytes?: string
  /** Number of threads. Default: one per processor. */
  threads?: number
}

/** Limits of the step of one silver or gold dataset in a run, including its checks. */
export interface StepLimits {
  /**
   * Time limit, such as `30m`; then the step fails, its table is unchanged, and other steps
   * continue. Default: `none`.
   */
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

export const duration: Expected = {
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
