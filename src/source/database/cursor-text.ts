import { microsText } from './times.js'

const TIME = /^(\d{4,6})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6})\d*)?)?(\+00)?$/

/**
 * Where a cursor's text lies among others of its column: a number, or microseconds since 1970.
 * `undefined` for texts that are neither, such as `-infinity`, years before Christ and zero dates:
 * all of them lie before the others.
 */
function positionOf(text: string): bigint | undefined {
  if (/^-?\d+$/.test(text)) return BigInt(text)
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = ''] =
    TIME.exec(text) ?? []
  if (year === undefined || Number(year) < 100 || month === '00' || day === '00') return undefined
  const [m, d, h, min, s] = [month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const millis = Date.UTC(Number(year), m - 1, d, h, min, s)
  return Number.isNaN(millis) ? undefined : BigInt(millis) * 1000n + BigInt(fraction.padEnd(6, '0'))
}

/** Whether one cursor's text lies before another's. */
export function isBefore(a: string, b: string): boolean {
  const [x, y] = [positionOf(a), positionOf(b)]
  if (x === undefined) return y !== undefined
  return y !== undefined && x < y
}

/** A cursor's text so many seconds (of a number: so many numbers) earlier. */
export function earlier(text: string, lag: number): string {
  const at = positionOf(text)
  if (lag === 0 || at === undefined) return text
  if (/^-?\d+$/.test(text)) return String(at - BigInt(Math.ceil(lag)))
  const moved = microsText(Number(at - BigInt(Math.ceil(lag * 1e6))))
  if (text.length === 10) return moved.slice(0, 10)
  return text.endsWith('+00') ? `${moved}+00` : moved
}

/** The day after that of a text. */
export function dayAfter(text: string): string {
  return new Date(Date.parse(`${text.slice(0, 10)}T00:00:00Z`) + 86_400_000)
    .toISOString()
    .slice(0, 10)
}

/**
 * Where the next window begins: at the newest value that was read, or at the bound of open
 * transactions where that is earlier, both set back by the lag; never before the last one.
 *
 * @param newest the newest value below the bound; `undefined`: there was none.
 * @param bound what the source's clock and its open transactions allow, set back already.
 * @param before where the last window began; `null`: at the start.
 */
export function nextWindow(
  newest: string | undefined,
  bound: string | undefined,
  before: string | null,
  lag: number,
): string | null {
  if (newest === undefined || bound === undefined) return before
  const reached = earlier(newest, lag)
  const next = isBefore(bound, reached) ? bound : reached
  return before !== null && isBefore(next, before) ? before : next
}
