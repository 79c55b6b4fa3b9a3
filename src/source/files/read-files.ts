import { createReadStream } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FilesSource } from '../../define/source.js'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import type { Session } from '../../engine/engine.js'
import { isEngineLost } from '../../engine/sql-error.js'
import { MoraineError } from '../../errors.js'
import { scratchFolder } from '../../storage/scratch.js'
import { localPath } from '../../storage/staging.js'
import { decode as decodeElsewhere } from '../decoder/client.js'
import { SMALL_TEXT } from '../decoder/limits.js'
import { withinTime } from '../decoder/watchdog.js'
import { takeExcel } from '../formats/excel/take-excel.js'
import { splitOf } from '../formats/lines.js'
import { takeTable } from '../formats/table.js'
import { takeJson } from '../formats/take-json.js'
import {
  byteOf,
  type CanonicalText,
  canonicalOf,
  ESCAPE,
  headerRowsOf,
  isTerminated,
  SEPARATOR,
  unescaped,
} from '../text/canonical.js'
import { type HeaderColumns, headerOfRows, namesOfHeader } from '../text/columns.js'
import { RecordReader, type TextFacts, type TextRecord } from '../text/records.js'
import { regionOfFile } from '../text/region.js'
import { folderValues, withFolders } from './folders.js'
import type { Inspection } from './inspect.js'
import type { SourceFile } from './source-file.js'
import {
  keepRows,
  keptColumns,
  leftOut,
  lineage,
  refuseChanged,
  type TakenFile,
  type Target,
  textOf,
} from './taken.js'

/**
 * Writes all records of a file to Parquet as they came: every column as text, each row with its
 * file and physical line. Plain files go through the engine's own reader; all others are read
 * carefully first, so that a broken record costs only itself.
 */
export async function takeFile(
  file: SourceFile,
  source: FilesSource,
  inspection: Inspection,
  target: Target,
): Promise<TakenFile> {
  const own = source.hive ? { ...target, folders: folderValues(file.name) } : target
  const taken = await takeSafely(file, source, inspection, own)
  await refuseChanged(file)
  return taken
}

/**
 * Where the engine itself decodes a file, it does so in a process of its own; plain texts excepted, which are read here. One that
 * ends the engine all the same is tried once more there, where it costs itself alone.
 */
async function takeSafely(
  file: SourceFile,
  source: FilesSource,
  inspection: Inspection,
  target: Target,
): Promise<TakenFile> {
  if (source.layout?.kind === 'parquet') return takeElsewhere(file, source, inspection, target)
  try {
    return await takeHere(file, source, inspection, target)
  } catch (error) {
    if (!isEngineLost(error)) throw error
    return takeElsewhere(file, source, inspection, target)
  }
}

async function takeElsewhere(
  file: SourceFile,
  { readers: _, ...source }: FilesSource,
  inspection: Inspection,
  { session, signal, note, ...target }: Target,
): Promise<TakenFile> {
  const own = { ...target, location: localPath(target.location) }
  const { taken, notes } = await decodeElsewhere(
    'take',
    file,
    { source, inspection, target: own },
    signal,
  )
  for (const text of notes) note?.(text)
  return taken
}

/** Reads a file with the engine of the session. */
export function takeHere(...taking: Parameters<typeof takeFile>): Promise<TakenFile> {
  return takerOf(taking[1])(...taking)
}

function takerOf(source: FilesSource): typeof takeFile {
  const kind = source.layout?.kind
  if (kind === 'parquet') return takeTable
  if (kind === 'excel') return takeExcel
  if (kind === undefined) return takeDelimited
  return splitOf(source) ? takeCarefully : takeJson
}

async function takeDelimited(...taking: Parameters<typeof takeFile>): Promise<TakenFile> {
  const [, , inspection] = taking
  const plain = inspection.plain ? await takePlain(...taking) : undefined
  return plain ?? (await takeCarefully(...taking))
}

