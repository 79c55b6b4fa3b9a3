import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { FilesSource } from '../define/source.js'
import { quoteName, quoteText } from '../define/sql.js'
import type { Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { scratchFolder } from '../storage/scratch.js'
import { type CanonicalText, canonicalize, ESCAPE, SEPARATOR, unescaped } from './canonical.js'
import type { SourceFile } from './discover.js'
import { takeExcel } from './formats/excel/take-excel.js'
import { splitOf } from './formats/lines.js'
import { takeTable } from './formats/table.js'
import { takeJson } from './formats/take-json.js'
import type { Inspection } from './inspect.js'
import { RecordReader, type TextFacts } from './records.js'
import { keepRows, lineage, refuseChanged, type TakenFile, type Target, textOf } from './taken.js'

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
  const taken = await takerOf(source)(file, source, inspection, target)
  await refuseChanged(file)
  return taken
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
  const header = source.header ? await readHeader(file, source, inspection) : undefined
  const columns = columnsOf(source, header, file)
  const skip = source.header ? 1 : 0
  const { delimiter, quote } = source
  if (quote === null || !inspection.quotes) {
    const taken = await takeValues(file, source, columns, inspection, target)
    return taken ?? takeLines(file, source, columns, inspection, target)
  }
  const others = source.nulls.filter((text) => text !== '')
  // Only unquoted texts stand for NULL; once they are read, the two can't be told apart.
  if (others.length > 0) return undefined
  // The engine lets further fields pass that begin like a text for NULL, so it is told none but
  // the empty one, or one that no plain file holds.
  const nulls = source.nulls.includes('') ? [''] : [SEPARATOR]
  const text = target.session.text(textOf(file), {
    columns,
    delimiter,
    quote,
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
  { delimiter, header }: FilesSource,
  columns: readonly string[],
  { lines, longest, values }: Inspection,
  target: Target,
): Promise<TakenFile | undefined> {
  if (!values || values.size === 0) return undefined
  const skip = header ? 1 : 0
  const layout = { columns, delimiter, quote: null, nulls: [''], skip, longest }
  const text = target.session.text(textOf(file), { ...layout, types: values })
  return tryRecords(file, text, columns, { lines, values }, skip, target)
}

/**
 * Without quotes a line is a record, and splitting it is all there is to do: the engine does it, and keeps
 * lines that do not fit whole. `undefined` when no line fits, which is for the careful way to tell.
 */
async function takeLines(
  file: SourceFile,
  { delimiter, nulls, header }: FilesSource,
  columns: readonly string[],
  inspection: Inspection,
  target: Target,
): Promise<TakenFile | undefined> {
  const skip = header ? 1 : 0
  const { longest } = inspection
  // Neither of the two control characters is in a plain file.
  const text = target.session.text(textOf(file), {
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
  const error = `concat(len(f), CASE WHEN len(f) = 1 THEN ' field' ELSE ' fields' END, ' instead of ${n}')`
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
    const { bom } = inspection
    const columnCount = source.columns?.length
    const text = await canonicalize(textOf(file), path, source, {
      ...factsOf(inspection),
      bom,
      columns: columnCount,
      signal: target.signal,
    })
    const columns = columnsOf(source, text.header, file)
    refuseWrongLayout(file, source, columns, text)
    const longest = Math.max(text.longest, inspection.longest * 4)
    const relation = canonicalRows(target.session, path, columns, longest)
    const sql = `SELECT ${lineage(file, target).join(', ')}, * FROM ${relation}`
    const { rows, bytes } = await target.session.writeFile(sql, target.location)
    if (rows !== text.records)
      throw new MoraineError('source', `${file.name}: read ${rows} of ${text.records} records`, {
        hint: 'This is a mistake in Moraine; nothing was published. Please report it with the file.',
      })
    return { rows, bytes, broken: text.broken, columns }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
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
  const text = session.text(path, {
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
export function factsOf({ carriageReturns, utf8, nul, controls }: Inspection): TextFacts {
  return { carriageReturns, clean: utf8 && !nul, controls }
}

async function readHeader(
  file: SourceFile,
  source: FilesSource,
  inspection: Inspection,
): Promise<string[] | undefined> {
  const reader = new RecordReader(source, factsOf(inspection), false)
  const input = createReadStream(textOf(file), { start: inspection.bom ? 3 : 0 })
  for await (const chunk of input) for (const { fields } of reader.push(chunk, false)) return fields
  return reader.push(Buffer.alloc(0), true)[0]?.fields
}

/** The columns' names: as declared, or as the header says. */
export function columnsOf(
  source: FilesSource,
  header: string[] | undefined,
  file: SourceFile,
): string[] {
  if (source.header && header === undefined)
    throw new MoraineError('source', `${file.name} has no header that can be read`)
  const names = header?.map((name) => name.trim())
  const trailing = names?.at(-1) === '' && names.length - 1 === source.columns?.length
  if (names && source.columns && names.length !== source.columns.length && !trailing)
    throw new MoraineError(
      'source',
      `${file.name} has ${names.length} columns, but ${source.columns.length} are declared`,
      { hint: `Its header is: ${names.join(', ')}. Check the delimiter and the columns.` },
    )
  const columns = [...(source.columns ?? names ?? [])]
  const lower = columns.map((name) => name.toLowerCase())
  const bad = columns.find(
    (name, i) => name === '' || name.startsWith('_') || lower.indexOf(name.toLowerCase()) !== i,
  )
  if (bad !== undefined)
    throw new MoraineError(
      'source',
      bad === ''
        ? `${file.name}: a column in the header has no name`
        : `${file.name}: the column name '${bad}' ${bad.startsWith('_') ? 'begins with _' : 'appears twice'}`,
      { hint: 'Give the names yourself with columns: [...] and header: true.' },
    )
  return columns
}

/** When every single record has another number of fields, the declaration is wrong, not the data. */
export function refuseWrongLayout(
  file: SourceFile,
  source: FilesSource,
  columns: readonly string[],
  { records, ragged, firstBroken }: CanonicalText,
): void {
  if (records === 0 || ragged < records || !firstBroken) return
  const shown = source.delimiter === '\t' ? 'tabs' : `'${source.delimiter}'`
  throw new MoraineError(
    'source',
    `${file.name}: not one of its ${records} records has ${columns.length} fields separated by ${shown}; line ${firstBroken.line}: ${firstBroken.error}`,
    { hint: 'Check the delimiter and the columns given to files().' },
  )
}
