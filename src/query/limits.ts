import { availableParallelism, tmpdir } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import { LEAST_MEMORY, limitOf, longer, type QueryLimits, timeText } from '../define/limits.js'
import { bytesOf, sizeText } from '../define/size.js'
import { thousands } from '../define/thousands.js'
import { MoraineError } from '../errors.js'
import { machineMemory } from '../process/memory.js'

/** What one query may use, as numbers. Infinity where there is no limit. */
export interface Limits {
  /** Bytes that its process may hold. */
  memory: number
  /** Nothing was said of memory: it may be less where other queries of the program run. */
  sharesMemory: boolean
  /** Milliseconds that it may work. */
  time: number
  /** Bytes of disk for what does not fit into memory; without a number, half of what is free. */
  spill: number | undefined
  rows: number
  /** Bytes of the result, roughly as JavaScript holds it. */
  bytes: number
  threads: number | undefined
}

/** What a query can need too much of. */
export type Excess = 'memory' | 'time' | 'spill' | 'disk' | 'rows' | 'bytes'

const MOST_MEMORY = 4 * 2 ** 30
const LEAST_ENGINE = 2 ** 26
const TIME = '10m'
/**
 * What the process needs beside the engine, and each of its threads, which the engine does not
 * count.
 */
const BESIDE = 160 * 2 ** 20
const BESIDE_THREAD = 32 * 2 ** 20
/** Memory that a thread wants to be worth it. */
const THREAD = 128 * 2 ** 20

/** Memory of a query that nothing is said about. */
export function defaultMemory(): number {
  return Math.max(LEAST_MEMORY, Math.min(MOST_MEMORY, Math.floor(machineMemory() / 4)))
}

/**
 * What a query's engine plans with, so that its process stays within the memory: part of what is in
 * use is not known to it.
 */
export function engineShare(
  memory: number,
  asked?: number,
  processors = availableParallelism(),
): { memory: number; threads: number } {
  const rest = memory - BESIDE
  const threads = asked ?? Math.max(1, Math.min(processors, Math.floor(rest / THREAD)))
  const share = Math.floor((rest - threads * BESIDE_THREAD) * 0.8)
  return { memory: Math.max(LEAST_ENGINE, share), threads }
}

/** Limits as they are given in several places; the first place that has one decides. */
export function limitsOf(...given: readonly (QueryLimits | undefined)[]): Limits {
  const first = <K extends keyof QueryLimits>(name: K): QueryLimits[K] | undefined =>
    given.find((limits) => limits?.[name] !== undefined)?.[name]
  const timeout = first('timeout') ?? TIME
  return {
    memory: bytesOf(first('memory') ?? '') ?? defaultMemory(),
    sharesMemory: first('memory') === undefined,
    time: limitOf(timeout),
    spill: bytesOf(first('spill') ?? ''),
    rows: first('maxRows') ?? Number.POSITIVE_INFINITY,
    bytes: bytesOf(first('maxBytes') ?? '') ?? Number.POSITIVE_INFINITY,
    threads: first('threads'),
  }
}

/**
 * The same for a result that is held as one list: without a limit it would end the process that
 * asks.
 */
export function asList(limits: Limits): Limits {
  if (limits.bytes < Number.POSITIVE_INFINITY) return limits
  return { ...limits, bytes: Math.floor(getHeapStatistics().heap_size_limit / 2) }
}

/** What is told of a query that needs more than it may use. */
export function excessError(what: Excess, limits: Limits, cause?: unknown): MoraineError {
  const { message, hint } = texts[what](limits)
  return new MoraineError('limit', message, { hint, ...(cause === undefined ? {} : { cause }) })
}

type LimitMessage = { message: string; hint: string }

/** How a limit is raised, wherever the query is asked. */
function raise(option: string, setting: keyof QueryLimits, value: string): string {
  const shown = setting === 'maxRows' ? value : `'${value}'`
  return `--${option} ${value} (in programs and in the queries of lake.ts: ${setting}: ${shown})`
}

const texts: Readonly<Record<Excess, (limits: Limits) => LimitMessage>> = {
  memory: ({ memory, sharesMemory }) => ({
    message: `The query needs more memory than its limit of ${limitText(memory)}`,
    hint: `${sharesMemory && memory < defaultMemory() ? 'Other queries of this program use the rest: run fewer at the same time. ' : ''}Select fewer rows, columns or groups, or raise the limit: ${raise('memory', 'memory', next(memory))}`,
  }),
  time: ({ time }) => ({
    message: `The query was stopped: it took longer than its limit of ${timeText(time)}`,
    hint: `Select less, or raise the limit: ${raise('timeout', 'timeout', longer(time))}`,
  }),
  spill: ({ spill }) =>
    spill === undefined
      ? {
          message: `The query would spill more to disk than half of the free space in ${tmpdir()}`,
          hint: 'Select fewer rows or columns, free some disk space, raise --memory, or set TMPDIR to a folder on another disk.',
        }
      : {
          message: `The query would spill more to disk than its limit of ${limitText(spill)}`,
          hint: `Select fewer rows or columns, or raise the limit: ${raise('spill', 'spill', next(spill))}`,
        },
  disk: () => ({
    message: `The query was stopped because the disk with ${tmpdir()} was nearly full`,
    hint: 'Free some disk space, raise --memory, or set TMPDIR to a folder on another disk.',
  }),
  rows: ({ rows }) => ({
    message: `The query returns more rows than its limit of ${thousands(rows)}`,
    hint: `Add a LIMIT, or raise the limit: ${raise('max-rows', 'maxRows', String(rows * 10))}`,
  }),
  bytes: ({ bytes }) => ({
    message: `The result of the query is larger than its limit of ${limitText(bytes)}`,
    hint: `Read it in batches with stream(…), select fewer rows or columns, or raise the limit: ${raise('max-bytes', 'maxBytes', next(bytes))}`,
  }),
}

/** Twice as much, as it is written. */
function next(bytes: number): string {
  const twice = Math.max(2 ** 20, bytes * 2)
  if (twice % 1e6 === 0) return twice % 1e9 === 0 ? `${twice / 1e9}GB` : `${twice / 1e6}MB`
  return twice >= 2 ** 30 ? `${Math.ceil(twice / 2 ** 30)}GiB` : `${Math.ceil(twice / 2 ** 20)}MiB`
}

/** A limit as it is usually written: `2 GB`, `512 MiB`. */
function limitText(bytes: number): string {
  if (bytes > 0 && bytes % 1e6 === 0)
    return bytes % 1e9 === 0 ? `${bytes / 1e9} GB` : `${bytes / 1e6} MB`
  return sizeText(bytes)
}
