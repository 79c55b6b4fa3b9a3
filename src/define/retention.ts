import type { z } from 'zod'
import { ownValue } from '../own-value.js'
import { secondsOf } from './interval.js'
import type { Gold, Silver } from './model.js'
import type { ColumnType } from './types/column-type.js'
import { columnTypeOf } from './types/schema.js'

/** When rows of a table are let go. */
export interface Retention {
  /** The column with the time of a row: a date, a timestamp or a timestamptz. */
  by: string
  seconds: number
}

const times = ['date', 'timestamp', 'timestamptz']
const LOADED = '_loaded_at'
const HOUR = 3600
const DAY = 24 * HOUR

/** Rows without a `keep` stay for ever. */
export function retentionOf(dataset: Silver<any> | Gold<any>): Retention | undefined {
  const { keep } = dataset
  const seconds = keep && secondsOf(keep.for)
  const by = keep?.by ?? (dataset.tier === 'silver' ? ownTime(dataset) : undefined)
  return seconds && by ? { by, seconds } : undefined
}

/**
 * The cursor where it is a time. Without a cursor a later row of a key is the newer one, so that
 * the time when it came does as well.
 */
function ownTime({ schema, cursor }: Silver<any>): string | undefined {
  if (cursor === undefined) return LOADED
  const column = ownValue<z.ZodType>(schema.shape, cursor)
  return column && times.includes(typeOf(column)?.kind ?? '') ? cursor : undefined
}

function typeOf(column: z.ZodType): ColumnType | undefined {
  try {
    return columnTypeOf(column)
  } catch {
    // Told where the columns are checked.
    return undefined
  }
}

/** The time before which rows go: of days the beginning of one (UTC), of hours that of an hour. */
export function keptFrom({ seconds }: Retention, now: Date): Date {
  const unit = (seconds >= 2 * DAY ? DAY : seconds >= 2 * HOUR ? HOUR : 1) * 1000
  return new Date(Math.floor((now.getTime() - seconds * 1000) / unit) * unit)
}

/** SQL for a time as a value of a column's type. */
export function timeAs(time: Date, type: ColumnType): string {
  const text = `'${timeText(time, type)}'`
  if (type.kind === 'date') return `DATE ${text}`
  return `TIMESTAMP ${type.kind === 'timestamptz' ? 'WITH TIME ZONE ' : ''}${text}`
}

/** The text of a time as a value of a column's type. */
export function timeText(time: Date, { kind }: ColumnType): string {
  const text = time.toISOString().replace('T', ' ').replace('Z', '')
  if (kind === 'date') return text.slice(0, 10)
  return kind === 'timestamptz' ? `${text}+00` : text
}

export function isTime({ kind }: ColumnType): boolean {
  return times.includes(kind)
}

interface Collector {
  add(message: string, near?: string, hint?: string): void
  unknown(what: string, name: string, known: readonly string[], near?: string): void
}

/** What is wrong with the `keep` of a table. */
export function keepProblems(
  dataset: Silver<any> | Gold<any>,
  columns: Readonly<Record<string, z.ZodType>> | undefined,
  collect: Collector,
): void {
  const { keep } = dataset
  if (!keep) return
  const { by } = keep
  if (secondsOf(keep.for) === undefined)
    collect.add(notInterval(keep.for), `'${keep.for}'`, INTERVALS)
  if (dataset.tier === 'silver' && dataset.history)
    collect.add(
      'a dataset with history keeps every version forever, so its rows never expire',
      'keep',
      'Remove either keep or history',
    )
  const column = by === undefined ? undefined : ownValue(columns, by)
  if (by !== undefined && columns && !column && !(dataset.tier === 'silver' && by === LOADED))
    collect.unknown('keep', by, Object.keys(columns))
  else if (column && !times.includes(typeOf(column)?.kind ?? 'date'))
    collect.add(
      `keep: '${by}' is not a date or time column`,
      `'${by}'`,
      'Use a date, a timestamp or a timestamptz column',
    )
  else if (by === undefined && !retentionOf(dataset) && secondsOf(keep.for) !== undefined)
    collect.add(
      'keep does not specify which column gives the age of a row',
      'keep',
      `Add the column: keep: { for: '${keep.for}', by: '…' }`,
    )
}

export const notInterval = (text: string, option = 'keep') =>
  `${option}: '${text}' is not a duration`
export const INTERVALS = "Write it as '400 days', '30d' or '12h'"
