const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400, w: 604_800 }

/**
 * The seconds of `30s`, `15m`, `2h`, `1d`, `2w`, and of `30 seconds`, `400 days`; `undefined` for
 * anything else.
 */
export function secondsOf(interval: string): number | undefined {
  const match = /^([1-9]\d*)(?:([smhdw])| ?(seconds?|minutes?|hours?|days?|weeks?))$/.exec(interval)
  const unit = match && (match[2] ?? match[3]?.[0])
  return unit ? Number(match[1]) * (UNITS[unit] as number) : undefined
}

/** The milliseconds of `200ms`, or of an interval of seconds and more; NaN for anything else. */
export function millisecondsOf(interval: string): number {
  const [, number] = /^(\d+)ms$/.exec(interval) ?? []
  return number === undefined ? (secondsOf(interval) ?? Number.NaN) * 1000 : Number(number)
}
