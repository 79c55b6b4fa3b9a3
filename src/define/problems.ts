import { z } from 'zod'
import type { Problem } from '../errors.js'
import { checkName } from './check.js'
import { type ColumnType, type Field, typeName } from './column-type.js'
import { type AnyDataset, type Bronze, fullName, type Gold, type Silver } from './dataset.js'
import { secondsOf } from './interval.js'
import { INTERVALS, keepProblems, notInterval } from './keep.js'
import { lookupOf } from './lookup.js'
import { nearest } from './nearest.js'
import { partitionProblem } from './partition.js'
import { scheduleProblem } from './schedule.js'
import { columnTypeOf, formatsOf, UntypedColumn } from './schema.js'
import type { DatabaseSource, FilesSource, HttpSource, InboxSource, Layout } from './source.js'
import { historiesIn } from './sql.js'
import { knownSpecifiers, unknownSpecifiers } from './strptime.js'

/** Columns that Moraine writes itself. */
const reservedColumns = ['_loaded_at', '_batch', '_source_file', '_source_line', '_error', '_raw']

/** Names that Iceberg keeps for itself (spec, Reserved Field IDs): Spark refuses tables with them. */
export const icebergColumns = [
  '_file',
  '_pos',
  '_deleted',
  '_spec_id',
  '_partition',
  '_row_id',
  '_change_type',
]

/** What is wrong with one dataset, taken by itself. */
export function problemsOf(dataset: AnyDataset): Problem[] {
  const collect = new Collector(dataset)
  if (!/^[a-z][a-z0-9_]*$/i.test(dataset.name))
    collect.add(
      `The name '${dataset.name}' must start with a letter and hold only letters, digits and '_'`,
      dataset.name,
    )
  const schedule = dataset.about.schedule && scheduleProblem(dataset.about.schedule)
  if (schedule) collect.add(schedule, 'schedule')
  const { freshWithin } = dataset.about
  if (freshWithin !== undefined && secondsOf(freshWithin) === undefined)
    collect.add(
      `freshWithin: '${freshWithin}' is not an interval`,
      `'${freshWithin}'`,
      "Write it as '30m', '12h' or '2d'",
    )
  if (dataset.tier === 'bronze') bronzeProblems(dataset, collect)
  if (dataset.tier === 'silver') silverProblems(dataset, collect)
  if (dataset.tier === 'gold') goldProblems(dataset, collect)
  return collect.problems
}

class Collector {
  readonly problems: Problem[] = []
  constructor(private readonly dataset: AnyDataset) {}

  add(message: string, near?: string, hint?: string): void {
    const { place } = this.dataset
    this.problems.push({
      message: `${fullName(this.dataset)}: ${message}`,
      hint,
      place: place && (near === undefined ? place : { ...place, near }),
    })
  }

  unknown(what: string, name: string, known: readonly string[], near = `'${name}'`): void {
    const similar = nearest(name, known)
    this.add(
      `${what} '${name}' is not a column of the schema`,
      near,
      similar ? `Did you mean '${similar}'?` : `The columns are: ${known.join(', ')}`,
    )
  }
}

/** What the files of a format can be compressed with. */
const compressions: Readonly<Record<string, readonly string[]>> = {
  parquet: ['snappy', 'zstd'],
  avro: ['deflate', 'snappy'],
  csv: [],
  jsonl: [],
  raw: [],
}

