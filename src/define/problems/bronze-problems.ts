import { secondsOf } from '../interval.js'
import { INTERVALS, notInterval } from '../keep.js'
import type { Bronze } from '../model.js'
import type {
  DatabaseSource,
  FilesSource,
  HttpSource,
  InboxSource,
  Layout,
  Paging,
} from '../source.js'
import { type Collector, columnNameProblems } from './collector.js'

/** What the files of a format can be compressed with. */
const compressions: Readonly<Record<string, readonly string[]>> = {
  parquet: ['snappy', 'zstd'],
  avro: ['deflate', 'snappy'],
  csv: [],
  jsonl: [],
  raw: [],
}

/** What is wrong with a bronze dataset and its source. */
export function bronzeProblems(dataset: Bronze, collect: Collector): void {
  const { from, format, compression, archive, keep } = dataset
  if (keep !== undefined && secondsOf(keep) === undefined)
    collect.add(notInterval(keep), `'${keep}'`, INTERVALS)
  if (
    keep !== undefined &&
    ((from.kind === 'files' && !from.full) || (from.kind === 'database' && from.compareKeys))
  )
    collect.add(
      from.kind === 'files'
        ? 'files that stay where they are would be taken in again once their batch is gone'
        : 'keys are compared with all batches, so all of them are needed',
      'keep',
      'Leave keep out',
    )
  if (archive && from.kind !== 'inbox')
    collect.add(
      'only files that land in an inbox are archived',
      'archive',
      "Read them with inbox(…); of files(…), format: 'raw' keeps the originals",
    )
  const known = compressions[format]
  if (!known)
    collect.add(
      `there is no format '${format}'`,
      `'${format}'`,
      'Choose parquet, avro, csv, jsonl or raw',
    )
  else if (from.kind === 'files' && format !== 'parquet' && format !== 'raw')
    collect.add(
      'rows of files are kept as Parquet',
      `'${format}'`,
      "Leave the format out, or choose 'raw' to keep the files as they came beside it",
    )
  else if (from.kind === 'inbox' && format !== 'parquet')
    collect.add(
      'rows of files are kept as Parquet',
      `'${format}'`,
      'Leave the format out; archive: true keeps the files as they came',
    )
  else if (from.kind !== 'files' && format === 'raw')
    collect.add('a database has no files to keep', "'raw'", 'Choose parquet, avro, csv or jsonl')
  else if (compression !== undefined && !known.includes(compression))
    collect.add(
      `${format} can't be compressed with ${compression} here`,
      `'${compression}'`,
      known.length > 0 ? `Choose ${known.join(' or ')}` : 'Leave the compression out',
    )
  const maxShrink = 'maxShrink' in from ? from.maxShrink : undefined
  if (from.kind === 'files' && maxShrink !== undefined && !from.full)
    collect.add(
      'maxShrink is of full exports, and these files are added to each other',
      'maxShrink',
      'Add full: true where each file holds everything',
    )
  if (maxShrink !== undefined && !(maxShrink >= 0 && maxShrink <= 1))
    collect.add(
      'maxShrink is a share of rows, from 0 to 1',
      'maxShrink',
      'Write 0.2 where a fifth of the rows may be gone at once',
    )
  columnNameProblems(from.columns ?? [], collect, (name) => `'${name}'`)
  if (from.kind === 'files') filesProblems(from, collect)
  else if (from.kind === 'http') httpProblems(from, format, collect)
  else if (from.kind === 'ingest') {
    if (format !== 'parquet')
      collect.add('rows that are sent are kept as Parquet', `'${format}'`, 'Leave the format out')
  } else if (from.kind === 'inbox') inboxProblems(from, collect)
  else databaseProblems(from, collect)
}

function inboxProblems({ readers, settle, feed }: InboxSource, collect: Collector): void {
  if (!(settle >= 0)) collect.add('settle must be a time', 'settle', "Write it as '200ms' or '2s'")
  for (const reader of Object.values(readers)) filesProblems({ ...reader, paths: ['.'] }, collect)
  const { drift = 'evolve', follow } = readers[''] ?? {}
  if (drift !== 'evolve')
    collect.add(
      `an inbox takes in whatever arrives, since it is gone from there afterwards, so drift can't be '${drift}'`,
      'drift',
      'Leave drift out. Files without a column are refused one by one where columns: [...] names it',
    )
  if (follow)
    collect.add(
      'files of an inbox are complete when they are taken in, so they are not followed',
      'event' in follow && follow.event ? 'event' : 'follow',
      'Read logs that grow with logs(…, { follow: true })',
    )
  if (!feed) return
  if (feed.compareKeys)
    collect.add(
      'a feed can not compare keys: what it laid down is not all there is',
      'deletes',
      'Read the database by a bronze dataset of its own',
    )
  databaseProblems(feed, collect)
}

