import { refuse } from '../refusal.js'
import { BIGINT, DATE, shown, timestamp } from '../types.js'
import type { Context } from './scope.js'
import type { Written } from './written.js'

export const CALENDAR = ['date', 'timestamp', 'timestamptz', 'zoned']

/** Parts of dates and times by their names in Trino, and the engine's. */
export const PARTS: Readonly<Record<string, { engine: string; ofTime?: true }>> = {
  year: { engine: 'year' },
  quarter: { engine: 'quarter' },
  month: { engine: 'month' },
  week: { engine: 'week' },
  day: { engine: 'day' },
  day_of_month: { engine: 'day' },
  day_of_week: { engine: 'isodow' },
  dow: { engine: 'isodow' },
  day_of_year: { engine: 'dayofyear' },
  doy: { engine: 'dayofyear' },
  week_of_year: { engine: 'week' },
  year_of_week: { engine: 'isoyear' },
  yow: { engine: 'isoyear' },
  hour: { engine: 'hour', ofTime: true },
  minute: { engine: 'minute', ofTime: true },
  second: { engine: 'second', ofTime: true },
}

/** A part of a date or time. */
export function writeExtract(
  part: string,
  of: Written,
  at: number,
  { statement }: Context,
): Written {
  const found = Object.hasOwn(PARTS, part) ? PARTS[part] : undefined
  if (!found) throw refuse(statement, at, `There is no part '${part}' of a time here`)
  const name = of.type?.name ?? 'a value of unknown type'
  if (!CALENDAR.includes(name) || (found.ofTime && name === 'date'))
    throw refuse(
      statement,
      at,
      `A ${of.type ? shown(of.type) : name} has no ${part}`,
      'Cast it to a timestamp.',
    )
  return { sql: `date_part('${found.engine}', ${of.sql})`, type: BIGINT, at }
}

/**
 * A moment as clocks of a zone show it. The engine's moments have no zone, so that what is taken of
 * it can be computed, and it can't be shown by itself.
 */
export function writeZone(of: Written, zone: Written, at: number, { statement }: Context): Written {
  const name = of.type?.name
  if (zone.word === undefined || !/^[A-Za-z]+(\/[A-Za-z_+-]+)*$/.test(zone.word))
    throw refuse(
      statement,
      zone.at,
      'A time zone must be a name in quotes',
      "AT TIME ZONE 'Europe/Berlin'",
    )
  const { precision = 3 } = of.type ?? {}
  // Times without a zone are those of the session, whose zone is UTC.
  const moment = name === 'timestamp' ? `CAST(${of.sql} AS TIMESTAMP WITH TIME ZONE)` : of.sql
  if (name !== 'timestamp' && name !== 'timestamptz')
    throw refuse(statement, at, 'Only timestamps can be seen AT TIME ZONE')
  if (/^(utc|etc\/utc)$/i.test(zone.word))
    return { sql: moment, type: { name: 'timestamptz', precision }, at }
  return { sql: `timezone(${zone.sql}, ${moment})`, type: { name: 'zoned', precision }, at }
}

export function writeNow(name: string, at: number): Written {
  if (name === 'CURRENT_DATE') return { sql: 'current_date', type: DATE, at }
  if (name === 'LOCALTIMESTAMP')
    return { sql: "date_trunc('millisecond', CAST(now() AS TIMESTAMP))", type: timestamp(3), at }
  return {
    sql: "date_trunc('millisecond', now())",
    type: { name: 'timestamptz', precision: 3 },
    at,
  }
}
