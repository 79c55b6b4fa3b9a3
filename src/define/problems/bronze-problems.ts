import { secondsOf } from '../interval.js'
import type { AnyInput, Bronze } from '../model.js'
import { INTERVALS, notInterval } from '../retention.js'
import type {
  DatabaseSource,
  FilesSource,
  HttpSource,
  InboxSource,
  Layout,
  Paging,
} from '../source.js'
import { feedKey } from '../sql/name.js'
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
export function bronzeProblems(
  dataset: Bronze,
  collect: Collector,
  all: readonly AnyInput[],
): void {
  const { from, format } = dataset
  for (const { tier, name, from } of all as readonly Bronze[])
    if (tier === 'bronze' && 'feed' in from && from.feed && feedKey(name) === dataset.name)
      collect.add(`the feed of bronze.${name} has this name: rename one`, dataset.name)
  keepProblems(dataset, collect)
  if (dataset.archive && from.kind !== 'inbox')
    collect.add(
      'only files that arrive in an inbox are archived',
      'archive',
      "Read them with inbox(…), or keep the originals of files(…) with format: 'raw'",
    )
  formatProblems(dataset, collect)
  shrinkProblems(from, collect)
  columnNameProblems(from.columns ?? [], collect, (name) => `'${name}'`)
  if (from.kind === 'files') filesProblems(from, collect)
  else if (from.kind === 'http') httpProblems(from, format, collect)
  else if (from.kind === 'ingest') {
    if (format !== 'parquet')
      collect.add('rows that are sent are stored as Parquet', `'${format}'`, 'Remove format')
  } else if (from.kind === 'inbox') inboxProblems(from, collect)
  else databaseProblems(from, collect)
}

function keepProblems({ from, keep, lock }: Bronze, collect: Collector): void {
  for (const [option, time] of Object.entries({ keep, 'archive.lock': lock }))
    if (time !== undefined && secondsOf(time) === undefined)
      collect.add(notInterval(time, option), `'${time}'`, INTERVALS)
  if (
    keep !== undefined &&
    ((from.kind === 'files' && !from.full) || (from.kind === 'database' && from.compareKeys))
  )
    collect.add(
      from.kind === 'files'
        ? 'files that stay in place would be ingested again once their batch has expired'
        : 'keys are compared with all batches, so every batch is needed',
      'keep',
      'Remove keep',
    )
}

function formatProblems({ from, format, compression }: Bronze, collect: Collector): void {
  const known = compressions[format]
  if (!known)
    collect.add(`unknown format '${format}'`, `'${format}'`, 'Use parquet, avro, csv, jsonl or raw')
  else if (from.kind === 'files' && format !== 'parquet' && format !== 'raw')
    collect.add(
      'rows of files are stored as Parquet',
      `'${format}'`,
      "Remove format, or use 'raw' to also keep the files unchanged",
    )
  else if (from.kind === 'inbox' && format !== 'parquet')
    collect.add(
      'rows of files are stored as Parquet',
      `'${format}'`,
      'Remove format; archive: true keeps the files unchanged',
    )
  else if (from.kind !== 'files' && format === 'raw')
    collect.add('a database has no files to keep', "'raw'", 'Use parquet, avro, csv or jsonl')
  else if (compression !== undefined && !known.includes(compression))
    collect.add(
      `${format} cannot be compressed with ${compression} here`,
      `'${compression}'`,
      known.length > 0 ? `Use ${known.join(' or ')}` : 'Remove compression',
    )
}

function shrinkProblems(from: Bronze['from'], collect: Collector): void {
  const maxShrink = 'maxShrink' in from ? from.maxShrink : undefined
  if (from.kind === 'files' && maxShrink !== undefined && !from.full)
    collect.add(
      'maxShrink applies to full extracts, but these files are appended to each other',
      'maxShrink',
      'Add full: true if each file is a full extract',
    )
  if (maxShrink !== undefined && !(maxShrink >= 0 && maxShrink <= 1))
    collect.add(
      'maxShrink must be a fraction from 0 to 1',
      'maxShrink',
      'For example, 0.2 allows a fifth of the rows to disappear at once',
    )
}