function httpProblems(from: HttpSource, format: string, collect: Collector): void {
  if (format !== 'parquet')
    collect.add('rows of an API are kept as Parquet', `'${format}'`, 'Leave the format out')
  if (!(from.pause >= 0))
    collect.add('pause must be a time', 'pause', "Write it as '200ms' or '1s'")
  if (!(from.timeout > 0)) collect.add('timeout must be a time', 'timeout', "Write it as '30s'")
  if (!(from.pages >= 1)) collect.add('pages must be a number from 1 up', 'pages')
  requestProblems(from, collect)
  if (from.paging) pagingProblems(from.paging, collect)
}

function requestProblems(
  { method, body, graphql, parametersIn, format, lists }: HttpSource,
  collect: Collector,
): void {
  const hasBody = body !== undefined || graphql !== undefined
  if (body !== undefined && graphql)
    collect.add('a request has a body or a query of GraphQL, not both', 'graphql')
  if (method === 'GET' && hasBody)
    collect.add('a request with a body is a POST, not a GET', 'method', 'Leave method out')
  if (parametersIn === 'body' && (!hasBody || typeof body === 'string'))
    collect.add(
      'parameters can only go into a body of JSON',
      'parametersIn',
      'Give body: {}, or leave parametersIn out',
    )
  if (lists.length > 0 && format !== undefined && format !== 'xml')
    collect.add('lists are of XML', 'lists', "Leave lists out, or set format: 'xml'")
}

/** What tells how pages are read: one of these. */
const pagingKinds = ['page', 'offset', 'after', 'next', 'link']

function pagingProblems(paging: Paging, collect: Collector): void {
  const given = pagingKinds.filter((kind) => kind in paging)
  if (given.length !== 1)
    collect.add(
      given.length === 0
        ? 'paging does not say how the next page is asked for'
        : `paging says ${given.join(' and ')}: one of them tells how the next page is asked for`,
      'paging',
      "Such as paging: { page: 'page' }, { cursor: 'after', next: 'meta.next' } or { link: true }",
    )
  if ('after' in paging && !paging.column)
    collect.add(
      'paging after the last row needs the column by which that is told',
      'after',
      "Write { after: 'starting_after', column: 'id' }",
    )
  const { limit, size, until = [] } = paging
  const ends: readonly string[] = [until].flat()
  const other = ends.find((end) => end !== 'short' && end !== 'not found')
  if (other !== undefined)
    collect.add(`pages do not end by '${other}'`, `'${other}'`, "Choose 'short' or 'not found'")
  if (size !== undefined && !(Number.isInteger(size) && size > 0))
    collect.add('size must be a number of rows from 1 up', 'size')
  if (limit !== undefined && size === undefined)
    collect.add('limit is the parameter that asks for size rows, but there is no size', 'limit')
  if (ends.includes('short') && size === undefined)
    collect.add("until: 'short' needs the size of a page", "'short'", 'Add size: 100')
}

function databaseProblems(
  { columns, cursor, key, lag, compareKeys }: DatabaseSource,
  collect: Collector,
): void {
  if (compareKeys && key.length === 0)
    collect.add(
      'deletes are found by comparing keys, but there is no key',
      'deletes',
      "Add key: '…'",
    )
  if (!(lag >= 0)) collect.add('lag must be a time', 'lag', "Write it as '30s', '5m', '2h' or '1d'")
  const named = [...key, ...(cursor === undefined || cursor === 'xmin' ? [] : [cursor])]
  for (const name of named)
    if (columns && !columns.includes(name))
      collect.add(`'${name}' is not among the columns that are read`, name, 'Add it to columns')
}

function filesProblems(from: FilesSource, collect: Collector): void {
  if (from.paths.length === 0) collect.add('files() needs at least one path', 'files(')
  if (!isText(from.delimiter))
    collect.add(
      `the delimiter must be one character or more, without ends of lines, not ${JSON.stringify(from.delimiter)}`,
      'delimiter',
    )
  if (from.quote !== null && (!isMark(from.quote) || from.delimiter.includes(from.quote)))
    collect.add('the quote must be one ASCII character outside of the delimiter, or null', 'quote')
  textProblems(from, collect)
  if (from.follow) followProblems(from, collect)
  if (from.layout) layoutProblems(from, from.layout, collect)
  else if (!from.header && !from.columns)
    collect.add('files without a header need columns', 'header', "Add columns: ['id', 'name', …]")
}

