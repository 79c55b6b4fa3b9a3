import type { RowValue } from '../../engine/engine.js'
import colors from './colors.js'
import { cell, readableTime } from './format.js'
import { printable } from './printable.js'

export interface TableColumn {
  name: string
  right?: boolean
}

const MAX_CELL = 60

/** Rows as a table of text, numbers to the right; long values are cut. */
export function textTable(
  columns: readonly TableColumn[],
  rows: readonly Readonly<Record<string, RowValue | undefined>>[],
): string {
  const cells = rows.map((row) => columns.map(({ name }) => shown(row[name])))
  const widths = columns.map(({ name }, i) =>
    Math.max(width(name), ...cells.map((row) => width(row[i] as string))),
  )
  const line = (texts: readonly string[], paint = (text: string) => text) =>
    texts
      .map((text, i) => {
        const fill = ' '.repeat((widths[i] as number) - width(text))
        return columns[i]?.right ? fill + paint(text) : paint(text) + fill
      })
      .join('  ')
      .trimEnd()
  const head = line(
    columns.map((c) => c.name),
    colors.bold,
  )
  const rule = colors.dim(widths.map((w) => '─'.repeat(w)).join('  '))
  return [head, rule, ...cells.map((row) => line(row))].join('\n')
}

function shown(value: RowValue | undefined): string {
  const text = typeof value === 'string' ? readableTime(value) : cell(value)
  const line = printable(text, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
  return [...line].length > MAX_CELL ? `${[...line].slice(0, MAX_CELL - 1).join('')}…` : line
}

/** Cells that a text takes on a terminal, nearly: wide characters count double. */
function width(text: string): number {
  let cells = 0
  for (const char of text)
    cells +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u.test(
        char,
      )
        ? 2
        : 1
  return cells
}