/** `undefined` when the engine finds records that do not fit, or another number of them. */
async function takePlain(
  file: SourceFile,
  source: FilesSource,
  inspection: Inspection,
  target: Target,
): Promise<TakenFile | undefined> {
  const { footer = 0, comment } = source
  if (footer > 0 || comment !== undefined) return undefined
  const header = source.header ? await readHeader(file, source, inspection) : []
  const { columns, outside } = columnsOf(source, header, file)
  const taken = inspection.quotes
    ? await takeText(file, source, columns, inspection, target)
    : await takeUnquoted(file, source, columns, header[0], inspection, target)
  return taken && { ...taken, ...outside }
}

async function takeUnquoted(
  file: SourceFile,
  source: FilesSource,
  columns: readonly string[],
  header: TextRecord | undefined,
  inspection: Inspection,
  target: Target,
): Promise<TakenFile | undefined> {
  const taken = await takeValues(file, source, columns, inspection, target)
  if (taken) return taken
  const wide = columns.length > WIDE && (await takeText(file, source, columns, inspection, target))
  return wide || takeLines(file, source, columns, header, inspection, target)
}

/** Columns from which on the engine's own reader is much quicker than to split lines by SQL. */
const WIDE = 256

/** By the engine's own reader of delimited text. */
async function takeText(
  file: SourceFile,
  source: FilesSource,
  columns: readonly string[],
  inspection: Inspection,
  target: Target,
): Promise<TakenFile | undefined> {
  const { delimiter, quote, skip: before = 0 } = source
  const skip = before + headerRowsOf(source)
  // The engine counts lines before the records as it counts records.
  const isUsual = byteOf(delimiter) !== undefined && source.escape === undefined
  const quoted = inspection.quotes
  if (quoted && quote === null) return undefined
  if (!isUsual || before > 0 || skip > 1) return undefined
  const others = source.nulls.filter((text) => text !== '')
  // Only unquoted texts stand for NULL; once they are read, the two can't be told apart.
  if (others.length > 0) return undefined
  // The engine lets further fields pass that begin like a text for NULL, so it is told none but
  // the empty one, or one that no plain file holds.
  const nulls = source.nulls.includes('') ? [''] : [SEPARATOR]
  const text = target.session.files.text(textOf(file), {
    columns,
    delimiter,
    quote: quoted ? quote : null,
    nulls,
    skip,
    longest: inspection.longest,
  })
  const { lines } = inspection
  return tryRecords(file, text, columns, { lines }, skip, target)
}

/** `undefined` when the engine finds records that do not fit, or another number of them than there are lines. */
async function tryRecords(
  file: SourceFile,
  text: string,
  columns: readonly string[],
  { lines, values }: { lines: number; values?: Inspection['values'] },
  skip: number,
  target: Target,
): Promise<TakenFile | undefined> {
  const about = { columns, rows: lines - skip, firstLine: skip + 1 }
  const rows = { relation: text, sound: true, ...about, ...(values ? { exact: values } : {}) }
  try {
    return await keepRows(file, rows, target)
  } catch (error) {
    if (/CSV Error|Invalid Input|Conversion Error/i.test((error as Error).message)) return undefined
    throw error
  }
}

/**
 * Where it is known that fields are just what values are written as, the engine reads them as values, and that they give
 * their texts back need not be proved. `undefined` where there are none, or the engine can't read one after all: a day that its month does not have.
 */
async function takeValues(
  file: SourceFile,
  source: FilesSource,
  columns: readonly string[],
  { lines, longest, values }: Inspection,
  target: Target,
): Promise<TakenFile | undefined> {
  if (!values || values.size === 0) return undefined
  const { delimiter } = source
  const skip = (source.skip ?? 0) + headerRowsOf(source)
  const layout = { columns, delimiter, quote: null, nulls: [''], skip, longest }
  const text = target.session.files.text(textOf(file), { ...layout, types: values })
  return tryRecords(file, text, columns, { lines, values }, skip, target)
}

/**
 * Without quotes a line is a record, and splitting it is all there is to do: the engine does it, and keeps
 * lines that do not fit whole. `undefined` when no line fits, which is for the careful way to tell.
 */
