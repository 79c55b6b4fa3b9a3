import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MoraineError } from '../../errors.js'
import { scratchFolder } from '../../storage/scratch.js'
import { type Kept, keepRecords } from '../files/encode.js'
import { withFolders } from '../files/folders.js'
import {
  type FileReading,
  type IngestedFile,
  keepRows,
  keptColumns,
  leftOut,
  lineage,
  type Target,
  textOf,
} from '../files/ingested.js'
import type { SourceFile } from '../files/source-file.js'
import { ESCAPE, SEPARATOR, unescaped } from '../text/canonical.js'
import type { NamesOutside } from '../text/names.js'
import {
  alikeLines,
  columnsOf,
  type Found,
  type Lined,
  MOST_COLUMNS,
  type NamedReading,
  type NamedRows,
} from './json-columns.js'
import type { JsonRecord } from './json-records.js'
import { TooManyNames, writeWithinLimit } from './name-limit.js'
import { writeFileRecords } from './write-file-records.js'
import { type WrittenRecords, writeRecords } from './write-records.js'

/**
 * Writes rows that are JSON objects to Parquet, a column for each name that any of them has; values
 * are texts, and objects and lists JSON. Plain JSON lines go to the engine as they are; all else is
 * cut into rows first.
 */
export async function ingestJson(reading: FileReading): Promise<IngestedFile> {
  const { file, source, inspection, target } = reading
  const { layout } = source
  const asIs = layout?.kind === 'json' && layout.lines && inspection.plain && !inspection.numbers
  const ingested = asIs ? await ingestLines(reading).catch(namedByRow) : undefined
  if (ingested) return ingested
  const write = (to: string) => writeFileRecords(reading, to, { signal: target.signal })
  return ingestWritten(file, source, write, target)
}

/** Which rows have the names that are too many shows where they are written down. */
function namedByRow(error: unknown): undefined {
  if (!(error instanceof TooManyNames)) throw error
}

/**
 * Lines of which each is an object go to the engine as they are; they are its rows, also where they
 * are none.
 */
async function ingestLines(reading: FileReading): Promise<IngestedFile | undefined> {
  const { file, inspection, target } = reading
  const { lines, longest } = inspection
  const text = target.session.files.text(textOf(file), {
    columns: ['_json'],
    delimiter: SEPARATOR,
    quote: null,
    nulls: [ESCAPE],
    skip: 0,
    longest,
  })
  const lined = `(SELECT CAST(NULL AS VARCHAR) AS _why, CAST(NULL AS VARCHAR) AS _what, _json FROM ${text})`
  const all = await keepAll(reading, { relation: lined }, (found) =>
    keepRows(file, { ...found, rows: lines, firstLine: 1 }, target),
  )
  // Lines of nothing but spaces are no rows, which only a look at each of them tells.
  const { kept } = all
  const isBlank = target.session.dialect.patterns.matches('_json', '\\s*')
  const [blank] =
    kept && kept.broken > 0
      ? await target.session.rows(`SELECT 1 FROM ${text} WHERE ${isBlank} LIMIT 1`)
      : []
  return blank ? undefined : kept && { ...kept, ...all.outside }
}

/** What was kept, and the columns and their names. */
type KeptNamed<T> = { kept: T; columns: string[]; outside: NamesOutside }

/**
 * Keeps rows that have the names of the first ones, as most do, with one look at them; otherwise
 * the names of all are looked for first.
 */
async function keepAll<T extends { broken: number } | undefined>(
  rows: NamedReading,
  lined: Lined,
  keep: (found: Found) => Promise<T>,
): Promise<KeptNamed<T>> {
  const { target } = rows
  const alike = target.large ? await alikeLines(rows, lined) : undefined
  // What is no JSON at all fails here, and is told line by line below.
  const kept = alike && (await keep(alike).catch(() => undefined))
  target.signal?.throwIfAborted()
  if (alike && kept?.broken === 0) return { kept, columns: alike.columns, outside: alike.outside }
  const found = await columnsOf(rows, lined)
  return { kept: await keep(found), columns: found.columns, outside: found.outside }
}

/** Writes rows down by the line before the engine reads them. */
export async function ingestRecords(
  file: SourceFile,
  source: NamedRows,
  records: AsyncIterable<readonly JsonRecord[]>,
  target: Target,
): Promise<IngestedFile> {
  const { signal } = target
  const write = (to: string) => writeRecords(records, to, { ...(signal ? { signal } : {}) })
  return ingestWritten(file, source, write, target)
}

/**
 * Takes rows that somebody writes down to a path; one that has more names than can be columns costs
 * itself alone.
 */
export async function ingestWritten(
  file: SourceFile,
  source: NamedRows | ((written: WrittenRecords) => NamedRows),
  write: (to: string) => Promise<WrittenRecords>,
  target: Target,
): Promise<IngestedFile> {
  const folder = await scratchFolder('records')
  try {
    const path = join(folder, 'records')
    const written = await write(path)
    const rows = typeof source === 'function' ? source(written) : source
    try {
      return await ingestTexts(file, rows, { path, ...written }, target)
    } catch (error) {
      if (!(error instanceof TooManyNames)) throw error
      const within = join(folder, 'within')
      const less = await writeWithinLimit(path, within, MOST_COLUMNS)
      // Where most are so, it is how they are read that is wrong.
      if (!target.ofOthers && less.refused * 2 > less.objects) throw error
      return await ingestTexts(file, rows, { path: within, ...less }, target)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function ingestTexts(
  file: SourceFile,
  source: NamedRows,
  written: Texts & WrittenRecords,
  target: Target,
): Promise<IngestedFile> {
  const rows = { file, source, target }
  const { kept, columns, outside } = await keepTexts(rows, written, (found) => {
    const { location } = target
    const { relation, columns: all } = withFolders(found, target.folders)
    const columns = keptColumns(all, target)
    const lines = [...lineage(file, target), '_source_line']
    const records = { relation, columns, lineage: lines, location }
    return keepRecords(target.session, records, target.large ? target.requested : new Map())
  })
  if (kept.rows !== written.records)
    throw new MoraineError('engine', `${file.name}: read ${kept.rows} of ${written.records} rows`, {
      hint: 'This is a bug in Moraine; nothing was published. Please report it with the file.',
    })
  const all = withFolders({ relation: '', columns }, target.folders).columns
  const own = { columns: keptColumns(all, target), ...leftOut(all, target) }
  return { ...kept, ...outside, ...own }
}

/** Texts of records, a line each. */
interface Texts {
  path: string
  /** Bytes of the longest line. */
  longest: number
  /** Numbers in it are marked. */
  marked?: boolean
  /** Each line begins with the name of its file. */
  named?: boolean
}

/** Keeps records whose texts were written down. */
export function keepTexts<T extends Kept>(
  rows: NamedReading,
  { path, longest, named = false, marked = false }: Texts,
  keep: (found: Found) => Promise<T>,
): Promise<KeptNamed<T>> {
  const text = rows.target.session.files.text(path, {
    columns: [...(named ? ['_file'] : []), '_line', '_why', '_what', '_json'],
    delimiter: SEPARATOR,
    quote: null,
    nulls: [''],
    newline: '\n',
    skip: 0,
    longest,
  })
  const plain = (column: string) => unescaped(column, rows.target.session.dialect)
  const name = named ? `${plain('_file')} AS _source_file, ` : ''
  const lined = `(SELECT ${name}CAST(_line AS BIGINT) AS _source_line, _why, ${plain('_what')} AS _what, ${plain('_json')} AS _json FROM ${text})`
  return keepAll(rows, { relation: lined, marked }, keep)
}
