/** What a number of a cell means, by how it is shown. */
export type NumberKind = 'number' | 'date' | 'datetime' | 'time' | 'duration'

/**
 * Built-in formats that show dates and times (ECMA-376 part 1, 18.8.30), those of East Asia among
 * them.
 */
const BUILT_IN: readonly [from: number, to: number, kind: NumberKind][] = [
  [14, 17, 'date'],
  [18, 21, 'time'],
  [22, 22, 'datetime'],
  [27, 31, 'date'],
  [32, 35, 'time'],
  [36, 36, 'date'],
  [45, 45, 'time'],
  [46, 46, 'duration'],
  [47, 47, 'time'],
  [50, 58, 'date'],
]

/** What numbers mean that a format shows; `code` is that of a format which the workbook defines. */
export function kindOfFormat(id: number, code: string | undefined): NumberKind {
  if (code !== undefined) return kindOfCode(code)
  return BUILT_IN.find(([from, to]) => id >= from && id <= to)?.[2] ?? 'number'
}

/** What stands in a code for itself: texts in quotes, characters behind `\`, `_` and `*`. */
const LITERAL = /"[^"]*"?|\\.|_.|\*./gs
const ELAPSED = /\[(h+|m+|s+)\]/i

/** By its first section, which is that of positive numbers. */
function kindOfCode(code: string): NumberKind {
  const [first = ''] = code.replace(LITERAL, ' ').split(';')
  if (ELAPSED.test(first)) return 'duration'
  // Colours, conditions and locales stand in brackets; `E+00` is an exponent.
  const bare = first
    .replace(/\[[^\]]*\]/g, ' ')
    .replace(/general/gi, ' ')
    .replace(/e[+-]/gi, ' ')
    .toLowerCase()
  const time = /[hs]|am\/pm|a\/p/.test(bare)
  const date = /[ydegb]/.test(bare) || (/m/.test(bare) && !time)
  if (date) return time ? 'datetime' : 'date'
  return time ? 'time' : 'number'
}

const DAY = 86_400_000
/** The last day that there is: 9999-12-31, in the systems of 1900 and of 1904. */
const LAST = { 1900: 2_958_465, 1904: 2_957_003 }

/**
 * The text of a number that means a time: `2026-01-05`, `2026-01-05 10:30:00`, `10:30:00`,
 * `36:00:00` for a duration. A number that is no time in its system stays a number.
 *
 * @param system the year in which days begin to be counted. In that of 1900 there is a 29th of
 *   February which there never was, as serial 60.
 */
export function timeText(serial: number, kind: NumberKind, system: 1900 | 1904): string {
  if (kind === 'duration') return durationText(serial)
  if (serial < 0 || serial >= LAST[system] + 1) return numberText(serial)
  const first = system === 1904 ? 0 : 1
  const isDay = serial >= first
  if (!isDay && kind === 'date' && serial === 0) return '0'
  // Excel counts milliseconds; what doubles add to them is no part of a time.
  let day = Math.floor(serial)
  let ms = Math.round((serial - day) * DAY)
  if (ms === DAY) {
    day++
    ms = 0
  }
  const time = clock(ms)
  if (!isDay || (kind === 'time' && day < 1)) return time
  const date = dayText(day, system)
  return kind === 'date' && ms === 0 ? date : `${date} ${time}`
}

function dayText(day: number, system: 1900 | 1904): string {
  if (system === 1900 && day === 60) return '1900-02-29'
  const base = system === 1904 ? Date.UTC(1904, 0, 1) : Date.UTC(1899, 11, day < 60 ? 31 : 30)
  return new Date(base + day * DAY).toISOString().slice(0, 10)
}

function clock(ms: number): string {
  return new Date(ms)
    .toISOString()
    .slice(11, 23)
    .replace(/\.000$/, '')
}

