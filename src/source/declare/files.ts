import { fileURLToPath } from 'node:url'
import { callSite } from '../../define/call-site.js'
import { either, flag, number, oneOf, text, texts } from '../../define/options/expected.js'
import {
  checked,
  checkedArguments,
  type Expected,
  having,
  needed,
  type OptionList,
} from '../../define/options/options.js'
import { mistake } from '../../define/problems/mistakes.js'
import type { FilesSource, Layout } from '../../define/source.js'
import { ownValue } from '../../own-value.js'
import { type FileFormat, refuseMeaningless } from './format-options.js'

export type { FileFormat } from './format-options.js'

export interface FilesOptions<C extends string> {
  /** How files are read. Default: by the extension of each. */
  format?: FileFormat
  /** The field delimiter, one or more characters. Default: by the file's extension. */
  delimiter?: string
  /** The quote character, or `null` when quotes are ordinary characters. Default: `"`. */
  quote?: string | null
  /**
   * Where the column names are: `true`, in the first record; a number, in the record on that line
   * or row (from 1); two numbers, in the records from one line to another, whose names are joined
   * with `_`. Default: `true` if no `columns` are given.
   */
  header?: boolean | number | readonly [first: number, last: number]
  /**
   * The names of the columns: all of them, in order, if there is no header. If the file has names,
   * the columns that must be there, in any order; other columns are read as well. In JSON and XML:
   * columns that exist even if no row has them.
   */
  columns?: readonly C[]
  /** Number of lines to skip before the header or the first record. */
  skip?: number
  /** Lines to skip at the end, such as totals, not counting blank ones at the very end. */
  footer?: number
  /** The characters that start a comment line, such as `#`. */
  comment?: string
  /**
   * The escape character, such as `\\`. With `quote: null`, letters after it stand for control
   * characters, as PostgreSQL's COPY and MySQL's INTO OUTFILE write them: `\\t`, `\\n`.
   */
  escape?: string
  /**
   * Added or missing columns in later files: `evolve` (the default) accepts and reports them,
   * `freeze` ingests nothing until they match again, `discard` ignores new ones.
   */
  drift?: 'evolve' | 'freeze' | 'discard'
  /** Strings that mean NULL unless they are quoted. Default: the empty string. */
  nulls?: readonly string[]
  /** The encoding: `latin1`, `utf-16le` … Default: UTF-8, or that of the byte order mark. */
  encoding?: string
  /** Where the rows are: the keys that lead to them (JSON), the name of their element (XML). */
  rows?: string
  /** In XML: elements that may occur more than once, and are lists even if there is only one. */
  lists?: readonly string[]
  /** With `format: 'fixed'`: the width of each column in characters. */
  widths?: readonly number[]
  /** In Excel: a sheet's name, or its number from 1. Default: the first that is not hidden. */
  sheet?: string | number
  /** In Excel: the cells to read: `B3:F200`, `B:F`, `3:200`, `B3` (to the end). Default: all. */
  range?: string
  /** In Excel: `fill` repeats a merged cell's value; by default only its first cell has it. */
  merged?: 'first' | 'fill'
  /**
   * Whether folders such as `day=2026-01-05` are columns, as Hive and Spark write them: strings,
   * with `%2F` decoded, and NULL for `__HIVE_DEFAULT_PARTITION__`.
   */
  hive?: boolean
  /**
   * Whether files are logs that grow: only new lines are read, even after rotation (`app.log`,
   * `app.log.1`, `app.log.2.gz`) or truncation. For files with one row per line.
   */
  follow?: boolean
  /** For log events of several lines: the pattern of each event's first line. Implies `follow`. */
  event?: RegExp
  /** For a public bucket: read it without credentials. */
  anonymous?: boolean
}

export interface FullExportOptions {
  /**
   * Each file is a full extract: only the newest is read, and rows that it no longer contains are
   * deleted downstream. With `by`, several files form one extract: those of a folder, or those
   * whose names have the same match of a pattern (of its first group, if there is one). The newest
   * is found by name, with numbers compared by value, or with `newest: 'modified'` by modification
   * time.
   */
  full?: boolean | { by?: 'file' | 'folder' | RegExp; newest?: 'name' | 'modified' }
  /**
   * The fraction of rows that may disappear from one full extract to the next; an extract with
   * fewer rows is held back until `moraine run --accept-shrink` accepts it. Fewer than 20 rows
   * may always disappear. Default: 0.5; with 1, nothing is held back.
   */
  maxShrink?: number
}

