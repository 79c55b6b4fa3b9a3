/*
 * Dates, times and intervals as the engine's driver writes them, in parts. Years count as ISO 8601
 * does: 0 is 1 BC.
 */

export const DAY = 86_400_000_000n

/** A date with a time of day in microseconds, or one of the two ends of time. */
export type Moment = { days: number; micros: bigint } | 'infinity' | '-infinity'

export interface Interval {
  months: number
  days: number
  micros: bigint
}

/** Days of 0000-03-01 before 1970-01-01. */
const ERA = 719_468

/** Days since 1970-01-01 of a date of the Gregorian calendar, however long ago. */
function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  const leaps = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100)
  return era * 146_097 + yearOfEra * 365 + leaps + dayOfYear - ERA
}

/** The date so many days after 1970-01-01. */
export function dateOf(days: number): { year: number; month: number; day: number } {
  const shifted = days + ERA
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day }
}

/** What the driver writes for dates that are infinite: those beside the first and the last. */
const ends: Readonly<Record<string, Moment>> = {
  infinity: 'infinity',
  '-infinity': '-infinity',
  '5881580-07-11': 'infinity',
  '5877642-06-24 (BC)': '-infinity',
}

const DATE = /^([+-]?\d+)-(\d\d)-(\d\d)( \(BC\))?(?:[T ](.*))?$/

/**
 * A date or a timestamp: `2020-02-29`, `-000043-03-15T10:00:00.000000Z`, `0044-03-15 (BC)
 * 10:00:00`.
 */
export function parseMoment(text: string): Moment {
  const end = ends[text]
  if (end) return end
  const found = DATE.exec(text)
  if (!found) throw new RangeError(`'${text}' is not a date`)
  const [, year = '', month, day, before, time = ''] = found
  const days = daysOf(before ? 1 - Number(year) : Number(year), Number(month), Number(day))
  const clock = time.replace(/(Z|\+00(:?00)?)$/, '')
  return { days, micros: clock === '' ? 0n : parseTime(clock) }
}

/** Microseconds of `04:05:06.5`; what is finer is cut off. */
export function parseTime(text: string): bigint {
  const found = /^(-?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?$/.exec(text)
  if (!found) throw new RangeError(`'${text}' is not a time`)
  const [, minus, hours = '0', minutes = '0', seconds = '0', fraction = ''] = found
  const whole = (BigInt(hours) * 60n + BigInt(minutes)) * 60n + BigInt(seconds)
  const micros = whole * 1_000_000n + BigInt(fraction.slice(0, 6).padEnd(6, '0'))
  return minus ? -micros : micros
}

/** `12:30:00+02:30` in microseconds, and in seconds east of Greenwich. */
export function parseZonedTime(text: string): { micros: bigint; east: number } {
  const found = /^([\d:.]+)([+-])(\d\d):?(\d\d)?:?(\d\d)?$/.exec(text)
  if (!found) return { micros: parseTime(text), east: 0 }
  const [, time = '', sign, hours, minutes = '0', seconds = '0'] = found
  const east = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
  return { micros: parseTime(time), east: sign === '-' ? -east : east }
}

/** `1 year 2 months -3 days 04:05:06.5`. */
export function parseInterval(text: string): Interval {
  const part = (unit: string) => Number(new RegExp(`(-?\\d+) ${unit}s?\\b`).exec(text)?.[1] ?? 0)
  const time = /-?\d+:\d\d:\d\d(\.\d+)?/.exec(text)?.[0]
  return {
    months: part('year') * 12 + part('month'),
    days: part('day'),
    micros: time === undefined ? 0n : parseTime(time),
  }
}
