import { secondsOf } from '../define/interval.js'
import { MoraineError } from '../errors.js'
import { parseTime } from '../log/point.js'

/** What an option such as `--every 2s` says, in seconds; a number alone is seconds. */
export function intervalFor(option: string, text: string): number {
  const seconds = /^[1-9]\d*$/.test(text) ? Number(text) : secondsOf(text)
  if (seconds !== undefined && seconds <= 86_400) return seconds
  throw new MoraineError('usage', `${option} ${text} is not a duration of up to a day`, {
    hint: 'Use the form of every(…): 2s, 5m, 1h.',
  })
}

/** What an option such as `--grace 7d` says, in seconds. */
export function secondsFor(option: string, text: string): number {
  const seconds = /^0[smhdw]?$/.test(text) ? 0 : secondsOf(text)
  if (seconds !== undefined) return seconds
  throw new MoraineError('usage', `${option} ${text} is not a duration`, {
    hint: 'Use minutes, hours, days or weeks: 90m, 12h, 7d, 2w.',
  })
}

/** What an option such as `--since 2026-01-31` says, or `--since 12h`: that long ago. */
export function momentFor(option: string, text: string, now = new Date()): Date {
  const time = parseTime(text)
  if (time) return time
  const seconds = secondsOf(text)
  const ago = new Date(now.getTime() - (seconds ?? Number.NaN) * 1000)
  if (!Number.isNaN(ago.getTime())) return ago
  throw new MoraineError('usage', `${option} ${text} is neither a time nor a duration`, {
    hint: 'Write a time (2026-01-31, 2026-01-31T12:00:00Z), or how long ago it was: 90m, 12h, 7d.',
  })
}

/** The times that `--since` and `--until` give. */
export function spanOf({ since, until }: { since?: string; until?: string }): {
  from?: Date
  to?: Date
} {
  const now = new Date()
  const from = since === undefined ? undefined : momentFor('--since', since, now)
  const to = until === undefined ? undefined : momentFor('--until', until, now)
  if (from && to && to <= from)
    throw new MoraineError('usage', `--until ${until} is not after --since ${since}`, {
      hint: 'Give the earlier time to --since.',
    })
  return { ...(from ? { from } : {}), ...(to ? { to } : {}) }
}