const formats: readonly FileFormat[] = [
  'delimited',
  'json',
  'jsonl',
  'xml',
  'fixed',
  'parquet',
  'avro',
  'excel',
]

const widths: Expected = {
  is: 'a list of numbers',
  fits: (value) => Array.isArray(value) && value.every(number.fits),
}

const aPattern: Expected = {
  is: 'a regular expression',
  fits: (value) => value instanceof RegExp,
}

const header: Expected = {
  is: 'true, false, a line number, or a pair of line numbers',
  fits: (value) =>
    flag.fits(value) ||
    number.fits(value) ||
    (Array.isArray(value) && value.length === 2 && value.every(number.fits)),
  ...(flag.advise ? { advise: flag.advise } : {}),
}

export const filesOptions: OptionList<FilesOptions<string>> = {
  format: oneOf(...formats),
  delimiter: text,
  quote: either('a character, or null', text, { is: '', fits: (value) => value === null }),
  header,
  columns: texts,
  skip: number,
  footer: number,
  comment: text,
  escape: text,
  drift: oneOf('evolve', 'freeze', 'discard'),
  nulls: texts,
  encoding: text,
  rows: text,
  lists: texts,
  widths,
  sheet: either('a name or a number', text, number),
  range: text,
  merged: oneOf('first', 'fill'),
  hive: flag,
  follow: flag,
  event: aPattern,
  anonymous: flag,
}

const fullOptions: OptionList<FullExportOptions> = {
  full: having<Exclude<NonNullable<FullExportOptions['full']>, boolean>>(
    {
      by: either("'file', 'folder' or a pattern", oneOf('file', 'folder'), {
        is: '',
        fits: (value) => value instanceof RegExp,
      }),
      newest: oneOf('name', 'modified'),
    },
    "true, or an object such as { by: 'folder' }",
    flag,
  ),
  maxShrink: number,
}

const aPath = (value: unknown) => typeof value === 'string' || value instanceof URL

const pathList: Expected = {
  is: 'a path or a list of paths',
  fits: (value) => aPath(value) || (Array.isArray(value) && value.every(aPath)),
}

/** The paths as texts; none where they are something else, once that is said. */
function pathsOf(call: string, paths: string | URL | readonly (string | URL)[]): string[] {
  const good = checkedArguments(call, { paths }, { paths: pathList }).paths ?? []
  return (Array.isArray(good) ? good : [good as string | URL]).map(toPath)
}

const delimiters: Record<string, string> = { tsv: '\t', tab: '\t', psv: '|', pipe: '|' }

const endings: Record<string, FileFormat> = {
  json: 'json',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
  xml: 'xml',
  parquet: 'parquet',
  avro: 'avro',
  xlsx: 'excel',
  xlsm: 'excel',
  xls: 'excel',
  xlsb: 'excel',
}

/**
 * Files: CSV and other delimited text, JSON, JSON lines, XML, fixed-width text, Parquet, Avro,
 * Excel; plain or compressed with gzip, zstd or zip. A path is a file, a folder, or a glob;
 * relative paths start at the folder of the file that calls this.
 *
 * @example
 * files('data/venue_pipe.txt', { delimiter: '|', columns: ['venueid', 'venuename'] })
 * files('exports/*.json', { rows: 'data.items' })
 * files('exports/customers-*.csv', { full: true })
 */
export function files<const C extends string = string>(
  paths: string | URL | readonly (string | URL)[],
  options: FilesOptions<C> & FullExportOptions = {},
): FilesSource<C> {
  const list = pathsOf('files(…)', paths)
  const known: OptionList<FilesOptions<C> & FullExportOptions> = { ...filesOptions, ...fullOptions }
  const good = checked('files(…)', options, known, adviceForOptions)
  const { full = false, maxShrink, ...reading } = good
  const format = formatOf(list, reading)
  if (format) refuseMeaningless('files(…)', reading, format)
  const { by = 'file', newest = 'name' } = typeof full === 'boolean' ? {} : full
  return {
    ...filesSource<C>(list, reading as FilesOptions<C>),
    ...(full ? { full: { by, newest } } : {}),
    ...(maxShrink === undefined ? {} : { maxShrink }),
  }
}

