import type { DatasetDiff, LakeDiff } from '../../branch/diff/diff.js'
import type { ColumnDiff, ExampleRow, RowsDiff } from '../../branch/diff/rows.js'
import { sayChange } from '../../plan/schema-diff.js'
import { redact } from '../../secrets.js'
import { count, size } from '../output/format.js'
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
const VALUE = 200

/** Nothing is loaded, and nothing runs: a value that looks like markup is text. */
const HEAD = `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 1rem; font-variant-numeric: tabular-nums }
th, td { border-bottom: 1px solid #8884; padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top }
code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere }
summary { cursor: pointer; font-weight: 600 }
details { border-top: 1px solid #8884; padding: .6rem 0 }
.added { color: #1a7f37 } .removed { color: #cf222e } .changed { color: #9a6700 }
</style>`

/** A comparison as one page of HTML, which needs no other file. */
export function diffHtml(diff: LakeDiff): string {
  const { before, after, datasets, same, notes = [] } = diff
  const title = `${sideText(before)} → ${sideText(after)}`
  const heads = ['dataset', 'rows', 'columns', 'discarded', 'checks', 'downstream']
  const summary =
    datasets.length === 0 ? '<p>No dataset differs.</p>' : table(heads, datasets.map(summaryRow))
  return [
    `${HEAD}\n<title>${html(title)}</title></head><body>`,
    `<h1>${html(title)}</h1>`,
    ...beside(diff).map((text) => `<p>${html(text)}</p>`),
    ...notes.map((note) => `<p>⚠ ${html(note)}</p>`),
    summary,
    ...datasets.map(details),
    `<p>${same} ${same === 1 ? 'dataset is' : 'datasets are'} the same.</p>`,
    `<p><small>Compared: ${pin(before)} with ${pin(after)}.</small></p>`,
    '</body></html>\n',
  ].join('\n')
}

const pin = ({ name, commit, hash }: LakeDiff['before']) =>
  `${html(name)} at commit ${commit} <code>${html(hash?.slice(0, 16) ?? 'none')}</code>`

function summaryRow(diff: DatasetDiff): string[] {
  const { dataset, change, columns, discarded, checks, downstream } = diff
  const gained = discarded.reduce((sum, one) => sum + one.gained, 0)
  const lost = discarded.reduce((sum, one) => sum + one.lost, 0)
  return [
    `<a href="#${encodeURIComponent(dataset)}"><b class="${change}">${html(dataset)}</b></a>`,
    html(rowsText(diff)),
    columns.length > 0 ? String(columns.length) : '',
    changesText(gained, lost),
    checks.length > 0 ? String(checks.length) : '',
    html(downstream.join(', ')),
  ]
}

function details(diff: DatasetDiff): string {
  const { dataset, definition, columns, rows, discarded, files, checks } = diff
  const items = [
    ...definition.map((said) => `definition: ${html(said)}`),
    ...columns.map((column) => {
      return `column ${code(sayChange(column))}${column.breaking ? ' <b>breaks readers</b>' : ''}`
    }),
    ...checks.map((one) => `check ${html(checkText(one))}`),
    ...discarded.map(({ reason, gained, lost }) => {
      return `discarded ${changesText(gained, lost)}: ${html(reason)}`
    }),
    ...(downstreamText(diff) ? [`downstream: ${html(downstreamText(diff))}`] : []),
    ...(files
      ? [
          `files: ${count(files.added.files)} new (${size(files.added.bytes)}), ${count(files.removed.files)} gone (${size(files.removed.bytes)}), ${count(files.shared)} shared and not read`,
        ]
      : []),
    ...(rows?.note ? [html(rows.note)] : []),
  ]
  const list =
    items.length > 0 ? `<ul>${items.map((item) => `<li>${item}</li>`).join('')}</ul>` : ''
  const body = rows ? rowParts(rows) : ''
  return `<details open id="${encodeURIComponent(dataset)}"><summary>${html(dataset)}</summary>${list}${body}</details>`
}

function rowParts({ columns, examples, key }: RowsDiff): string {
  const { added, removed, changed } = examples
  const moved = changed.map(({ key: of, columns: values }) => {
    const parts = Object.entries(values).map(([name, [a, b]]) => `${html(name)} ${movedTo(a, b)}`)
    return [mark('changed', '~'), rowText(of), parts.join(', ')]
  })
  const whole = (kind: string, sign: string, rows: readonly ExampleRow[]) =>
    rows.map((row) => {
      const [of, others] = [true, false].map((isKey) =>
        Object.fromEntries(Object.entries(row).filter(([name]) => key.includes(name) === isKey)),
      ) as [ExampleRow, ExampleRow]
      return [mark(kind, sign), rowText(of), rowText(others)]
    })
  const rows = [...moved, ...whole('added', '+', added), ...whole('removed', '−', removed)]
  const values = columns
    .flatMap(movedValues)
    .map((one) => `<li>${code(one.column)} = ${value(one.value)}: ${one.rows}</li>`)
  return [
    columns.length > 0
      ? table(['column', 'changed', 'nulls', 'sum', 'min', 'max'], columns.map(columnRow))
      : '',
    values.length > 0 ? `<ul>${values.join('')}</ul>` : '',
    rows.length > 0 ? table(['', 'key', 'values'], rows) : '',
  ].join('')
}

function columnRow({ column, changed, nulls, sum, min, max }: ColumnDiff): string[] {
  const moved = (of: { before: string | number | null; after: string | number | null }) =>
    of.before === of.after ? '' : movedTo(of.before, of.after)
  const cells = [moved(nulls), sum ? moved(sum) : '', moved(min), moved(max)]
  return [code(column), changed > 0 ? count(changed) : '', ...cells]
}

/** A value and what it is now: long ones from where they differ. */
function movedTo(before: string | number | null, after: string | number | null): string {
  if (before === null || after === null) return `${value(before)} → ${value(after)}`
  const texts = [before, after].map((one) => redact(String(one))) as [string, string]
  return whereApart(...texts, VALUE)
    .map(code)
    .join(' → ')
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((one) => `<th>${html(one)}</th>`).join('')
  const body = rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`)
  return `<table><thead><tr>${head}</tr></thead><tbody>${body.join('\n')}</tbody></table>`
}

const mark = (kind: string, sign: string) => `<b class="${kind}">${sign}</b>`

const rowText = (row: ExampleRow) =>
  Object.entries(row)
    .map(([name, one]) => `${html(name)} ${value(one)}`)
    .join(', ')

const value = (one: string | number | null) => (one === null ? '<i>NULL</i>' : code(String(one)))

function code(text: string): string {
  const told = redact(text)
  return `<code>${html(told.length > VALUE ? `${told.slice(0, VALUE - 1)}…` : told)}</code>`
}

/** A text without secrets, in which nothing is markup. */
function html(text: string): string {
  return printable(redact(text))
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
