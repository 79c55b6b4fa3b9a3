import type { CheckDiff } from '../../branch/diff/checks.js'
import type { DatasetDiff, LakeDiff, OwnRows, Side } from '../../branch/diff/diff.js'
import type { ChangedRow, ColumnDiff, ExampleRow, RowsDiff } from '../../branch/diff/rows.js'
import type { OtherChange } from '../../branch/diff/same.js'
import { commitText } from '../../branch/reviewed.js'
import { REVIEW } from '../../log/branch/standing.js'
import { sayChange } from '../../plan/schema-diff.js'
import colors from '../output/colors.js'
import { count, plural, size } from '../output/format.js'
import { terminalWidth, textTable } from '../output/table.js'
import { ESC, printable } from '../output/terminal.js'

/** Columns of a terminal that has not said how many it has. */
const WIDTH = 80
const INDENT = 2
/** Characters of a value in a table, and in a line of its own. */
const VALUE = 20
const LONG_VALUE = 40

const COLOUR = new RegExp(`${ESC}\\[\\d+m`, 'gu')

const width = () => (terminalWidth() ?? WIDTH) - INDENT

/** A comparison for people, in 80 columns where the terminal does not have more. */
export function* diffLines(diff: LakeDiff): Iterable<string> {
  const { before, after, datasets, same, notes = [] } = diff
  yield `${colors.bold(sideText(before))} → ${colors.bold(sideText(after))}`
  for (const text of beside(diff)) yield `${colors.yellow('!')} ${text}`
  for (const note of notes) yield `${colors.yellow('!')} ${printable(note)}`
  if (datasets.length === 0) return yield `No dataset differs: ${plural(same, 'dataset')} compared.`
  for (const dataset of datasets) {
    yield ''
    yield* datasetLines(dataset)
  }
  yield ''
  yield `${plural(datasets.length, 'dataset')} differ${datasets.length === 1 ? 's' : ''}, ${same} ${same === 1 ? 'is' : 'are'} the same.`
}

/** What is to be said beside the datasets that differ. */
export const beside = ({ ownSources = [], others = [] }: LakeDiff): string[] => [
  ...ownSources.map(ownRowsText),
  ...others.map(otherText),
]

function otherText({ name, kind, change }: OtherChange): string {
  const by = { added: 'made', removed: 'dropped', changed: 'changed' }[change]
  const rows = change === 'removed' ? '' : '; its rows are not compared'
  return `${printable(name)}, a ${kind} of other engines, was ${by}${rows}.`
}

/** Rows that are not main's, and what is made of them. */
function ownRowsText({ dataset, from, readers }: OwnRows): string {
  const made = readers.length > 0 ? `, and so do ${readers.join(', ')}` : ''
  return `${dataset} comes from ${from}${made}: they cannot be published.`
}

/** The branch of reviews is told by what `promote --commit` takes. */
export function sideText({ name, commit, hash }: Side): string {
  if (name === String(commit)) return `commit ${commit}`
  return `${name} (commit ${name === REVIEW ? commitText({ number: commit, hash }) : commit})`
}

function* datasetLines(diff: DatasetDiff): Iterable<string> {
  const { dataset, change, definition, columns, rows, discarded, checks, downstream } = diff
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
  for (const one of checks) yield cut(`  check       ${printable(checkText(one))}`)
  if (downstream.length > 0) yield cut(`  downstream  ${printable(downstreamText(diff))}`)
  if (rows) yield* rowLines(rows)
}

/**
 * `gold.daily_revenue (revenue)`: datasets, and their columns that are computed from changed ones.
 */
export function downstreamText({ downstream, reaches }: DatasetDiff): string {
  const reached = new Map(reaches.map(({ dataset, columns }) => [dataset, columns.join(', ')]))
  const one = (name: string) => (reached.has(name) ? `${name} (${reached.get(name)})` : name)
  return downstream.map(one).join(', ')
}

/** `unique(day): passed → failed: 2 values twice`. */
export function checkText({ check, severity, before, after, message }: CheckDiff): string {
  const failed = severity === 'fail' ? 'failed' : 'warned'
  const said = (passed: boolean | null) =>
    passed === null ? 'not checked' : passed ? 'passed' : failed
  return `${check}: ${said(before)} → ${said(after)}${message === undefined ? '' : `: ${message}`}`
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
  for (const row of changed) yield cut(changedLine(row))
  for (const row of added) yield cut(`  ${colors.green('+')} ${rowText(row)}`)
  for (const row of removed) yield cut(`  ${colors.red('-')} ${rowText(row)}`)
}

/** Values are shown as far as the line has room for both sides of each. */
function changedLine({ key, columns }: ChangedRow): string {
  const line = (most: number) => {
    const parts = Object.entries(columns).map(
      ([name, [a, b]]) => `${printable(name)}: ${movedText(a, b, most)}`,
    )
    return `  ${colors.yellow('~')} ${rowText(key)}  ${parts.join(', ')}`
  }
  const whole = line(LONG_VALUE)
  return fits(whole) ? whole : line(VALUE)
}

/** What moved in columns, over the rows that differ. */
function columnTable(columns: readonly ColumnDiff[]): string {
  const moved = ({ before, after }: { before: unknown; after: unknown }) => {
    if (before === after || (before ?? after ?? null) === null) return ''
    const text = (value: unknown) => (value === null ? null : String(value))
    return movedText(text(before), text(after), VALUE, '-')
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

const valueLines = (diff: ColumnDiff): string[] =>
  movedValues(diff).map(({ column, value, rows }) =>
    cut(`  ${printable(column)} = ${shown(value)}: ${rows}`),
  )

function shown(value: string | null): string {
  if (value === null) return 'NULL'
  const text = printable(value)
  return text.length > LONG_VALUE ? `${text.slice(0, LONG_VALUE - 1)}…` : text
}

function movedText(a: string | null, b: string | null, most: number, none = 'NULL'): string {
  const [before = none, after = none] = [a, b].map((value) =>
    value === null ? none : printable(value),
  )
  return whereApart(before, after, most).join(' → ')
}

/** Two values in so many characters: long ones that begin alike from where they differ. */
export function whereApart(one: string, other: string, most: number): [string, string] {
  if ([one, other].every(({ length }) => length <= most)) return [one, other]
  let same = 0
  while (same < one.length && one[same] === other[same]) same++
  // A few characters before show where it is.
  const from = same < most / 2 ? 0 : same - Math.floor(most / 4)
  const part = (text: string) => {
    const rest = from === 0 ? text : `…${text.slice(from)}`
    return rest.length > most ? `${rest.slice(0, most - 1)}…` : rest
  }
  return [part(one), part(other)]
}

/** Values of a column that are there more or less often, of which some are shown. */
export function movedValues({ column, values = [] }: ColumnDiff) {
  return values.slice(0, 3).map(({ value, before, after }) => {
    return { column, value, rows: `${count(before)} → ${count(after)} rows` }
  })
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
  if (fits(text)) return text
  return `${text.replace(COLOUR, '').slice(0, width() + INDENT - 1)}…`
}

const fits = (text: string) => text.replace(COLOUR, '').length <= width() + INDENT
