import type { RowValue } from '../../engine/engine.js'
import { cell } from './format.js'

/**
 * One CSV record (RFC 4180): the very texts. Where it is asked for, those that a spreadsheet would
 * run as a formula are disarmed by `'`.
 */
export function csvRecord(
  values: readonly (RowValue | undefined)[],
  { escapeFormulas = false }: { escapeFormulas?: boolean } = {},
): string {
  return `${values.map((value) => csvField(value, escapeFormulas)).join(',')}\n`
}

function csvField(value: RowValue | undefined, escapeFormulas: boolean): string {
  const plain = cell(value)
  const isText = typeof value === 'string'
  const text = escapeFormulas && isText && isFormula(plain) ? `'${plain}` : plain
  return /[",\n\r]/.test(text) || value === '' ? `"${text.replaceAll('"', '""')}"` : text
}

/** Numbers with a sign are none. */
const isFormula = (text: string) =>
  /^[=+\-@\t\r]/.test(text) && !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)
