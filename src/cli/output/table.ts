import type { RowValue } from '../../engine/engine.js'
import colors from './colors.js'
import { cell, readableTime } from './format.js'
import { printable } from './terminal.js'

export interface TableColumn {
  name: string
  right?: boolean
}

export interface TableLayout {
  /** Cells of the terminal that a line may take; as many as it needs without it. */
  width?: number | undefined
  /** Characters of a value that are shown at most. */
  longest?: number
}

/** Characters of a value of a query that are shown at most. */
export const MAX_CELL = 60
/**
 * Cells that a column of text is narrowed to at least before rows are shown one below the other.
 */
const NARROWEST = 12
const GAP = '  '

type Row = Readonly<Record<string, RowValue | undefined>>

/** The width of the terminal, where there is one. */
export function terminalWidth(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined
}

/**
 * Rows as a table of text, numbers to the right. What is wider than the terminal is broken within
 * its column; a table that has too many columns for that is shown as one record below the other.
 */
export function textTable(
  given: readonly TableColumn[],
  rows: readonly Row[],
  { width = terminalWidth(), longest = Number.POSITIVE_INFINITY }: TableLayout = {},
): string {
  const columns = given.map((column) => ({ ...column, name: printable(column.name) }))
  const cells = rows.map((row) => given.map(({ name }) => shown(row[name], longest)))
  const natural = columns.map(({ name }, i) =>
    Math.max(cellsOf(name), ...cells.map((row) => cellsOf(row[i] as string))),
  )
  const words = columns.map((_, i) =>
    Math.max(0, ...cells.map((row) => longestWord(row[i] as string))),
  )
  const widths = fitted(columns, natural, words, width)
  if (!widths) return records(columns, cells, width as number)
  const head = line(
    columns,
    widths,
    columns.map(({ name }) => name),
    colors.bold,
  )
  const rule = colors.dim(widths.map((w) => '─'.repeat(w)).join(GAP))
  return [head, rule, ...cells.flatMap((row) => lines(columns, widths, row))].join('\n')
}

/**
 * Widths that fit a line; `undefined` where no columns of text can be narrowed so far. Words are
 * broken last.
 */
function fitted(
  columns: readonly TableColumn[],
  natural: readonly number[],
  words: readonly number[],
  width: number | undefined,
): number[] | undefined {
  const widths = [...natural]
  if (width === undefined) return widths
  const least = (i: number, word: number) => {
    const { name, right } = columns[i] as TableColumn
    const own = natural[i] as number
    return right ? own : Math.min(own, Math.max(NARROWEST, cellsOf(name), word))
  }
  const whole = columns.map((_, i) => least(i, words[i] as number))
  const broken = columns.map((_, i) => least(i, 0))
  return narrowed(widths, whole, width) ?? narrowed(whole, broken, width)
}

/**
 * Narrows the widest column, again and again, until a line fits; `undefined` where none may become
 * narrower.
 */
function narrowed(
  from: readonly number[],
  least: readonly number[],
  width: number,
): number[] | undefined {
  const widths = [...from]
  const sum = () => widths.reduce((a, b) => a + b, 0) + GAP.length * (widths.length - 1)
  while (sum() > width) {
    const narrowable = widths.map((w, i) => (w > (least[i] as number) ? w : 0))
    const widest = narrowable.indexOf(Math.max(...narrowable))
    if (narrowable[widest] === 0) return undefined
    widths[widest] = (widths[widest] as number) - 1
  }
  return widths
}

function longestWord(text: string): number {
  return Math.max(...text.split(' ').map(cellsOf))
}

function lines(columns: readonly TableColumn[], widths: readonly number[], row: readonly string[]) {
  const wrapped = row.map((text, i) => wrap(text, widths[i] as number))
  const height = Math.max(1, ...wrapped.map(({ length }) => length))
  return Array.from({ length: height }, (_, n) =>
    line(
      columns,
      widths,
      wrapped.map((parts) => parts[n] ?? ''),
    ),
  )
}

function line(
  columns: readonly TableColumn[],
  widths: readonly number[],
  texts: readonly string[],
  paint = (text: string) => text,
): string {
  return texts
    .map((text, i) => {
      const fill = ' '.repeat(Math.max(0, (widths[i] as number) - cellsOf(text)))
      return columns[i]?.right ? fill + paint(text) : paint(text) + fill
    })
    .join(GAP)
    .trimEnd()
}

/** Breaks a text into lines, between words where there are any. */
function wrap(text: string, width: number): string[] {
  if (cellsOf(text) <= width) return [text]
  const found: string[] = []
  let current = ''
  for (const word of text.split(' ')) {
    const longer = current === '' ? word : `${current} ${word}`
    if (cellsOf(longer) <= width) {
      current = longer
      continue
    }
    if (current !== '') found.push(current)
    const pieces = pieced(word, width)
    current = pieces.pop() ?? ''
    found.push(...pieces)
  }
  return current === '' ? found : [...found, current]
}

/** A word in pieces that each fit. */
function pieced(word: string, width: number): string[] {
  const found: string[] = []
  let current = ''
  for (const char of word) {
    if (cellsOf(current + char) > width) {
      found.push(current)
      current = ''
    }
    current += char
  }
  return [...found, current]
}

/** One record below the other, a line a value. */
function records(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  width: number,
): string {
  const names = Math.min(30, Math.max(...columns.map(({ name }) => cellsOf(name))))
  const left = Math.max(NARROWEST, width - names - GAP.length)
  return rows
    .map((row, n) =>
      [
        colors.dim(
          `── ${n + 1} ${'─'.repeat(Math.max(0, Math.min(40, width) - 4 - String(n + 1).length))}`,
        ),
        ...row.flatMap((text, i) =>
          wrap(text, left).map((part, k) => {
            const name = k === 0 ? (columns[i] as TableColumn).name : ''
            return `${colors.bold(name)}${' '.repeat(Math.max(0, names - cellsOf(name)))}${GAP}${part}`.trimEnd()
          }),
        ),
      ].join('\n'),
    )
    .join('\n')
}

function shown(value: RowValue | undefined, longest: number): string {
  const text = typeof value === 'string' ? readableTime(value) : cell(value)
  const safe = printable(text)
  if (safe.length <= longest) return safe
  const chars = [...safe]
  return chars.length > longest ? `${chars.slice(0, longest - 1).join('')}…` : safe
}

/** Cells that a text takes on a terminal, nearly: wide characters count double. */
export function cellsOf(text: string): number {
  // No text of Latin, Greek, Cyrillic or the like has a wide character.
  if (!/[\u1100-\uffff]/.test(text)) return text.length
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