/** What files are, where that does not hang on which there are. */
function formatOf(
  paths: readonly string[],
  { format, widths }: FilesOptions<string>,
): FileFormat | undefined {
  if (format ?? widths) return format ?? 'fixed'
  const ending = endingOf(paths[0] ?? '')
  const isOne = isKnown(ending) && paths.every((path) => endingOf(path) === ending)
  return isOne ? (ownValue(endings, ending) ?? 'delimited') : undefined
}

/** What to write instead of options that are none. */
function adviceForOptions(given: unknown): string | undefined {
  return typeof given === 'string'
    ? "Put several paths into a list: files(['a.csv', 'b.csv'])"
    : undefined
}

/** A source of files from options that are known to be good. */
export function filesSource<C extends string>(
  list: readonly string[],
  options: FilesOptions<C>,
): FilesSource<C> {
  const ending = endingOf(list[0] ?? '')
  const isDeclared = options.format !== undefined || options.widths !== undefined
  const base = (callSite()?.file ?? `${process.cwd()}/`).replace(/[^/\\]*$/, '')
  const paths = options.anonymous ? list.map(unsigned) : list
  const about = { paths, base, ...(isDeclared ? { formatIsSaid: true } : {}) }
  const own = sourceOf(about, ending, options)
  // Where all paths have one ending there is nothing else to be found.
  if (formatOf(list, options)) return own
  const readers = [...Object.keys(endings), ...Object.keys(delimiters), ...commas].map(
    (name) => [name, sourceOf(about, name, options)] as const,
  )
  return { ...own, readers: Object.fromEntries(readers) }
}

/** Endings of delimited text whose delimiter is a comma where nothing else is said. */
const commas = ['csv', 'txt']

/** Whether an ending tells what a file is. */
export function isKnown(ending: string): boolean {
  return (
    [endings, delimiters].some((known) => Object.hasOwn(known, ending)) || commas.includes(ending)
  )
}

function sourceOf<C extends string>(
  about: Pick<FilesSource, 'paths' | 'base' | 'formatIsSaid'>,
  ending: string,
  options: FilesOptions<C>,
): FilesSource<C> {
  const { columns, widths, comment, escape: mark, footer } = options
  const format = options.format ?? (widths ? 'fixed' : (ownValue(endings, ending) ?? 'delimited'))
  const layout = layoutOf(format, options)
  return {
    kind: 'files',
    ...about,
    delimiter: options.delimiter ?? ownValue(delimiters, ending) ?? ',',
    quote: layout ? null : options.quote === undefined ? '"' : options.quote,
    ...headerOf(options, layout),
    columns,
    nulls: options.nulls ?? [''],
    layout,
    encoding: options.encoding,
    ...(footer === undefined ? {} : { footer }),
    ...(comment === undefined ? {} : { comment }),
    ...(mark === undefined ? {} : { escape: mark }),
    ...(options.hive ? { hive: true } : {}),
    ...(options.drift === undefined ? {} : { drift: options.drift }),
    ...followed(options),
  }
}

function followed({ follow, event }: Pick<FilesOptions<string>, 'follow' | 'event'>) {
  return (follow ?? event !== undefined) ? { follow: { event } } : {}
}

/** Where the names of columns are, and how many lines come before them. */
function headerOf(
  { header, columns, skip }: FilesOptions<string>,
  layout: Layout | undefined,
): Pick<FilesSource, 'header' | 'headerRows' | 'skip'> {
  const before = skip === undefined ? {} : { skip }
  if (layout) return { header: false, ...before }
  if (typeof header === 'boolean' || header === undefined)
    return { header: header ?? columns === undefined, ...before }
  const [first, last] = typeof header === 'number' ? [header, header] : header
  // Lines that are said twice are a mistake, which the definition's check tells.
  const lines = skip === undefined ? first - 1 : Number.NaN
  return { header: true, skip: lines, headerRows: last - first + 1 }
}

/** A path in a bucket with the setting that it is read without credentials. */
function unsigned(path: string): string {
  if (path.startsWith('s3://'))
    return `${path}${/\?[a-zA-Z]+=/.test(path) ? '&' : '?'}anonymous=true`
  mistake(
    `files(…): anonymous applies to buckets, but '${path}' is a local path`,
    'anonymous',
    'Remove it: local files need no credentials.',
  )
  return path
}

