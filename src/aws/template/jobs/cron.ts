import { CronPattern } from 'croner'
import { secondsOf } from '../../../define/interval.js'
import type { When } from '../../../define/model.js'
import { shiftedTime } from './clock-changes.js'

/** A schedule as EventBridge Scheduler has it, or why it can't have it exactly. */
export type Expression =
  | { readonly expression: string; readonly timezone: string }
  | { readonly problem: string; readonly hint: string }

/** https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html */
const LONGEST = 256

/** All occurrences of a weekday in a month, and the last one: as croner's arrays have them. */
const ANY = 63
const LAST = 32

/**
 * The times of a schedule that goes by the clock. Nothing is rounded: other times are a problem.
 */
export function expressionOf(when: When & { kind: 'cron' | 'every' }): Expression {
  const found = when.kind === 'cron' ? cronExpression(when) : interval(when.interval)
  if (!('expression' in found) || found.expression.length <= LONGEST) return found
  return {
    problem: `has ${found.expression.length} characters as an expression of EventBridge Scheduler, which takes ${LONGEST}`,
    hint: 'Use ranges and steps, or split it into two datasets with a schedule each.',
  }
}

function cronExpression({ pattern, timezone = 'UTC' }: When & { kind: 'cron' }): Expression {
  const parsed = new CronPattern(pattern, timezone)
  const days = daysOf(parsed)
  if (set(parsed.second).join() !== '0')
    return {
      problem: 'has seconds, and EventBridge Scheduler has none',
      hint: 'Write it with five fields, the first of which are minutes.',
    }
  if ('problem' in days) return days
  const shifted = shiftedTime({ kind: 'cron', pattern, timezone }, (hour, minute) =>
    Boolean(parsed.hour[hour] && parsed.minute[minute]),
  )
  if (shifted)
    return {
      problem: `has a time that does not exist in ${timezone} on ${shifted}: EventBridge Scheduler skips it, while Moraine runs right after the clock change`,
      hint: 'Choose an hour that no clock change skips, or leave out the time zone.',
    }
  const years = parsed.starYear ? '*' : list(set(parsed.year))
  const fields = [
    field(set(parsed.minute), 0, 59),
    field(set(parsed.hour), 0, 23),
    days.day,
    field(
      set(parsed.month).map((month) => month + 1),
      1,
      12,
    ),
    days.weekday,
    years,
  ]
  return { expression: `cron(${fields.join(' ')})`, timezone }
}

type Days = { readonly day: string; readonly weekday: string }

/** Days of the month, or of the week; with both, cron takes either, which AWS has not. */
function daysOf(parsed: CronPattern): Days | (Expression & { problem: string }) {
  const { starDOM, starDOW } = parsed
  if (!starDOM && !starDOW)
    return {
      problem:
        'names days of the month and of the week: cron runs on either, and EventBridge Scheduler takes one of them',
      hint: 'Leave one of them as *.',
    }
  if (!starDOW) return weekdaysOf(parsed.dayOfWeek)
  const days = set(parsed.day).map((day) => day + 1)
  const nearest = set(parsed.nearestWeekdays).map((day) => `${day + 1}W`)
  const special = [
    ...(parsed.lastDayOfMonth ? ['L'] : []),
    ...(parsed.lastWeekday ? ['LW'] : []),
    ...nearest,
  ]
  if (special.length === 0) return { day: starDOM ? '*' : field(days, 1, 31), weekday: '?' }
  if (special.length === 1 && days.length === 0) return { day: special[0] as string, weekday: '?' }
  return {
    problem: 'lists L or W beside other days, which EventBridge Scheduler does not take',
    hint: 'Leave either out.',
  }
}

/** Weekdays count from 1, Sunday. */
function weekdaysOf(masks: readonly number[]): Days | (Expression & { problem: string }) {
  const days = set(masks)
  if (days.every((day) => masks[day] === ANY))
    return { day: '?', weekday: list(days.map((day) => day + 1)) }
  const [day = 0] = days
  const mask = masks[day] ?? 0
  const nth = [1, 2, 3, 4, 5].find((n) => mask === 2 ** (n - 1))
  if (days.length === 1 && mask === LAST) return { day: '?', weekday: `${day + 1}L` }
  if (days.length === 1 && nth) return { day: '?', weekday: `${day + 1}#${nth}` }
  return {
    problem: 'lists several weekdays of a month, of which EventBridge Scheduler takes one',
    hint: "Write one of them, such as '0 6 * * MON#1'.",
  }
}

const set = (values: readonly number[]) => [...values].flatMap((value, i) => (value ? [i] : []))

/** `*` where it is all of them. */
function field(values: readonly number[], first: number, last: number): string {
  return values.length === last - first + 1 ? '*' : list(values)
}

/** `0,15,30`, with ranges where several follow each other. */
function list(values: readonly number[]): string {
  const runs: [first: number, last: number][] = []
  for (const value of values) {
    const run = runs.at(-1)
    if (run && value === run[1] + 1) run[1] = value
    else runs.push([value, value])
  }
  return runs
    .map(([first, last]) =>
      first === last ? first : last === first + 1 ? `${first},${last}` : `${first}-${last}`,
    )
    .join(',')
}

const MINUTE = 60
const HOUR = 3600
const DAY = 86_400

/** Intervals count from midnight UTC: those that a day has a whole number of. */
function interval(text: string): Expression {
  const seconds = secondsOf(text) ?? 0
  const every = (fields: string): Expression => ({ expression: `cron(${fields})`, timezone: 'UTC' })
  if (seconds % MINUTE === 0 && HOUR % seconds === 0)
    return every(`${seconds === HOUR ? '0' : `0/${seconds / MINUTE}`} * * * ? *`)
  if (seconds % HOUR === 0 && DAY % seconds === 0)
    return every(`0 ${seconds === DAY ? '0' : `0/${seconds / HOUR}`} * * ? *`)
  // Weeks count from 1970-01-01, a Thursday.
  if (seconds === 7 * DAY) return every('0 0 ? * 5 *')
  return {
    problem:
      seconds < MINUTE
        ? 'is shorter than a minute, and EventBridge Scheduler has no seconds'
        : 'cannot be expressed in hours and minutes of a day: EventBridge Scheduler counts other intervals from when the schedule was made',
    hint: "Use a divisor of an hour or a day, such as '5m', '15m', '2h' or '1d', or write cron('…').",
  }
}