async function takeLines(
  file: SourceFile,
  source: FilesSource,
  columns: readonly string[],
  header: TextRecord | undefined,
  inspection: Inspection,
  target: Target,
): Promise<TakenFile | undefined> {
  const { delimiter, nulls } = source
  const skip = (source.skip ?? 0) + headerRowsOf(source)
  const { longest } = inspection
  // Neither of the two control characters is in a plain file.
  const text = target.session.files.text(textOf(file), {
    columns: ['line'],
    delimiter: SEPARATOR,
    quote: null,
    nulls: [ESCAPE],
    skip,
    longest,
  })
  const n = columns.length
  const values = columns.map((name, i) => {
    const value = nulls.reduce((sql, text) => `nullif(${sql}, ${quoteText(text)})`, `g[${i + 1}]`)
    return `${value} AS ${quoteName(name)}`
  })
  // Delimiters at the end of a line make no further fields.
  const fits = `len(f) = ${n} OR (len(f) > ${n} AND array_to_string(f[${n + 1}:], '') = '')`
  const first = header ?? (await readRecords(file, source, inspection, 1))[0]
  const counted = first && isTerminated(first) ? 'len(f) > 1' : `len(f) > ${n}`
  const fields = `(len(f) - CASE WHEN ${counted} AND f[-1] = '' THEN 1 ELSE 0 END)`
  const error = `concat(${fields}, CASE WHEN ${fields} = 1 THEN ' field' ELSE ' fields' END, ' instead of ${n}')`
  const relation = `(SELECT CASE WHEN NOT fits THEN ${error} END AS _error, CASE WHEN NOT fits THEN line END AS _raw,
    ${values.join(', ')}
    FROM (SELECT *, CASE WHEN fits THEN f END AS g FROM (SELECT *, ${fits} AS fits FROM (SELECT line, string_split(line, ${quoteText(delimiter)}) AS f FROM ${text}))))`
  const rows = inspection.lines - skip
  const kept = await keepRows(file, { relation, columns, rows, firstLine: skip + 1 }, target)
  return kept && kept.rows > 0 && kept.broken === kept.rows ? undefined : kept
}

