import type { DatasetDiff, LakeDiff, Side } from '../../branch/diff/diff.js'
import type { ColumnDiff, ExampleRow, RowsDiff } from '../../branch/diff/rows.js'
import { sayChange } from '../../plan/schema-diff.js'
import colors from '../output/colors.js'
import { count, plural, size } from '../output/format.js'
import { terminalWidth, textTable } from '../output/table.js'
import { ESC, printable } from '../output/terminal.js'

/** Columns of a terminal that has not said how many it has. */
const WIDTH = 80
const INDENT = 2
/** Characters of a value in a table. */
const VALUE = 20

const COLOUR = new RegExp(`${ESC}\\[\\d+m`, 'gu')

const width = () => (terminalWidth() ?? WIDTH) - INDENT

/** A comparison for people, in 80 columns where the terminal does not have more. */
export function* diffLines(diff: LakeDiff): Iterable<string> {
  const { before, after, datasets, same } = diff
  yield `${colors.bold(sideText(before))} → ${colors.bold(sideText(after))}`
  if (datasets.length === 0) return yield `No dataset differs: ${plural(same, 'dataset')} compared.`
  for (const dataset of datasets) {
    yield ''
    yield* datasetLines(dataset)
  }
  yield ''
  yield `${plural(datasets.length, 'dataset')} differ${datasets.length === 1 ? 's' : ''}, ${same} ${same === 1 ? 'is' : 'are'} the same.`
}

export const sideText = ({ name, commit }: Side) =>
  name === String(commit) ? `commit ${commit}` : `${name} (commit ${commit})`

function* datasetLines(diff: DatasetDiff): Iterable<string> {
  const { dataset, change, definition, columns, rows, discarded, downstream } = diff
  const marks = { added: colors.green('+'), removed: colors.red('-'), changed: colors.yellow('~') }
  yield `${marks[change]} ${colors.bold(dataset)}  ${rowsText(diff)}`
  for (const said of definition) yield cut(`  definition  ${printable(said)}`)
  for (const column of columns) {
    const breaks = column.breaking && change === 'changed' ? '  breaks readers' : ''
    yield cut(`  column      ${printable(sayChange(column))}${breaks}`)
  }
  for (const line of filesLines(diff)) yield line
  for (const { reason, gained, lost } of discarded)
    yield cut(`  discarded   ${changesText(gained, lost)}  ${printable(reason)}`)
  if (downstream.length > 0) yield cut(`  downstream  ${downstream.join(', ')}`)
  if (rows) yield* rowLines(rows)
}

/** `5 → 7 rows: 3 added, 1 removed, 2 changed, by order_id`. */
export function rowsText({ change, rowsBefore, rowsAfter, rows }: DatasetDiff): string {
  const n = (value: number | null) => (value === null ? 'no' : count(value))
  if (change === 'added')
    return rowsAfter === null ? 'a new view' : `new, ${plural(rowsAfter, 'row')}`
  if (change === 'removed')
    return rowsBefore === null ? 'a view that is gone' : `gone, ${plural(rowsBefore, 'row')}`
  if (!rows) return 'a view'
  const { added, removed, changed, key } = rows
  const parts = [
    ...(added > 0 ? [`${count(added)} added`] : []),
    ...(removed > 0 ? [`${count(removed)} removed`] : []),
    ...(changed > 0 ? [`${count(changed)} changed`] : []),
  ]
  const by = key.length > 0 ? `, by ${key.join(', ')}` : ''
  const what = parts.length > 0 ? `${parts.join(', ')}${by}` : 'none of them differs'
  return `${n(rowsBefore)} → ${n(rowsAfter)} rows: ${what}`
}

function filesLines({ files }: DatasetDiff): string[] {
  if (!files) return []
  const { added, removed, shared } = files
  const parts = [
    `${count(added.files)} new (${size(added.bytes)})`,
    `${count(removed.files)} gone (${size(removed.bytes)})`,
    ...(shared > 0 ? [`${count(shared)} shared, not read`] : []),
  ]
  return [`  files       ${parts.join(', ')}`]
}

export const changesText = (gained: number, lost: number) =>
  [...(gained > 0 ? [`+${count(gained)}`] : []), ...(lost > 0 ? [`-${count(lost)}`] : [])].join(' ')

function* rowLines({ columns, examples, note }: RowsDiff): Iterable<string> {
  if (note) yield cut(`  ${colors.yellow('!')} ${printable(note)}`)
  if (columns.length > 0) {
    yield ''
    yield* indented(columnTable(columns))
    const values = columns.flatMap(valueLines)
    if (values.length > 0) yield ''
    yield* values
  }
  const { added, removed, changed } = examples
  if (added.length + removed.length + changed.length > 0) yield ''
  for (const { key, columns: moved } of changed) {
    const parts = Object.entries(moved).map(
      ([name, [a, b]]) => `${name}: ${shown(a)} → ${shown(b)}`,
    )
    yield cut(`  ${colors.yellow('~')} ${rowText(key)}  ${printable(parts.join(', '))}`)
  }
  for (const row of added) yield cut(`  ${colors.green('+')} ${rowText(row)}`)
  for (const row of removed) yield cut(`  ${colors.red('-')} ${rowText(row)}`)
}

/** What moved in columns, over the rows that differ. */
function columnTable(columns: readonly ColumnDiff[]): string {
  const moved = ({ before, after }: { before: unknown; after: unknown }) => {
    if (before === after || (before ?? after ?? null) === null) return ''
    const text = (value: unknown) => (value === null ? '-' : shown(value as string | number))
    return `${text(before)} → ${text(after)}`
  }
  const heads = ['column', 'changed', 'nulls', 'sum', 'min', 'max']
  const rows = columns.map(({ column, changed, nulls, sum, min, max }) => ({
    column,
    changed: changed > 0 ? count(changed) : '',
    nulls: moved(nulls),
    sum: sum ? moved(sum) : '',
    min: moved(min),
    max: moved(max),
  }))
  const used = heads.filter(
    (head) => head === 'column' || rows.some((row) => row[head as keyof typeof row] !== ''),
  )
  const layout = { width: width(), longest: 2 * VALUE + 3 }
  return textTable(
    used.map((name) => ({ name, right: name === 'changed' })),
    rows,
    layout,
  )
}

function valueLines({ column, values = [] }: ColumnDiff): string[] {
  return values
    .slice(0, 3)
    .map(({ value, before, after }) =>
      cut(`  ${printable(column)} = ${shown(value)}: ${count(before)} → ${count(after)} rows`),
    )
}

function shown(value: string | number | null): string {
  if (value === null) return 'NULL'
  const text = printable(String(value))
  return text.length > VALUE ? `${text.slice(0, VALUE - 1)}…` : text
}

const rowText = (row: ExampleRow) =>
  Object.entries(row)
    .map(([name, value]) => `${printable(name)} ${shown(value)}`)
    .join(', ')

function* indented(text: string): Iterable<string> {
  for (const line of text.split('\n')) yield `${' '.repeat(INDENT)}${line}`.trimEnd()
}

/** A line that is no longer than the terminal; colours do not count. */
function cut(text: string): string {
  const most = width() + INDENT
  const plain = text.replace(COLOUR, '')
  if (plain.length <= most) return text
  return `${plain.slice(0, most - 1)}…`
}
