import type { When } from '../../../define/model.js'
import { nextTime } from '../../../define/schedule.js'

/** Years that are looked through: rules of time zones repeat. */
const FROM = Date.UTC(2026, 0, 1)
const YEARS = 4
const DAY = 86_400_000
const HOUR = 3_600_000

/**
 * A day on which clocks go forward over a time of a schedule, so that it runs at another time;
 * `undefined` if there is none.
 *
 * @param isTime whether a schedule has an hour and a minute.
 */
export function shiftedTime(
  schedule: When & { kind: 'cron' },
  isTime: (hour: number, minute: number) => boolean,
): string | undefined {
  const { timezone = 'UTC' } = schedule
  if (timezone === 'UTC') return undefined
  const clock = clockOf(timezone)
  for (const change of forwardChanges(clock)) {
    // Runs that a change moved come right after it.
    let run = nextTime(schedule, new Date(change - 1))
    while (run && run.getTime() < change + HOUR) {
      const { hour, minute, day } = clock(run.getTime())
      if (!isTime(hour, minute)) return day
      run = nextTime(schedule, run)
    }
  }
  return undefined
}

type Clock = (time: number) => { day: string; hour: number; minute: number; offset: number }

function clockOf(timeZone: string): Clock {
  const format = new Intl.DateTimeFormat('en-CA', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  })
  return (time) => {
    const parts = Object.fromEntries(format.formatToParts(time).map((p) => [p.type, p.value]))
    const day = `${parts.year}-${parts.month}-${parts.day}`
    const local = Date.parse(`${day}T${parts.hour}:${parts.minute}:00Z`)
    const offset = local - Math.floor(time / 60_000) * 60_000
    return { day, hour: Number(parts.hour), minute: Number(parts.minute), offset }
  }
}

/** The first moments after clocks went forward. */
function forwardChanges(clock: Clock): number[] {
  const found: number[] = []
  const until = FROM + YEARS * 366 * DAY
  for (let at = FROM; at < until; at += 10 * DAY) {
    if (clock(at + 10 * DAY).offset <= clock(at).offset) continue
    let [low, high] = [at, at + 10 * DAY]
    while (high - low > 60_000) {
      const middle = Math.floor((low + high) / 120_000) * 60_000
      if (clock(middle).offset > clock(low).offset) high = middle
      else low = middle
    }
    found.push(high)
  }
  return found
}
