const ISO = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d(?:\.\d{1,9})?))?(Z|[+-]\d\d:?\d\d)?)?$/

/** A commit's number or a time, as a person writes it; `undefined` for anything else. */
export function parsePoint(text: string): number | Date | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : parseTime(text)
}

/**
 * A time in ISO 8601: `2026-01-31`, `2026-01-31 12:00`, `2026-01-31T12:00:00Z`, with an offset such
 * as `+01:00`; UTC where none is given. `undefined` for anything else, also for days that do not
 * exist: JavaScript reads `-1` as a day of 2001, and 31 February as one of March.
 */
export function parseTime(text: string): Date | undefined {
  const [, day, minute = '00:00', second = '00', zone = 'Z'] = ISO.exec(text) ?? []
  if (day === undefined) return undefined
  const time = new Date(`${day}T${minute}:${second}${zone}`)
  const exists =
    !Number.isNaN(time.getTime()) && new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day)
  return exists ? time : undefined
}
