import type { DatasetDiff, LakeDiff } from '../../branch/diff/diff.js'
import type { ColumnDiff, ExampleRow, RowsDiff } from '../../branch/diff/rows.js'
import { sayChange } from '../../plan/schema-diff.js'
import { redact } from '../../secrets.js'
import { count, plural, size } from '../output/format.js'
import { printable } from '../output/terminal.js'
import {
  beside,
  changesText,
  checkText,
  downstreamText,
  movedValues,
  rowsText,
  sideText,
  whereApart,
} from './diff-lines.js'

/** Characters of a value. */
const VALUE = 60
/** Columns of a row, and of a table of columns, that are shown. */
const COLUMNS = 30

/**
 * A comparison as Markdown: one line a dataset, its details folded. Nothing in it is markup.
 *
 * @param room characters that there is room for: what is left out is named.
 */
export function diffMarkdown(diff: LakeDiff, room = Number.POSITIVE_INFINITY): string {
  const { before, after, datasets, same, notes = [] } = diff
  const own = beside(diff)
  const title = `### ${plain(sideText(before))} → ${plain(sideText(after))}`
  const heading = [title, ...[...own, ...notes].map((note) => `⚠ ${plain(note)}`)].join('\n\n')
  if (datasets.length === 0) return `${heading}\n\nNo dataset differs (${same} compared).`
  const rows = within(datasets.map(summaryRow), room / 3)
  const table = [
    '| dataset | rows | columns | discarded | downstream |',
    '| --- | --- | --- | --- | --- |',
    ...rows.shown,
    ...(rows.left > 0 ? [`| and ${count(rows.left)} more | | | | |`] : []),
  ]
  const end = `${same} ${same === 1 ? 'dataset is' : 'datasets are'} the same.`
  const others = [heading, '', ...table, '', end, '', pins(diff)].join('\n')
  const details = detailsWithin(diff, room - others.length)
  return [heading, '', ...table, '', ...details, end, '', pins(diff)].join('\n')
}

/** As many lines as there is room for, and how many are left. */
export function within(lines: readonly string[], room: number): { shown: string[]; left: number } {
  let used = 0
  const end = lines.findIndex((line) => {
    used += line.length + 1
    return used > room
  })
  const shown = end < 0 ? [...lines] : lines.slice(0, end)
  return { shown, left: lines.length - shown.length }
}

/** Characters for saying what is left out. */
const LEAST = 200

/** The details of datasets, as far as there is room: without rows where these are too many. */
function detailsWithin({ datasets, after }: LakeDiff, room: number): string[] {
  const shown: string[] = []
  let [left, rows, all] = [room - LEAST, 0, 0]
  for (const diff of datasets) {
    const { rows: _, ...brief } = diff
    const forms = left > LEAST ? [diff, brief].map((one) => detailsOf(one).join('\n')) : []
    const text = forms.find(({ length }) => length < left)
    if (text === undefined) all++
    else if (text !== forms[0]) rows++
    if (text) shown.push(text)
    left -= (text?.length ?? 0) + 1
  }
  if (rows + all === 0) return shown
  const said = [
    ...(rows > 0 ? [`rows of ${plural(rows, 'dataset')}`] : []),
    ...(all > 0 ? [`all details of ${plural(all, 'dataset')}`] : []),
  ]
  const command = code(`moraine diff ${after.name}`)
  return [...shown, `There is no room here for ${said.join(' and ')}: ${command} shows them.`, '']
}

/** What exactly was compared: commits, with the hashes that the log has of them. */
function pins({ before, after }: LakeDiff): string {
  const pin = ({ name, commit, hash }: LakeDiff['before']) =>
    `${plain(name)} at commit ${commit} \`${hash?.slice(0, 16) ?? 'none'}\``
  return `<sub>Compared: ${pin(before)} with ${pin(after)}.</sub>`
}

function summaryRow(diff: DatasetDiff): string {
  const { dataset, columns, discarded, downstream } = diff
  const gained = discarded.reduce((sum, one) => sum + one.gained, 0)
  const lost = discarded.reduce((sum, one) => sum + one.lost, 0)
  const breaking = columns.some((column) => column.breaking) ? ' ⚠' : ''
  const cells = [
    `**${plain(dataset)}**`,
    plain(rowsText(diff)),
    columns.length > 0 ? `${columns.length}${breaking}` : '',
    changesText(gained, lost),
    downstream.map(plain).join(', '),
  ]
  return `| ${cells.join(' | ')} |`
}

