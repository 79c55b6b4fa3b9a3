import { Cron } from 'croner'
import { secondsOf } from '../../define/interval.js'
import type { Schedule } from '../../define/model.js'
import { type Cost, costOf, sumOf, type Usage } from './prices.js'

/** What a run took. */
export interface MeasuredRun {
  seconds: number
  /** Requests to S3, as far as they were counted. */
  puts?: number
  gets?: number
}

/** A job, and what is known of its runs. */
export interface JobToEstimate {
  name: string
  schedule: Schedule | undefined
  /** How many datasets it builds. */
  datasets: number
  /** Memory of its function, in MB. */
  memory: number
  /** Its last runs, of which the mean is taken. */
  runs: readonly MeasuredRun[]
  /** How many of them a day there were, for a job that events start. */
  runsADay?: number
}

/** What is paid for as long as it is there. */
export interface HeldToEstimate {
  /** Bytes of all objects. */
  bytes: number
  /** Tables and partitions in Glue's catalog. */
  objects?: number
  keys?: number
  secrets?: number
}

export interface EstimateOptions {
  /** Objects are encrypted with a key of KMS; with bucket keys few requests reach it. */
  kms?: boolean
}

export interface JobCost {
  name: string
  /** Whether its seconds and its requests were measured, or taken from a run of the example. */
  measured: { seconds: boolean; requests: boolean }
  /** `undefined` for a job that is started by hand, or by events of which none was seen. */
  runsADay: number | undefined
  run: Cost
  day: Cost | undefined
}

export interface LakeCost {
  jobs: readonly JobCost[]
  /** A day of all jobs whose runs a day are known. */
  day: Cost
  /** 30 such days, and what is held meanwhile. */
  month: Cost
  /** From when to when its prices are: `2024` to `2026-10-07`. */
  dates: readonly [from: string, to: string]
}

/**
 * A run of 1,000 rows through one dataset: a seventh of what a run of the orders example was seen
 * to take, with an empty cache.
 */
const UNMEASURED = { seconds: 0.4, puts: 14, gets: 24 }
/** A run asks for what is new, whatever it builds. */
const LISTS = 4
/** Calls of Glue's catalog for each table that a run changes: to look, and to advance it. */
const GLUE_CALLS = 2
/** Of each message: sent, received, deleted. */
const SQS_CALLS = 3

/** What the runs of a lake cost, by what was measured of them. */
export function estimate(
  jobs: readonly JobToEstimate[],
  held: HeldToEstimate,
  options: EstimateOptions,
): LakeCost {
  const estimated = jobs.map((job) => ({ job, ...usageOf(job, options) }))
  const days = estimated.map(({ job, usage }) => [usage, timesADay(job) ?? 0] as const)
  const kept: Usage = {
    's3.storage': held.bytes,
    'glue.objects': held.objects ?? 0,
    'kms.keys': held.keys ?? 0,
    'secrets.held': held.secrets ?? 0,
  }
  const day = costOf(sumOf(...days))
  const month = costOf(sumOf([sumOf(...days), 30], [kept, 1]))
  return {
    jobs: estimated.map(({ job, usage, measured }) => {
      const runsADay = timesADay(job)
      return {
        name: job.name,
        measured,
        runsADay,
        run: costOf(usage),
        day: runsADay === undefined ? undefined : costOf(sumOf([usage, runsADay])),
      }
    }),
    day,
    month,
    dates: datesOf(month),
  }
}

function datesOf({ lines }: Cost): readonly [string, string] {
  const dates = lines.map(({ price }) => price.date).sort()
  return [dates[0] ?? '', dates.at(-1) ?? '']
}

function usageOf({ datasets, memory, runs, schedule }: JobToEstimate, { kms }: EstimateOptions) {
  const counted = runs.filter(({ puts, gets }) => puts !== undefined && gets !== undefined)
  const seconds = meanOf(runs.map((run) => run.seconds)) ?? UNMEASURED.seconds * datasets
  const puts = meanOf(counted.map((run) => run.puts ?? 0)) ?? UNMEASURED.puts * datasets + LISTS
  const gets = meanOf(counted.map((run) => run.gets ?? 0)) ?? UNMEASURED.gets * datasets
  const usage: Usage = {
    'lambda.seconds': (seconds * memory) / 1024,
    'lambda.requests': 1,
    's3.puts': puts,
    's3.gets': gets,
    'sqs.requests': SQS_CALLS,
    'glue.requests': GLUE_CALLS * datasets,
    ...(schedule ? { scheduler: 1 } : { events: 1 }),
    ...(kms ? { 'kms.requests': 2 } : {}),
  }
  return { usage, measured: { seconds: runs.length > 0, requests: counted.length > 0 } }
}

function meanOf(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function timesADay({ schedule, runsADay }: JobToEstimate): number | undefined {
  return (schedule && scheduledADay(schedule)) ?? runsADay
}

const DAY = 86_400
/** Days over which a cron pattern is counted, as some have weekdays; and times that are enough. */
const DAYS = 28
const ENOUGH = 500
/** From here: a Monday of a month in which no clock changes. */
const FROM = new Date('2026-06-01T00:00:00Z')

/** How often a schedule is due on a day, on average; `undefined` where others decide that. */
export function scheduledADay(schedule: Schedule): number | undefined {
  if (schedule.kind === 'every') return DAY / (secondsOf(schedule.interval) ?? DAY)
  if (schedule.kind !== 'cron') return undefined
  const { pattern, timezone = 'UTC' } = schedule
  const cron = new Cron(pattern, { timezone, paused: true })
  let at = new Date(FROM.getTime() - 1)
  for (let times = 0; ; times++) {
    const next = cron.nextRun(at)
    const seconds = next ? (next.getTime() - FROM.getTime()) / 1000 : Number.POSITIVE_INFINITY
    if (!next || seconds >= DAYS * DAY) return times / DAYS
    if (times === ENOUGH) return (times * DAY) / seconds
    at = next
  }
}