function inboxProblems({ readers, settle, feed }: InboxSource, collect: Collector): void {
  if (!(settle >= 0))
    collect.add('settle must be a duration', 'settle', "Write it as '200ms' or '2s'")
  for (const reader of Object.values(readers)) filesProblems({ ...reader, paths: ['.'] }, collect)
  const { drift = 'evolve', follow } = readers[''] ?? {}
  if (drift !== 'evolve')
    collect.add(
      `an inbox ingests every file that arrives and removes it, so drift cannot be '${drift}'`,
      'drift',
      'Remove drift. To reject files without a column one by one, list the columns: columns: [...]',
    )
  if (follow)
    collect.add(
      'files in an inbox are complete when they are ingested, so they cannot be followed',
      'event' in follow && follow.event ? 'event' : 'follow',
      'Read growing logs with logs(…, { follow: true })',
    )
  if (!feed) return
  if (feed.compareKeys)
    collect.add(
      'a feed cannot compare keys, because the files it has written are not the whole table',
      'deletes',
      'Read the database with its own bronze dataset',
    )
  databaseProblems(feed, collect)
}

function httpProblems(from: HttpSource, format: string, collect: Collector): void {
  if (format !== 'parquet')
    collect.add('rows of an API are stored as Parquet', `'${format}'`, 'Remove format')
  if (!(from.pause >= 0))
    collect.add('pause must be a duration', 'pause', "Write it as '200ms' or '1s'")
  if (!(from.timeout > 0)) collect.add('timeout must be a duration', 'timeout', "Write it as '30s'")
  if (!(from.pages >= 1)) collect.add('pages must be a number, 1 or more', 'pages')
  requestProblems(from, collect)
  if (from.paging) pagingProblems(from.paging, collect)
}

function requestProblems(
  { method, body, graphql, parametersIn, format, lists }: HttpSource,
  collect: Collector,
): void {
  const hasBody = body !== undefined || graphql !== undefined
  if (body !== undefined && graphql)
    collect.add('a request has either a body or a GraphQL query, not both', 'graphql')
  if (method === 'GET' && hasBody)
    collect.add('a request with a body must be a POST, not a GET', 'method', 'Remove method')
  if (parametersIn === 'body' && (!hasBody || typeof body === 'string'))
    collect.add(
      'parameters can only be sent in a JSON body',
      'parametersIn',
      'Add body: {}, or remove parametersIn',
    )
  if (lists.length > 0 && format !== undefined && format !== 'xml')
    collect.add('lists applies to XML only', 'lists', "Remove lists, or set format: 'xml'")
}

/** What tells how pages are read: one of these. */
const pagingKinds = ['page', 'offset', 'after', 'next', 'link']

function pagingProblems(paging: Paging, collect: Collector): void {
  const given = pagingKinds.filter((kind) => kind in paging)
  if (given.length !== 1)
    collect.add(
      given.length === 0
        ? 'paging does not specify how to request the next page'
        : `paging has ${given.join(' and ')}, but only one of them can specify the next page`,
      'paging',
      "For example: paging: { page: 'page' }, { cursor: 'after', next: 'meta.next' } or { link: true }",
    )
  if ('after' in paging && !paging.column)
    collect.add(
      'paging after the last row needs the column to continue from',
      'after',
      "Write { after: 'starting_after', column: 'id' }",
    )
  const { limit, size, until = [] } = paging
  const ends: readonly string[] = [until].flat()
  const other = ends.find((end) => end !== 'short' && end !== 'not found')
  if (other !== undefined)
    collect.add(`unknown value '${other}' in until`, `'${other}'`, "Use 'short' or 'not found'")
  if (size !== undefined && !(Number.isInteger(size) && size > 0))
    collect.add('size must be a number of rows, 1 or more', 'size')
  if (limit !== undefined && size === undefined)
    collect.add('limit is the parameter that requests size rows, but size is missing', 'limit')
  if (ends.includes('short') && size === undefined)
    collect.add("until: 'short' needs the page size", "'short'", 'Add size: 100')
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
  if (!(lag >= 0))
    collect.add('lag must be a duration', 'lag', "Write it as '30s', '5m', '2h' or '1d'")
  const named = [...key, ...(cursor === undefined || cursor === 'xmin' ? [] : [cursor])]
  for (const name of named)
    if (columns && !columns.includes(name))
      collect.add(`'${name}' is not one of the columns that are read`, name, 'Add it to columns')
}

