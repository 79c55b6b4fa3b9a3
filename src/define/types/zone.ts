import { nearest } from '../nearest.js'

/** Whether this is the name of a time zone. */
export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** What to add to a message about a name that is none: the one that was most likely meant. */
export function zoneHint(name: string): string {
  const similar = nearest(name, Intl.supportedValuesOf('timeZone'))
  return similar === undefined ? '' : `; did you mean '${similar}'?`
}