function detailsOf(diff: DatasetDiff): string[] {
  const { dataset, definition, columns, rows, discarded, checks, reaches, files } = diff
  const list = [
    ...definition.map((said) => `- definition: ${plain(said)}`),
    ...columns.map((column) => {
      return `- column ${code(sayChange(column))}${column.breaking ? ' **breaks readers**' : ''}`
    }),
    ...discarded.map(({ reason, gained, lost }) => {
      return `- discarded ${changesText(gained, lost)}: ${plain(reason)}`
    }),
    ...checks.map((one) => `- check ${plain(checkText(one))}`),
    ...(reaches.length > 0 ? [`- downstream: ${plain(downstreamText(diff))}`] : []),
    ...(files
      ? [
          `- files: ${count(files.added.files)} new (${size(files.added.bytes)}), ${count(files.removed.files)} gone, ${count(files.shared)} shared and not read`,
        ]
      : []),
    ...(rows?.note ? [`- ${plain(rows.note)}`] : []),
  ]
  const body = [...list, ...(list.length > 0 ? [''] : []), ...(rows ? rowParts(rows) : [])]
  if (body.length === 0) return []
  return [`<details><summary>${html(dataset)}</summary>`, '', ...body, '</details>', '']
}

function rowParts({ columns, examples, key }: RowsDiff): string[] {
  const { added, removed, changed } = examples
  const moved = changed.map(({ key: of, columns: values }) => {
    const parts = Object.entries(values).map(([name, [a, b]]) => `${code(name)} ${movedTo(a, b)}`)
    return `| ~ | ${rowText(of)} | ${fewOf(parts)} |`
  })
  const whole = (mark: string, rows: readonly ExampleRow[]) =>
    rows.map((row) => {
      const of = Object.fromEntries(Object.entries(row).filter(([name]) => key.includes(name)))
      const others = Object.fromEntries(Object.entries(row).filter(([name]) => !key.includes(name)))
      return `| ${mark} | ${rowText(of)} | ${rowText(others)} |`
    })
  const rows = [...moved, ...whole('+', added), ...whole('-', removed)]
  const values = columns
    .slice(0, COLUMNS)
    .flatMap(movedValues)
    .map((one) => `- ${code(one.column)} = ${value(one.value)}: ${one.rows}`)
  return [
    ...(columns.length > 0 ? [...columnTable(columns), ''] : []),
    ...(values.length > 0 ? [...values, ''] : []),
    ...(rows.length > 0 ? ['| | key | values |', '| --- | --- | --- |', ...rows, ''] : []),
  ]
}

function columnTable(columns: readonly ColumnDiff[]): string[] {
  const moved = (of: { before: string | number | null; after: string | number | null }) =>
    of.before === of.after ? '' : movedTo(of.before, of.after)
  return [
    '| column | changed | nulls | sum | min | max |',
    '| --- | ---: | --- | --- | --- | --- |',
    ...columns.slice(0, COLUMNS).map(({ column, changed, nulls, sum, min, max }) => {
      const cells = [moved(nulls), sum ? moved(sum) : '', moved(min), moved(max)]
      return `| ${code(column)} | ${changed > 0 ? count(changed) : ''} | ${cells.join(' | ')} |`
    }),
    ...(columns.length > COLUMNS ? [`| and ${columns.length - COLUMNS} more | | | | | |`] : []),
  ]
}

const rowText = (row: ExampleRow) =>
  fewOf(Object.entries(row).map(([name, one]) => `${code(name)} ${value(one)}`))

/** What is said of columns of a row: of wide ones the first. */
const fewOf = (parts: readonly string[]) =>
  parts.length > COLUMNS
    ? `${parts.slice(0, COLUMNS).join(', ')} and ${parts.length - COLUMNS} more`
    : parts.join(', ')

/** A value and what it is now: long ones from where they differ. */
function movedTo(before: string | number | null, after: string | number | null): string {
  if (before === null || after === null) return `${value(before)} → ${value(after)}`
  const texts = [before, after].map((one) => redact(String(one))) as [string, string]
  return whereApart(...texts, VALUE)
    .map(code)
    .join(' → ')
}

const value = (one: string | number | null) => (one === null ? '*NULL*' : code(String(one)))

/** A text as code of one line, in a cell of a table: nothing in it ends the code or the cell. */
function code(text: string): string {
  const line = printable(redact(text)).replace(/\s+/g, ' ')
  const short = line.length > VALUE ? `${line.slice(0, VALUE - 1)}…` : line
  const fence = '`'.repeat(Math.max(0, ...(short.match(/`+/g) ?? []).map((run) => run.length)) + 1)
  const space = fence.length > 1 || short.startsWith('`') || short === '' ? ' ' : ''
  return `${fence}${space}${short.replaceAll('|', '\\|')}${space}${fence}`
}

/** Breaks a word, and is not seen: escapes alone are gone where links to people are looked for. */
const BREAK = '&#8203;'

/** A text without secrets, in which nothing is markup, a link, or somebody's name or issue. */
export function plain(text: string): string {
  const line = printable(redact(text)).replace(/\s+/g, ' ')
  return html(line)
    .replace(/[\\`*_{}[\]()#+!|~]/g, '\\$&')
    .replace(/([@#!~])(?=\w)|(\bwww)(?=\.)|(:)(?=\/\/)/gi, `$&${BREAK}`)
}

const html = (text: string) =>
  printable(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