function bronzeProblems(dataset: Bronze, collect: Collector): void {
  const { from, format, compression, archive, keep } = dataset
  if (keep !== undefined && secondsOf(keep) === undefined)
    collect.add(notInterval(keep), `'${keep}'`, INTERVALS)
  if (
    keep !== undefined &&
    (from.kind === 'files' || (from.kind === 'database' && from.compareKeys))
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
  if (!isMark(from.delimiter))
    collect.add(
      `the delimiter must be one ASCII character, not ${JSON.stringify(from.delimiter)}`,
      'delimiter',
    )
  if (from.quote !== null && (!isMark(from.quote) || from.quote === from.delimiter))
    collect.add('the quote must be one ASCII character other than the delimiter, or null', 'quote')
  if (from.layout) layoutProblems(from, from.layout, collect)
  else if (!from.header && !from.columns)
    collect.add('files without a header need columns', 'header', "Add columns: ['id', 'name', …]")
}

function layoutProblems({ columns }: FilesSource, layout: Layout, collect: Collector): void {
  if (layout.kind === 'pattern' && !columns?.length)
    collect.add(
      'the pattern has no named groups, which would be the columns',
      'format',
      'Name them: /(?<level>\\w+) (?<message>.*)/',
    )
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

function isMark(text: string): boolean {
  return text.length === 1 && text.charCodeAt(0) < 128 && text !== '\n' && text !== '\r'
}

function columnNameProblems(
  names: readonly string[],
  collect: Collector,
  spelt: (name: string) => string,
): void {
  const seen = new Set<string>()
  for (const name of names) {
    if (seen.has(name.toLowerCase())) collect.add(`column '${name}' is named twice`, spelt(name))
    if (reservedColumns.includes(name.toLowerCase()))
      collect.add(
        `column '${name}' has a name that Moraine uses itself`,
        spelt(name),
        'Give it another name',
      )
    if (icebergColumns.includes(name.toLowerCase()))
      collect.add(
        `column '${name}' has a name that Iceberg keeps for itself`,
        spelt(name),
        'Give it another name',
      )
    if (name.trim() === '') collect.add('a column has an empty name', "''")
    seen.add(name.toLowerCase())
  }
}

function silverProblems(dataset: Silver<any>, collect: Collector): void {
  if (dataset.from.length === 0) collect.add('from names no dataset', 'from')
  if (!(dataset.schema instanceof z.ZodObject)) {
    collect.add('schema must be a z.object({ … })', 'schema')
    return
  }
  const fields = typedFields(dataset.schema.shape, collect)
  keepProblems(dataset, dataset.schema.shape, collect)
  const names = Object.keys(dataset.schema.shape)
  columnNameProblems(names, collect, (name) => `${name}:`)
  for (const column of dataset.key) {
    if (!names.includes(column)) collect.unknown('key', column, names)
    const field = fields.find(({ name }) => name === column)
    if (field && acceptsMissing(dataset.schema.shape[column]))
      collect.add(
        `key '${column}' may be missing, but every row needs a key`,
        `${column}:`,
        'Remove .optional(), .nullable() or .default() from it',
      )
    if (field?.type.kind === 'list' || field?.type.kind === 'struct')
      collect.add(`key '${column}' is a ${field.type.kind}; a key needs a plain value`, column)
  }
  if (dataset.cursor !== undefined && !names.includes(dataset.cursor))
    collect.unknown('cursor', dataset.cursor, names)
  if (dataset.cursor !== undefined && dataset.key.length === 0)
    collect.add('a cursor decides between rows with the same key, but there is no key', 'cursor')
  if (dataset.key.length === 0 && (dataset.deleteWhen || dataset.onInvalidUpdate === 'remove'))
    collect.add(
      `${dataset.deleteWhen ? 'deleteWhen' : 'onInvalidUpdate'} takes keys away, but there is no key`,
      dataset.deleteWhen ? 'deleteWhen' : 'onInvalidUpdate',
      "Say which columns tell rows apart: key: 'id'",
    )
  if (dataset.history) historyProblems(dataset, names, collect)
  checkProblems(dataset, names, collect)
  for (const part of ['select', 'severity'] as const)
    for (const column of Object.keys(dataset[part]))
      if (!names.includes(column)) collect.unknown(part, column, names, `${column}:`)
  ruleProblems(dataset, collect)
  partitionProblems(dataset, fields, collect)
  inputColumnProblems(dataset, names, collect)
}

function historyProblems(
  { key, cursor, schema }: Silver<any>,
  names: readonly string[],
  collect: Collector,
): void {
  if (key.length === 0 || cursor === undefined)
    collect.add(
      'a history needs a key and a cursor, which say what a version is of and since when it holds',
      'history',
      "Add key: '…' and cursor: '…'",
    )
  else if (names.includes(cursor) && acceptsMissing(schema.shape[cursor]))
    collect.add(
      `cursor '${cursor}' may be missing, but each version must begin at some time`,
      `${cursor}:`,
      'Remove .optional(), .nullable() or .default() from it',
    )
  for (const name of ['valid_from', 'valid_to'])
    if (names.includes(name))
      collect.add(
        `column '${name}' has a name that its history uses`,
        `${name}:`,
        'Give it another name',
      )
}

function typedFields(shape: Record<string, z.ZodType>, collect: Collector): Field[] {
  return Object.entries(shape).flatMap(([name, schema]) => {
    try {
      const type = columnTypeOf(schema)
      const problem = decimalProblem(type)
      if (problem) collect.add(`column '${name}': ${problem}`, `${name}:`)
      formatProblems(name, schema, collect)
      return [{ name, type }]
    } catch (error) {
      if (!(error instanceof UntypedColumn)) throw error
      collect.add(`column '${name}': ${error.message}`, `${name}:`)
      return []
    }
  })
}

function formatProblems(name: string, schema: z.ZodType, collect: Collector): void {
  const zoned = columnTypeOf(schema).kind === 'timestamptz'
  for (const format of formatsOf(schema)) {
    if (format.includes('%z') !== zoned)
      collect.add(
        zoned
          ? `column '${name}': the format '${format}' needs %z, the offset that makes it a moment`
          : `column '${name}': the format '${format}' reads an offset (%z), which this type would lose`,
        `'${format}'`,
        zoned ? 'Without an offset in the source, use t.timestamp()' : 'Use t.timestamptz()',
      )
    for (const specifier of unknownSpecifiers(format))
      collect.add(
        `column '${name}': the format '${format}' uses %${specifier}, which is not known`,
        `'${format}'`,
        `Known are: ${knownSpecifiers.map((s) => `%${s}`).join(' ')}`,
      )
  }
}

function decimalProblem(type: ColumnType): string | undefined {
  if (type.kind !== 'decimal') return undefined
  const { precision, scale } = type
  const good = Number.isInteger(precision) && Number.isInteger(scale)
  return good && precision >= 1 && precision <= 38 && scale >= 0 && scale <= precision
    ? undefined
    : `${typeName(type)} needs a precision from 1 to 38 and a scale from 0 to the precision`
}

function ruleProblems({ rules }: Silver<any>, collect: Collector): void {
  const seen = new Set<string>()
  for (const { name } of rules) {
    if (name.trim() === '') collect.add('a rule has no name', 'rule(')
    if (seen.has(name)) collect.add(`two rules are called '${name}'`, name)
    seen.add(name)
  }
}

function partitionProblems(
  { partitionBy }: Silver<any> | Gold<any>,
  fields: readonly Field[],
  collect: Collector,
): void {
  for (const partition of partitionBy) {
    const field = fields.find(({ name }) => name === partition.column)
    const names = fields.map(({ name }) => name)
    if (!field) collect.unknown('partitionBy', partition.column, names)
    const problem = field && partitionProblem(partition, field.type)
    const { transform, column } = partition
    const near = transform === 'identity' ? `'${column}'` : `${transform}('${column}'`
    if (problem) collect.add(`partitionBy: ${problem}`, near)
  }
}

/** Columns that no input offers, where the inputs' columns are known without reading them. */
function inputColumnProblems(dataset: Silver<any>, names: readonly string[], collect: Collector) {
  for (const input of dataset.from) {
    const offered = knownColumns(input)
    if (!offered) continue
    for (const name of names) {
      if (icebergColumns.includes(name.toLowerCase())) continue
      if (!Object.hasOwn(dataset.select, name) && acceptsMissing(dataset.schema.shape[name]))
        continue
      const given = Object.hasOwn(dataset.select, name) ? dataset.select[name] : name
      const chosen = lookupOf(given)?.by ?? given
      if (
        typeof chosen !== 'string' ||
        offered.some((c) => c.toLowerCase() === chosen.toLowerCase())
      )
        continue
      const similar = nearest(chosen, offered)
      collect.add(
        `column '${chosen}' is not in ${fullName(input)}`,
        chosen === name ? `${name}:` : `'${chosen}'`,
        similar
          ? `Did you mean '${similar}'? Rename it with select: { ${name}: '${similar}' }`
          : `${fullName(input)} has: ${offered.join(', ')}`,
      )
    }
  }
}

function acceptsMissing(schema: z.core.$ZodType | undefined): boolean {
  const accepts = (value: unknown) => z.safeParse(schema as z.core.$ZodType, value).success
  return schema !== undefined && (accepts(undefined) || accepts(null))
}

/** The columns a dataset is known to have by its definition alone. */
function knownColumns(dataset: AnyDataset): readonly string[] | undefined {
  switch (dataset.tier) {
    case 'bronze':
      return dataset.from.columns && [...dataset.from.columns, ...reservedColumns]
    case 'silver':
      return [...Object.keys(dataset.schema.shape), '_loaded_at', '_batch']
    case 'gold':
      return dataset.declared && Object.keys(dataset.declared)
  }
}

/** Checks of the whole table that can't be held. */
function checkProblems(
  dataset: Silver<any> | Gold<any>,
  names: readonly string[] | undefined,
  collect: Collector,
): void {
  const said = dataset.checks.map(checkName)
  const twice = said.find((name, i) => said.indexOf(name) !== i)
  if (twice !== undefined) collect.add(`two checks are called '${twice}'`, twice)
  for (const check of dataset.checks) {
    const columns = 'columns' in check ? check.columns : []
    for (const column of columns)
      if (names && !names.includes(column)) collect.unknown(`check.${check.check}`, column, names)
    if (check.check === 'fresh' && secondsOf(check.within) === undefined)
      collect.add(
        `check.fresh: '${check.within}' is not an interval`,
        `'${check.within}'`,
        "Write it as '30m', '12h' or '2d'",
      )
    if (check.check === 'discarded' && !(check.max >= 0 && check.max <= 1))
      collect.add('check.discarded: max must be from 0 to 1, or a percentage', 'discarded(')
    if (check.check === 'discarded' && dataset.tier === 'gold')
      collect.add(
        'check.discarded: gold discards no rows',
        'discarded(',
        'Give it to a silver dataset',
      )
    if (
      check.check === 'row count' &&
      !((check.min ?? 0) <= (check.max ?? Number.POSITIVE_INFINITY))
    )
      collect.add('check.rowCount: min is greater than max', 'rowCount(')
    if (check.check !== 'references') continue
    const known = knownColumns(check.to)
    if (known && !known.includes(check.target))
      collect.add(
        `check.references: '${check.target}' is not a column of ${fullName(check.to)}`,
        `'${check.target}'`,
        `It has: ${known.join(', ')}`,
      )
  }
}

function incrementalProblems(
  { incremental, declared, query }: Gold<any>,
  collect: Collector,
): void {
  if (!incremental) return
  if (historiesIn(query).length > 0)
    collect.add(
      'incremental: all versions of a dataset can not be read by parts',
      'incremental',
      'Leave it out: all of it is computed whenever an input changes',
    )
  const { by, affects } = incremental
  const names = declared && Object.keys(declared)
  if (names && !names.includes(by)) {
    const similar = nearest(by, names)
    collect.add(
      `incremental: by '${by}' is not a column of the result`,
      `'${by}'`,
      similar ? `Did you mean '${similar}'?` : `The columns are: ${names.join(', ')}`,
    )
  }
  const reach = [affects?.before ?? 0, affects?.after ?? 0]
  if (reach.some((n) => !Number.isInteger(n) || n < 0))
    collect.add('incremental: affects needs whole numbers from 0 up', 'affects')
}

function goldProblems(dataset: Gold<any>, collect: Collector): void {
  checkProblems(dataset, dataset.declared && Object.keys(dataset.declared), collect)
  incrementalProblems(dataset, collect)
  keepProblems(dataset, dataset.declared, collect)
  if (!dataset.declared) return
  const fields = typedFields({ ...dataset.declared }, collect)
  columnNameProblems(Object.keys(dataset.declared), collect, (name) => `${name}:`)
  partitionProblems(dataset, fields, collect)
}
