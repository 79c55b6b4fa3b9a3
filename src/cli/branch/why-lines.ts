import type { Line } from '../../branch/why/lines.js'
import type { Origin, TextRow, Why } from '../../branch/why/why.js'
import colors from '../output/colors.js'
import { count, plural } from '../output/format.js'
import { terminalWidth, textTable } from '../output/table.js'
import { printable } from '../output/terminal.js'

const WIDTH = 80
/** Characters of a value, and rows of gold that are shown. */
const VALUE = 24
/** Characters of a file and line, of which the last count. */
const PLACE = 40
const ROWS = 5

/** What values were made of, for people. */
export function* whyLines(why: Why): Iterable<string> {
  const { dataset, column, rows, origins, compared, lookedInto } = why
  for (const row of rows.slice(0, ROWS)) yield `${colors.bold(dataset)}  ${rowText(row, column)}`
  if (rows.length > ROWS) yield `… and ${plural(rows.length - ROWS, 'more row')}`
  for (const origin of origins) {
    yield ''
    yield* originLines(origin)
  }
  yield ''
  const from = lookedInto.length > 0 ? `and all of ${lookedInto.join(', ')}` : 'alone'
  yield `Computed from these rows ${from}, ${column ? `${printable(column)} is` : 'the values are'} the same.`
  if (compared.length > 0 && !column)
    yield `Not explained: ${compared.map((name) => printable(name)).join(', ')}, which compare rows with others. Ask for one with --column.`
}

function rowText(row: TextRow, column: string | undefined): string {
  const all = Object.entries(row)
  const sorted = all.filter(([name]) => name !== column)
  const asked = all.filter(([name]) => name === column)
  return [...asked, ...sorted]
    .map(([name, value]) => `${printable(name)} ${shown(value)}`)
    .join(', ')
}

function* originLines({ dataset, key, count: all, columns, rows }: Origin): Iterable<string> {
  const of =
    columns.length > 0 ? `  ${colors.dim(columns.map((c) => printable(c)).join(', '))}` : ''
  yield `${colors.bold(dataset)}  ${plural(all, 'row')}${of}`
  if (rows.length === 0) return
  const chosen = [...new Set([...key, ...columns])]
  const ordered = chosen.length > 0 ? chosen : Object.keys(rows[0]?.values ?? {})
  const table = rows.map(({ values, from }) => ({
    ...Object.fromEntries(ordered.map((name) => [name, shown(values[name] ?? null)])),
    from: from ? placeText(from) : '',
  }))
  const width = terminalWidth() ?? WIDTH
  const heads = [...ordered, 'from'].map((name) => ({ name, right: false }))
  for (const line of textTable(heads, table, { width: width - 2, longest: PLACE }).split('\n'))
    yield `  ${line}`.trimEnd()
  if (all > rows.length) yield `  … and ${count(all - rows.length)} more`
}

function placeText({ file, line }: Line): string {
  const text = `${printable(file)}${line === null ? '' : `:${line}`}`
  return text.length > PLACE ? `…${text.slice(1 - PLACE)}` : text
}

function shown(value: string | null): string {
  if (value === null) return 'NULL'
  const text = printable(value)
  return text.length > VALUE ? `${text.slice(0, VALUE - 1)}…` : text
}
