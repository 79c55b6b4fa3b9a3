import { Cron } from 'croner'
import { messageOf } from '../errors.js'
import { millisecondsOf, secondsOf } from './interval.js'
import type { AnyDataset, Schedule, SchedulePolicy, When } from './model.js'
import {
  datasets as datasetKind,
  interval as intervalKind,
  isExternal,
  number,
  oneOf,
  text,
} from './options/expected.js'
import { checked, checkedArguments, type Expected, type OptionList } from './options/options.js'
import { isBroken, markBroken } from './problems/mistakes.js'
import { isZone, zoneHint } from './types/zone.js'

interface CronOptions extends SchedulePolicy {
  timezone?: string
}

const policyOptions: OptionList<SchedulePolicy> = {
  missed: oneOf('run', 'skip'),
  overlap: oneOf('skip', 'queue'),
  jitter: intervalKind,
  timeout: intervalKind,
  retries: number,
  backoff: intervalKind,
}
const cronOptions: OptionList<CronOptions> = { ...policyOptions, timezone: text }

/**
 * A cron expression of five or six fields, such as every 15 minutes; in UTC unless a time zone is
 * given. A time that a clock change skips runs right after it, and one that occurs twice runs once.
 */
export function cron(pattern: string, options: CronOptions = {}): Schedule {
  const good = checkedArguments('cron(…)', { pattern }, { pattern: text })
  const { timezone, ...policy } = checked<CronOptions>(`cron('${pattern}')`, options, cronOptions)
  return {
    kind: 'cron',
    pattern: good.pattern ?? '* * * * *',
    ...(timezone === undefined ? {} : { timezone }),
    policy,
  }
}

/** A fixed interval: `30s`, `15m`, `2h`, `1d`; counted from midnight UTC. */
export function every(interval: string, policy: SchedulePolicy = {}): Schedule {
  const list = { interval: intervalKind }
  const good = checkedArguments('every(…)', { interval }, list)
  return {
    kind: 'every',
    interval: good.interval ?? '1d',
    policy: checked(`every('${interval}')`, policy, policyOptions),
  }
}

const runnable: Expected = {
  ...datasetKind,
  fits: (value) => datasetKind.fits(value) && ![value].flat().some(isExternal),
  advise: (value) =>
    [value].flat().some(isExternal)
      ? "The writes of other engines start no runs; use every('15m')"
      : datasetKind.advise?.(value),
}

/** Whenever one of these datasets has changed. */
export function after(
  datasets: AnyDataset | readonly AnyDataset[],
  policy: SchedulePolicy = {},
): Schedule {
  const good = checkedArguments('after(…)', { datasets }, { datasets: runnable })
  const made: Schedule = {
    kind: 'after',
    datasets: [good.datasets ?? []].flat() as AnyDataset[],
    policy: checked('after(…)', policy, policyOptions),
  }
  return good.datasets === undefined ? markBroken(made) : made
}

/** No schedule: it runs only with `moraine run`. */
export function manual(): Schedule {
  return { kind: 'by hand', policy: {} }
}

/** @deprecated Use `manual()`. */
export function byHand(): Schedule {
  return manual()
}

/** What is wrong with a schedule; `undefined` when nothing is. */
export function scheduleProblem(schedule: Schedule): string | undefined {
  const { jitter, timeout, backoff, retries = 0 } = schedule.policy
  for (const [name, text] of Object.entries({ jitter, timeout, backoff }))
    if (text !== undefined && !(millisecondsOf(text) > 0))
      return `${name} '${text}' is not a duration such as '30s', '10m' or '2h'`
  if (!Number.isInteger(retries) || retries < 0) return 'retries must be a number, 0 or more'
  if (isBroken(schedule)) return undefined
  if (schedule.kind === 'after' && schedule.datasets.length === 0)
    return 'after() needs at least one dataset'
  if (schedule.kind === 'every') return intervalProblem(schedule.interval, jitter)
  if (schedule.kind !== 'cron') return undefined
  const { pattern, timezone = 'UTC' } = schedule
  if (!isZone(timezone))
    return `timezone: '${timezone}' is not a time zone name, such as 'Europe/Berlin' or 'UTC'${zoneHint(timezone)}`
  try {
    const times = cronOf(schedule)
    // What reads patterns also takes one moment for them.
    if (times.getPattern() === undefined)
      return `cron('${pattern}') is not a cron expression: it is one moment`
    if (times.nextRun() === null)
      return `cron('${pattern}') never fires: there is no such day or time`
    return undefined
  } catch (error) {
    return `cron('${pattern}') is not a cron expression: ${messageOf(error).replace(/^CronPattern: /, '')}`
  }
}

function intervalProblem(interval: string, jitter: string | undefined): string | undefined {
  if (secondsOf(interval) === undefined)
    return `every('${interval}') is not a duration such as '30s', '15m', '2h' or '1d'`
  return jitter !== undefined && millisecondsOf(jitter) > millisecondsOf(interval)
    ? `jitter '${jitter}' is longer than the interval '${interval}'`
    : undefined
}

function cronOf({ pattern, timezone = 'UTC' }: When & { kind: 'cron' }): Cron {
  return new Cron(pattern, { paused: true, timezone })
}

/**
 * The first time of a schedule after another; `undefined` for schedules that do not go by the
 * clock.
 */
export function nextTime(schedule: When, after: Date): Date | undefined {
  if (schedule.kind === 'every') {
    const step = (secondsOf(schedule.interval) as number) * 1000
    return new Date((Math.floor(after.getTime() / step) + 1) * step)
  }
  return schedule.kind === 'cron' ? (cronOf(schedule).nextRun(after) ?? undefined) : undefined
}

/** The last time of a schedule that is after one and not after the other. */
export function lastTime(schedule: When, after: Date, until: Date): Date | undefined {
  if (schedule.kind === 'every') {
    const step = (secondsOf(schedule.interval) as number) * 1000
    const last = new Date(Math.floor(until.getTime() / step) * step)
    return last > after ? last : undefined
  }
  // Looked for in ever longer spans before the end, as there may be many times in between.
  for (let span = 60_000; ; span *= 8) {
    const start = new Date(Math.max(after.getTime(), until.getTime() - span))
    let last: Date | undefined
    for (
      let at = nextTime(schedule, start);
      at !== undefined && at <= until;
      at = nextTime(schedule, at)
    )
      last = at
    if (last || start <= after) return last
  }
}
