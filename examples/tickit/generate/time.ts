const DAY = 86_400
/** 2008-01-01, in seconds since 1970. */
export const YEAR_START = Date.UTC(2008, 0, 1) / 1000
/** The sample's calendar has 365 of the leap year's 366 days. */
export const DAYS = 365
/** The id of 2008-01-01 in the sample. */
export const FIRST_DATE_ID = 1827

const pad = (n: number) => String(n).padStart(2, '0')

function parts(seconds: number) {
  const date = new Date(seconds * 1000)
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    time: `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`,
    weekday: date.getUTCDay(),
  }
}

/** `2008-02-18 02:36:48` */
export function isoTime(seconds: number): string {
  const { year, month, day, time } = parts(seconds)
  return `${year}-${pad(month)}-${pad(day)} ${time}`
}

/** `2/18/2008 02:36:48`, as the sample's sales have it. */
export function americanTime(seconds: number): string {
  const { year, month, day, time } = parts(seconds)
  return `${month}/${day}/${year} ${time}`
}

export function dateIdOf(seconds: number): number {
  return FIRST_DATE_ID + Math.floor((seconds - YEAR_START) / DAY)
}

const weekdays = ['SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA']
const months = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC']
const holidays = ['1-1', '1-21', '2-18', '5-26', '7-4', '9-1', '10-13', '11-11', '11-27', '12-25']

/** A row of the calendar: dateid, caldate, day, week, month, qtr, year, holiday. */
export function calendarRow(index: number): string[] {
  const seconds = YEAR_START + index * DAY
  const { year, month, day, weekday } = parts(seconds)
  return [
    String(FIRST_DATE_ID + index),
    isoTime(seconds).slice(0, 10),
    weekdays[weekday] as string,
    String(Math.floor((index + new Date(YEAR_START * 1000).getUTCDay()) / 7) + 1),
    months[month - 1] as string,
    String(Math.ceil(month / 3)),
    String(year),
    holidays.includes(`${month}-${day}`) ? 'TRUE' : 'FALSE',
  ]
}