async function takeCarefully(
  file: SourceFile,
  source: FilesSource,
  inspection: Inspection,
  target: Target,
): Promise<TakenFile> {
  const folder = await scratchFolder('text')
  try {
    const path = join(folder, 'canonical')
    const text = await canonicalText(file, source, inspection, path, target)
    const { columns, outside } = columnsOf(source, text.header, file)
    refuseWrongLayout(file, source, columns, text)
    const longest = Math.max(text.longest, inspection.longest * 4)
    const rowsOf = { relation: canonicalRows(target.session, path, columns, longest), columns }
    const { relation, columns: all } = withFolders(rowsOf, target.folders)
    const own = keptColumns(all, target)
    const kept = ['_source_line', '_error', '_raw', ...own.map(quoteName)]
    const sql = `SELECT ${[...lineage(file, target), ...kept].join(', ')} FROM ${relation}`
    const { rows, bytes } = await target.session.files.writeFile(sql, target.location)
    if (rows !== text.records)
      throw new MoraineError('engine', `${file.name}: read ${rows} of ${text.records} records`, {
        hint: 'This is a mistake in Moraine; nothing was published. Please report it with the file.',
      })
    return { rows, bytes, broken: text.broken, columns: own, ...outside, ...leftOut(all, target) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Writes the canonical form of a text: in place where it is small, otherwise in a process that can be stopped. */
async function canonicalText(
  file: SourceFile,
  source: FilesSource,
  inspection: Inspection,
  to: string,
  { signal }: Target,
): Promise<CanonicalText> {
  if (inspection.bytes > SMALL_TEXT) {
    const { readers: _, ...own } = source
    return decodeElsewhere('canonical', file, { source: own, inspection, to }, signal)
  }
  const options = canonicalOptions(file, source, inspection)
  const decode = await canonicalOf(await readFile(textOf(file)), source, options)
  const { text, ...found } = withinTime(file.name, decode)
  await writeFile(to, text)
  return found
}

/** SQL for the rows of a canonical text, which begin with the name of their file where they are `named`. */
export function canonicalRows(
  session: Session,
  path: string,
  columns: readonly string[],
  longest: number,
  named = false,
): string {
  const name = named ? ['_file'] : []
  const text = session.files.text(path, {
    columns: [...name, '_source_line', '_error', '_raw', ...columns.map((_, i) => `c${i}`)],
    delimiter: SEPARATOR,
    quote: null,
    nulls: [''],
    skip: 0,
    longest,
  })
  const values = columns.map((name, i) => `${unescaped(`c${i}`)} AS ${quoteName(name)}`)
  const all = [
    ...name.map((column) => `${unescaped(column)} AS _source_file`),
    'CAST(_source_line AS BIGINT) AS _source_line',
    '_error',
    `${unescaped('_raw')} AS _raw`,
    ...values,
  ]
  return `(SELECT ${all.join(', ')} FROM ${text})`
}

/** What an inspection tells a reader of records. */
function factsOf({ carriageReturns, utf8, nul, controls }: Inspection): TextFacts {
  return { carriageReturns, clean: utf8 && !nul, controls }
}

/** How a text is read into its canonical form. */
export function canonicalOptions(file: SourceFile, source: FilesSource, inspection: Inspection) {
  return {
    ...factsOf(inspection),
    bom: inspection.bom,
    columns: source.header
      ? (header: readonly TextRecord[]) => columnsOf(source, header, file).columns.length
      : (source.columns?.length ?? 0),
  }
}

/** The records that name a file's columns. */
function readHeader(
  file: SourceFile,
  source: FilesSource,
  inspection: Inspection,
): Promise<TextRecord[]> {
  return readRecords(file, source, inspection, headerRowsOf(source))
}

/** The first records of a file. */
async function readRecords(
  file: SourceFile,
  source: FilesSource,
  inspection: Inspection,
  most: number,
): Promise<TextRecord[]> {
  const facts = { ...factsOf(inspection), bom: inspection.bom }
  const { start, end, firstLine } = await regionOfFile(textOf(file), source, facts)
  const reader = new RecordReader(source, { ...facts, firstLine }, false)
  const found: TextRecord[] = []
  if (start < end)
    for await (const chunk of createReadStream(textOf(file), { start, end: end - 1 })) {
      found.push(...reader.push(chunk, false))
      if (found.length >= most) return found.slice(0, most)
    }
  return [...found, ...reader.push(Buffer.alloc(0), true)].slice(0, most)
}

/**
 * The columns: as declared, or as the header says.
 *
 * @throws MoraineError of kind `source` when a header is no good, or lacks a declared name.
 */
export function columnsOf(
  source: FilesSource,
  header: readonly TextRecord[],
  file: SourceFile,
): HeaderColumns {
  if (!source.header) return { columns: [...(source.columns ?? [])], outside: {} }
  const bad = header.find(({ error }) => error !== undefined)
  const control = header.find(({ fields }) => fields.some((name) => CONTROL.test(name)))
  const why = bad?.error ?? (control && 'it holds control characters')
  if (header.length < headerRowsOf(source) || why !== undefined)
    throw new MoraineError(
      'source',
      `${file.name} has no header that can be read${why === undefined ? '' : `: ${why}`}`,
      {
        hint: `Is it text between delimiters, and is its header on line ${(source.skip ?? 0) + 1}?`,
      },
    )
  return namesOfHeader(headerOfRows(header.map(({ fields }) => fields)), source, file)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a name with one of them is no name
const CONTROL = /[\x00-\x08\x0e-\x1f\x7f]/

/** When every single record has another number of fields, the declaration is wrong, not the data. */
export function refuseWrongLayout(
  file: SourceFile,
  source: FilesSource,
  columns: readonly string[],
  { records, ragged, firstBroken, header }: CanonicalText,
): void {
  if (records === 0 || ragged < records || !firstBroken) return
  const named = header[0]?.fields.length ?? 0
  if (named > columns.length)
    throw new MoraineError(
      'source',
      `${file.name}: column ${columns.length + 1} in the header has no name, but its records have a value there`,
      { hint: 'Give the names yourself with columns: [...] and header: true.' },
    )
  const shown = source.delimiter === '\t' ? 'tabs' : `'${source.delimiter}'`
  throw new MoraineError(
    'source',
    `${file.name}: not one of its ${records} records has ${columns.length} fields separated by ${shown}; line ${firstBroken.line}: ${firstBroken.error}`,
    { hint: 'Check the delimiter and the columns given to files().' },
  )
}