function durationText(days: number): string {
  const ms = Math.round(Math.abs(days) * DAY)
  const hours = Math.floor(ms / 3_600_000)
  const rest = clock(ms % 3_600_000).slice(2)
  return `${days < 0 && ms > 0 ? '-' : ''}${String(hours).padStart(2, '0')}${rest}`
}

/**
 * A number as it is written in a workbook, in the fewest digits that mean the same double:
 * `4.0999999999999996` is 4.1. Whole numbers, and those with more digits than a double has, keep
 * theirs: a program wrote them that knew better.
 */
export function shortestText(text: string): string | undefined {
  if (/^-?(0|[1-9]\d*)$/.test(text)) return text === '-0' ? '0' : text
  const found = /^[+-]?(\d*)(?:\.(\d*))?(?:[eE][+-]?\d+)?$/.exec(text)
  if (!found || (found[1] ?? '') + (found[2] ?? '') === '') return undefined
  const digits = `${found[1]}${found[2] ?? ''}`.replace(/^0+/, '')
  if (digits.length > 17 && !/[eE]/.test(text)) return text
  const number = Number(text)
  return Number.isFinite(number) ? numberText(number) : undefined
}

/** The fewest digits of a double, without an exponent where it is not very large or small. */
export function numberText(number: number): string {
  const text = String(number === 0 ? 0 : number)
  const [mantissa = '', exponent] = text.split('e')
  if (exponent === undefined) return text
  const power = Number(exponent)
  if (power > 38 || power < -38) return text
  const sign = mantissa.startsWith('-') ? '-' : ''
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.')
  return power > 0
    ? `${sign}${whole}${fraction.padEnd(power, '0')}`
    : `${sign}0.${'0'.repeat(-power - 1)}${whole}${fraction}`
}

/**
 * Characters that XML can't have are written as `_x000D_`, and `_x005F_` is the line before such a
 * text.
 */
export function unescapeText(text: string): string {
  if (!text.includes('_x')) return text
  return text.replace(/_x([0-9A-Fa-f]{4})_/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  )
}

/** Columns that a sheet may have, and rows. */
export const MOST = { columns: 16_384, rows: 1_048_576 }

/** `A` is 0, `XFD` is 16383. */
export function columnIndex(letters: string): number {
  let n = 0
  for (let i = 0; i < letters.length; i++) n = n * 26 + (letters.charCodeAt(i) & 31)
  return n - 1
}

export function columnLetters(index: number): string {
  let letters = ''
  for (let n = index + 1; n > 0; n = Math.floor((n - 1) / 26))
    letters = String.fromCharCode(65 + ((n - 1) % 26)) + letters
  return letters
}

/** A part of a sheet: rows from 1, columns from 0, ends among it. */
export interface Range {
  firstRow: number
  lastRow: number
  firstColumn: number
  lastColumn: number
}

/**
 * `B3:F200`, `B:F`, `3:200`, or `B3`, which goes on to the end; `undefined` where it is none of
 * these.
 */
export function parseRange(text: string): Range | undefined {
  const found = /^\$?([A-Za-z]{1,3})?\$?(\d{1,7})?(?::\$?([A-Za-z]{1,3})?\$?(\d{1,7})?)?$/.exec(
    text,
  )
  const [, fromColumn, fromRow, toColumn, toRow] = found ?? []
  if (!fromColumn && !fromRow) return undefined
  if (text.includes(':') && !toColumn && !toRow) return undefined
  const range = {
    firstColumn: fromColumn ? columnIndex(fromColumn) : 0,
    firstRow: fromRow ? Number(fromRow) : 1,
    lastColumn: toColumn ? columnIndex(toColumn) : MOST.columns - 1,
    lastRow: toRow ? Number(toRow) : MOST.rows,
  }
  const { firstColumn, firstRow, lastColumn, lastRow } = range
  const inside = firstRow >= 1 && lastRow <= MOST.rows && lastColumn < MOST.columns
  return inside && firstColumn <= lastColumn && firstRow <= lastRow ? range : undefined
}
