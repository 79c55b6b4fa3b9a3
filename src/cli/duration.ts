import { secondsOf } from '../define/interval.js'
import { MoraineError } from '../errors.js'

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