/** Only where a line is a row, or begins one, can be read on from a place. */
function followProblems(
  { layout, paths, encoding = '', full, hive }: FilesSource,
  collect: Collector,
): void {
  const lines =
    ['pattern', 'pairs', 'fixed'].includes(layout?.kind ?? '') ||
    (layout?.kind === 'json' && layout.lines)
  if (!lines)
    collect.add(
      'only files whose lines are rows can be followed',
      'follow',
      "Read them with logs(…), or as format: 'jsonl' or 'fixed'",
    )
  if (paths.some((path) => path.startsWith('s3://')))
    collect.add(
      'objects of a bucket never grow, so they are not followed',
      'follow',
      'Leave follow out: each object is read once',
    )
  if (/^(utf-?16|ucs|utf-?32)/i.test(encoding))
    collect.add(`logs in ${encoding} can't be followed`, 'encoding', 'Leave follow out')
  if (full || hive)
    collect.add(`follow has no meaning beside ${full ? 'full' : 'hive'}`, 'follow', 'Leave one out')
}

function textProblems(from: FilesSource, collect: Collector): void {
  const { delimiter, escape: mark, comment, skip = 0, headerRows = 1, footer = 0, layout } = from
  if (mark !== undefined && (!isMark(mark) || delimiter.includes(mark)))
    collect.add(
      `escape must be one ASCII character outside of the delimiter, not ${JSON.stringify(mark)}`,
      'escape',
      String.raw`A backslash is written '\\' in TypeScript`,
    )
  if (comment !== undefined && !isText(comment))
    collect.add('comment must be what such lines begin with', 'comment', "Such as '#'")
  if (Number.isNaN(skip))
    collect.add(
      'header says on which line the names are, so skip has no meaning beside it',
      'skip',
      'Leave skip out',
    )
  else if (!isCount(skip) && from.headerRows === undefined)
    collect.add('skip must be a whole number from 0 up', 'skip')
  else if (!isCount(skip)) collect.add('header must be a line from 1 up, or two of them', 'header')
  if (!isCount(headerRows - 1))
    collect.add('header must lead from a line to one that is not before it', 'header')
  if (!isCount(footer)) collect.add('footer must be a whole number from 0 up', 'footer')
  const given = Object.entries({
    escape: mark,
    comment,
    skip: skip || undefined,
    footer: footer || undefined,
  })
  const hasNoLines = layout && layout.kind !== 'fixed'
  for (const [name, value] of given)
    if (hasNoLines && value !== undefined)
      collect.add(`${name} is for delimited text; these files are ${layout.kind}`, name)
}

const isCount = (n: number) => Number.isInteger(n) && n >= 0
const isText = (text: string) => text !== '' && !/[\r\n]/.test(text)

function layoutProblems({ columns }: FilesSource, layout: Layout, collect: Collector): void {
  if (layout.kind === 'pattern' && !columns?.length)
    collect.add(
      'the pattern has no named groups, which would be the columns',
      'format',
      'Name them: /(?<level>\\w+) (?<message>.*)/',
    )
  if (layout.kind === 'excel') excelProblems(layout, collect)
  if (layout.kind !== 'fixed') return
  const { widths } = layout
  if (widths.length === 0 || !widths.every((width) => Number.isInteger(width) && width > 0))
    collect.add(
      'widths must be whole numbers from 1 up',
      'widths',
      'One for each column: [5, 20, 8]',
    )
  else if (columns?.length !== widths.length)
    collect.add(
      `there are ${widths.length} widths, but ${columns?.length ?? 0} columns`,
      'widths',
      'Give a name and a width for each column',
    )
}

/** Cells as Excel names them: `B3:F200`, `B:F`, `3:200`, `B3`. */
const CELLS = /^(?=.)\$?[A-Za-z]{0,3}\$?\d{0,7}(:(?=.)\$?[A-Za-z]{0,3}\$?\d{0,7})?$/

function excelProblems(
  { sheet, range, headerRows }: Extract<Layout, { kind: 'excel' }>,
  collect: Collector,
): void {
  const isNumber = (n: number) => Number.isInteger(n) && n >= 1
  if (typeof sheet === 'number' && !isNumber(sheet))
    collect.add('sheet must be a name, or a number from 1 up', 'sheet')
  if (range !== undefined && !CELLS.test(range))
    collect.add(
      `'${range}' is no range of cells`,
      'range',
      "Write it as in Excel: 'B3:F200', 'B:F' for columns, '3:200' for rows, 'B3' for all from there on",
    )
  if (headerRows && !(headerRows.every(isNumber) && headerRows[0] <= headerRows[1]))
    collect.add(
      'header must be true, false, the number of a row from 1 up, or two of them',
      'header',
      'Write header: 3, or header: [3, 4] where two rows name the columns',
    )
}

function isMark(text: string): boolean {
  return text.length === 1 && text.charCodeAt(0) < 128 && text !== '\n' && text !== '\r'
}