export interface LogsOptions<C extends string> {
  /**
   * `common` and `combined` (Apache, nginx), `json` (an object a line), `pairs` (`level=info
   * msg="…"`), or a pattern with named groups that each line matches.
   */
  format: 'common' | 'combined' | 'json' | 'pairs' | RegExp
  /** For JSON and pairs: columns that exist even if no row has them. */
  columns?: readonly C[]
  encoding?: string
  /** Whether logs that grow and are rotated are read from where the last run stopped. */
  follow?: boolean
  /** For events of several lines: the pattern of each event's first line. Implies `follow`. */
  event?: RegExp
}

const logsOptions: OptionList<LogsOptions<string>> = {
  format: needed(
    either(
      "'common', 'combined', 'json', 'pairs' or a pattern",
      oneOf('common', 'combined', 'json', 'pairs'),
      { is: '', fits: (value) => value instanceof RegExp },
    ),
  ),
  columns: texts,
  encoding: text,
  follow: flag,
  event: aPattern,
}

const common = String.raw`(?<host>\S+) (?<identity>\S+) (?<user>\S+) \[(?<time>[^\]]+)\] "(?<request>(?:[^"\\]|\\.)*)" (?<status>\d{3}|-) (?<bytes>\d+|-)`
const patterns = {
  common: new RegExp(common),
  combined: new RegExp(
    String.raw`${common} "(?<referrer>(?:[^"\\]|\\.)*)" "(?<agent>(?:[^"\\]|\\.)*)"`,
  ),
}

/**
 * Logs of applications: each line is a row; a line that does not match is discarded.
 *
 * @example
 * logs('/var/log/app', { format: /(?<at>\S+) \[(?<level>\w+)\] (?<message>.*)/ })
 */
export function logs<const C extends string = string>(
  paths: string | URL | readonly (string | URL)[],
  options: LogsOptions<C>,
): FilesSource<C> {
  const list = pathsOf('logs(…)', paths)
  const good = checked('logs(…)', options, logsOptions)
  const { format = 'json', columns, encoding } = good
  const access = format === 'common' || format === 'combined'
  const pattern = access ? patterns[format] : format
  const layout: Layout =
    pattern instanceof RegExp
      ? { kind: 'pattern', pattern }
      : pattern === 'pairs'
        ? { kind: 'pairs' }
        : { kind: 'json', lines: true, rows: undefined }
  const groups = pattern instanceof RegExp ? groupsOf(pattern) : columns
  const source = filesSource(list, {
    format: 'jsonl',
    ...(groups ? { columns: groups as readonly C[] } : {}),
    ...(encoding === undefined ? {} : { encoding }),
    nulls: access ? ['', '-'] : [''],
  })
  return { ...source, ...followed(good), layout }
}

/** The names of a pattern's groups, in their order. */
function groupsOf(pattern: RegExp): string[] {
  return [...pattern.source.matchAll(/\(\?<([A-Za-z_$][\w$]*)>/g)].map(([, name]) => name as string)
}

function layoutOf(format: FileFormat, options: FilesOptions<string>): Layout | undefined {
  const { rows, lists = [], widths = [] } = options
  switch (format) {
    case 'json':
      return { kind: 'json', lines: false, rows }
    case 'jsonl':
      return { kind: 'json', lines: true, rows: undefined }
    case 'xml':
      return { kind: 'xml', rows, lists }
    case 'fixed':
      return { kind: 'fixed', widths }
    case 'excel':
      return excelLayout(options)
    case 'parquet':
    case 'avro':
      return { kind: format }
    default:
      return undefined
  }
}

function excelLayout(options: FilesOptions<string>): Layout {
  const { sheet, range, merged = 'first', columns, header = columns === undefined } = options
  const [first, last] = typeof header === 'object' ? header : [header, header]
  const headerRows =
    typeof first === 'number' && typeof last === 'number' ? ([first, last] as const) : undefined
  return { kind: 'excel', sheet, range, header: header !== false, headerRows, merged }
}

/**
 * The ending of a file's name, in lower case, without that of what packed it (`*.jsonl*`,
 * `*.csv{,.gz}`), and the settings of a bucket.
 */
export function endingOf(path: string): string {
  const plain = path.startsWith('s3://') ? path.replace(/\?[a-zA-Z]+=.*$/, '') : path
  const name = plain.toLowerCase().replace(/(\.(gz|zst|zip)|\*|\{,[^}]*\})$/, '')
  return /\.([a-z]+)$/.exec(name)?.[1] ?? ''
}

function toPath(path: string | URL): string {
  if (path instanceof URL) return fileURLToPath(path)
  return path.startsWith('file://') ? fileURLToPath(path) : path
}