function filesProblems(from: FilesSource, collect: Collector): void {
  if (from.paths.length === 0) collect.add('files() needs at least one path', 'files(')
  if (!isText(from.delimiter))
    collect.add(
      `the delimiter must be one or more characters without line breaks, not ${JSON.stringify(from.delimiter)}`,
      'delimiter',
    )
  if (from.quote !== null && (!isMark(from.quote) || from.delimiter.includes(from.quote)))
    collect.add(
      'the quote must be one ASCII character that is not part of the delimiter, or null',
      'quote',
    )
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
      'only files with one row per line can be followed',
      'follow',
      "Read them with logs(…), or with format: 'jsonl' or 'fixed'",
    )
  if (paths.some((path) => path.startsWith('s3://')))
    collect.add(
      'objects in a bucket never grow, so they cannot be followed',
      'follow',
      'Remove follow: each object is read once',
    )
  if (/^(utf-?16|ucs|utf-?32)/i.test(encoding))
    collect.add(`logs in ${encoding} cannot be followed`, 'encoding', 'Remove follow')
  if (full || hive)
    collect.add(
      `follow cannot be combined with ${full ? 'full' : 'hive'}`,
      'follow',
      'Remove one of them',
    )
}

function textProblems(from: FilesSource, collect: Collector): void {
  const { delimiter, escape: mark, comment, skip = 0, headerRows = 1, footer = 0, layout } = from
  if (mark !== undefined && (!isMark(mark) || delimiter.includes(mark)))
    collect.add(
      `escape must be one ASCII character that is not part of the delimiter, not ${JSON.stringify(mark)}`,
      'escape',
      String.raw`In TypeScript, a backslash is written '\\'`,
    )
  if (comment !== undefined && !isText(comment))
    collect.add(
      'comment must be the characters that start a comment line',
      'comment',
      "For example, '#'",
    )
  if (Number.isNaN(skip))
    collect.add(
      'header already gives the line of the names, so skip cannot be combined with it',
      'skip',
      'Remove skip',
    )
  else if (!isCount(skip) && from.headerRows === undefined)
    collect.add('skip must be a whole number, 0 or more', 'skip')
  else if (!isCount(skip))
    collect.add('header must be a line number, 1 or more, or a pair of them', 'header')
  if (!isCount(headerRows - 1))
    collect.add('the second line of header must not be before the first', 'header')
  if (!isCount(footer)) collect.add('footer must be a whole number, 0 or more', 'footer')
  const given = Object.entries({
    escape: mark,
    comment,
    skip: skip || undefined,
    footer: footer || undefined,
  })
  const hasNoLines = layout && layout.kind !== 'fixed'
  for (const [name, value] of given)
    if (hasNoLines && value !== undefined)
      collect.add(`${name} applies to delimited text; these files are ${layout.kind}`, name)
}

const isCount = (n: number) => Number.isInteger(n) && n >= 0
const isText = (text: string) => text !== '' && !/[\r\n]/.test(text)

function layoutProblems({ columns }: FilesSource, layout: Layout, collect: Collector): void {
  if (layout.kind === 'pattern' && !columns?.length)
    collect.add(
      'the pattern has no named groups to use as columns',
      'format',
      'Name the groups: /(?<level>\\w+) (?<message>.*)/',
    )
  if (layout.kind === 'excel') excelProblems(layout, collect)
  if (layout.kind !== 'fixed') return
  const { widths } = layout
  if (widths.length === 0 || !widths.every((width) => Number.isInteger(width) && width > 0))
    collect.add(
      'widths must be whole numbers, 1 or more',
      'widths',
      'Give one width per column: [5, 20, 8]',
    )
  else if (columns?.length !== widths.length)
    collect.add(
      `there are ${widths.length} widths but ${columns?.length ?? 0} columns`,
      'widths',
      'Give each column a name and a width',
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
    collect.add('sheet must be a name, or a number, 1 or more', 'sheet')
  if (range !== undefined && !CELLS.test(range))
    collect.add(
      `'${range}' is not a cell range`,
      'range',
      "Use Excel's notation: 'B3:F200', 'B:F' for columns, '3:200' for rows, 'B3' for everything from there on",
    )
  if (headerRows && !(headerRows.every(isNumber) && headerRows[0] <= headerRows[1]))
    collect.add(
      'header must be true, false, a row number (1 or more), or a pair of row numbers',
      'header',
      'Write header: 3, or header: [3, 4] if two rows hold the names',
    )
}

function isMark(text: string): boolean {
  return text.length === 1 && text.charCodeAt(0) < 128 && text !== '\n' && text !== '\r'
}
