import type { RowValue } from '../../engine/engine.js'
import { cell } from './format.js'

/**
 * One CSV record (RFC 4180). Texts that a spreadsheet would run as a formula are disarmed by `'`.
 */
export function csvRecord(values: readonly (RowValue | undefined)[]): string {
  return `${values.map(csvField).join(',')}\n`
}

function csvField(value: RowValue | undefined): string {
  const text = cell(value)
  const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)
  const safe = typeof value === 'string' && !number && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\n\r]/.test(safe) || (value === '' && safe === '')
    ? `"${safe.replaceAll('"', '""')}"`
    : safe
}
