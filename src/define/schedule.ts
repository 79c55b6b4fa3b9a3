import { Cron } from 'croner'
import { messageOf } from '../errors.js'

/** When a dataset is brought up to date. */
export type Schedule =
  | { readonly kind: 'cron'; readonly pattern: string; readonly timezone?: string }
  | { readonly kind: 'every'; readonly interval: string }

/** A cron line of five or six fields, such as every 15 minutes; in UTC unless a time zone is given. */
export function cron(pattern: string, options: { timezone?: string } = {}): Schedule {
  return { kind: 'cron', pattern, ...options }
}

/** A fixed interval: `30s`, `15m`, `2h`, `1d`. */
export function every(interval: string): Schedule {
  return { kind: 'every', interval }
}

/** What is wrong with a schedule; `undefined` when nothing is. */
export function scheduleProblem(schedule: Schedule): string | undefined {
  if (schedule.kind === 'every')
    return /^[1-9]\d*[smhd]$/.test(schedule.interval)
      ? undefined
      : `every('${schedule.interval}') is not an interval such as '30s', '15m', '2h' or '1d'`
  try {
    const { pattern, timezone } = schedule
    new Cron(pattern, { paused: true, ...(timezone ? { timezone } : {}) }).nextRun()
    return undefined
  } catch (error) {
    return `cron('${schedule.pattern}') is not a cron line: ${messageOf(error).replace(/^CronPattern: /, '')}`
  }
}
