import { sizeText } from '../../define/size.js'
import { thousands } from '../../define/thousands.js'
import type { RowValue } from '../../engine/engine.js'
import { wholeNumber } from '../../query/formats/json-values.js'
import { printableJson } from './terminal.js'

/** `172,456` */
export const count = thousands

/** `1.4 MiB` */
export const size = sizeText

/** `1 row`, `2 rows`. */
export function plural(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? '' : 's'}`
}

/** `0.4 s`, `2 min 5 s` */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
}

/** A value on one line, as tables and CSV show it. */
export function cell(value: RowValue | undefined): string {
  if (value === null || value === undefined) return ''
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
  if (typeof value === 'object') return toJson(value)
  return String(value)
}

/** JSON of values: whole numbers as `wholeNumber` has them; bytes in hexadecimal. */
export function toJson(value: unknown, indent?: number): string {
  const json = JSON.stringify(
    value,
    (_, v) => {
      if (typeof v === 'bigint') return wholeNumber(v)
      return v instanceof Uint8Array ? Buffer.from(v).toString('hex') : v
    },
    indent,
  )
  return printableJson(json)
}

/** A timestamp for people: without the T, and without a fraction of zeros. */
export function readableTime(text: string): string {
  const written = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(\.\d+?)?0*(Z?)$/.exec(text)
  if (!written) return text
  const [, day, time, part = '', zone] = written
  return `${day} ${time}${/[1-9]/.test(part) ? part : ''}${zone}`
}

/** A text as one word of a shell, to be pasted: in quotes where it needs them. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
