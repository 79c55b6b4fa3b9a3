import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { FilesSource } from '../../define/source.js'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import { MoraineError } from '../../errors.js'
import { scratchFolder } from '../../storage/scratch.js'
import { decode } from '../decoder/client.js'
import { SMALL_TEXT } from '../decoder/limits.js'
import { type Kept, keepRecords } from '../files/encode.js'
import { withFolders } from '../files/folders.js'
import type { Inspection } from '../files/inspect.js'
import type { SourceFile } from '../files/source-file.js'
import {
  keepRows,
  keptColumns,
  leftOut,
  lineage,
  type TakenFile,
  type Target,
  textOf,
} from '../files/taken.js'
import { ESCAPE, SEPARATOR, unescaped } from '../text/canonical.js'
import { noColumn } from '../text/columns.js'
import { type Key, type NamesOutside, namesOf, namesOutside } from '../text/names.js'
import { recordsOf } from './document.js'
import { namesIn, valuesOf } from './json-names.js'
import { type JsonRecord, unmarked } from './json-records.js'
import { TooManyNames, writeWithinLimit } from './name-limit.js'
import { type WrittenRecords, writeRecords } from './write-records.js'

/** What is to be known of rows that have names. */
type NamedRows = Pick<FilesSource, 'columns'> & Partial<Pick<FilesSource, 'layout'>>

/** More columns than this are no columns, but keys of something else. */
const MOST_COLUMNS = 10_000

/**
 * Writes rows that are JSON objects to Parquet, a column for each name that any of them has; values are texts, and objects and lists
 * JSON. Plain JSON lines go to the engine as they are; all else is cut into rows first.
 */
export async function takeJson(
  file: SourceFile,
  source: FilesSource,
  inspection: Inspection,
  target: Target,
): Promise<TakenFile> {
  const { layout } = source
  const asIs = layout?.kind === 'json' && layout.lines && inspection.plain && !inspection.numbers
  const taken = asIs
    ? await takeLines(file, source, inspection, target).catch(toldByRow)
    : undefined
  if (taken) return taken
  const write = (to: string) => writeFileRecords(file, source, inspection, to, target)
  return takeWritten(file, source, write, target)
}

/** Which rows have the names that are too many shows where they are written down. */
function toldByRow(error: unknown): undefined {
  if (!(error instanceof TooManyNames)) throw error
}

/** Writes the rows of a file down: in place where it is a small text, otherwise in a process that can be stopped. */
export function writeFileRecords(
  file: SourceFile,
  source: FilesSource,
  inspection: Inspection,
  to: string,
  { signal }: Pick<Target, 'signal'>,
  lead?: string,
): Promise<WrittenRecords> {
  const led = lead === undefined ? {} : { lead }
  if (inspection.bytes <= SMALL_TEXT && source.layout?.kind !== 'avro')
    return writeRecords(
      recordsOf(file, source, inspection, { ...(signal ? { signal } : {}) }),
      to,
      led,
    )
  const { readers: _, ...own } = source
  return decode('records', file, { source: own, inspection, to, ...led }, signal)
}

/** Lines of which each is an object go to the engine as they are; they are its rows, also where they are none. */
async function takeLines(
  file: SourceFile,
  source: FilesSource,
  { lines, longest }: Inspection,
  target: Target,
): Promise<TakenFile | undefined> {
  const text = target.session.files.text(textOf(file), {
    columns: ['_json'],
    delimiter: SEPARATOR,
    quote: null,
    nulls: [ESCAPE],
    skip: 0,
    longest,
  })
  const lined = `(SELECT CAST(NULL AS VARCHAR) AS _why, CAST(NULL AS VARCHAR) AS _what, _json FROM ${text})`
  const all = await keepAll(file, source, { relation: lined }, target, (found) =>
    keepRows(file, { ...found, rows: lines, firstLine: 1 }, target),
  )
  // Lines of nothing but spaces are no rows, which only a look at each of them tells.
  const { kept } = all
  const [blank] =
    kept && kept.broken > 0
      ? await target.session.rows(`SELECT 1 FROM ${text} WHERE ${BLANK} LIMIT 1`)
      : []
  return blank ? undefined : kept && { ...kept, ...all.outside }
}

const BLANK = `regexp_full_match(_json, '\\s*')`

/** The lines of a text: `_why` and `_what` of those that are no rows, `_json` of the others. */
interface Lined {
  relation: string
  /** Numbers in them are marked. */
  marked?: boolean
}

/** Rows that were found in a text. */
export interface Found {
  relation: string
  columns: string[]
  outside: NamesOutside
}

/** What was kept, and the columns and their names. */
type KeptNamed<T> = { kept: T; columns: string[]; outside: NamesOutside }

/** Keeps rows that have the names of the first ones, as most do, with one look at them; otherwise the names of all are looked for first. */
async function keepAll<T extends { broken: number } | undefined>(
  file: SourceFile,
  source: NamedRows,
  lined: Lined,
  target: Target,
  keep: (found: Found) => Promise<T>,
): Promise<KeptNamed<T>> {
  const alike = target.large ? await alikeLines(file, source, lined, target) : undefined
  // What is no JSON at all fails here, and is told line by line below.
  const kept = alike && (await keep(alike).catch(() => undefined))
  target.signal?.throwIfAborted()
  if (alike && kept?.broken === 0) return { kept, columns: alike.columns, outside: alike.outside }
  const found = await columnsOf(file, source, lined, target)
  return { kept: await keep(found), columns: found.columns, outside: found.outside }
}

/** Lines that are looked at before it is assumed that all have the names which these have. */
const SAMPLE = 2048
/** Sets of names that rows are compared with. */
const MOST_SETS = 8

/** A relation for lines whose names are those of the first ones: others have an `_error`. `undefined` where the first ones differ much. */
async function alikeLines(
  file: SourceFile,
  source: NamedRows,
  lined: Lined,
  target: Target,
): Promise<Found | undefined> {
  const first = `(SELECT * FROM ${lined.relation} LIMIT ${SAMPLE})`
  const sets = await target.session
    .rows(`SELECT DISTINCT json_keys(_json) AS k FROM ${first}`)
    .catch(() => [])
  const names = sets.map(({ k }) => (k ?? []) as string[])
  // Of what is no object there are no names either.
  if (names.length === 0 || names.length > MOST_SETS || names.some((k) => k.length === 0))
    return undefined
  const known = names.map((k) => `[${k.map(quoteText).join(', ')}]`).join(', ')
  const other = `CASE WHEN coalesce(json_keys(_json) NOT IN (${known}), true) THEN 'it has other names' END`
  return columnsOf(file, source, lined, target, { first, other })
}

/** Writes rows down by the line before the engine reads them. */
export async function takeRecords(
  file: SourceFile,
  source: NamedRows,
  records: AsyncIterable<readonly JsonRecord[]>,
  target: Target,
): Promise<TakenFile> {
  const { signal } = target
  const write = (to: string) => writeRecords(records, to, { ...(signal ? { signal } : {}) })
  return takeWritten(file, source, write, target)
}

/** Takes rows that somebody writes down to a path; one that has more names than can be columns costs itself alone. */
export async function takeWritten(
  file: SourceFile,
  source: NamedRows | ((written: WrittenRecords) => NamedRows),
  write: (to: string) => Promise<WrittenRecords>,
  target: Target,
): Promise<TakenFile> {
  const folder = await scratchFolder('records')
  try {
    const path = join(folder, 'records')
    const written = await write(path)
    const rows = typeof source === 'function' ? source(written) : source
    try {
      return await takeTexts(file, rows, { path, ...written }, target)
    } catch (error) {
      if (!(error instanceof TooManyNames)) throw error
      const within = join(folder, 'within')
      const less = await writeWithinLimit(path, within, MOST_COLUMNS)
      // Where most are so, it is how they are read that is wrong.
      if (!target.ofOthers && less.refused * 2 > less.objects) throw error
      return await takeTexts(file, rows, { path: within, ...less }, target)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function takeTexts(
  file: SourceFile,
  source: NamedRows,
  written: Texts & WrittenRecords,
  target: Target,
): Promise<TakenFile> {
  const { kept, columns, outside } = await keepTexts(file, source, written, target, (found) => {
    const { location } = target
    const { relation, columns: all } = withFolders(found, target.folders)
    const columns = keptColumns(all, target)
    const lines = [...lineage(file, target), '_source_line']
    const records = { relation, columns, lineage: lines, location }
    return keepRecords(target.session, records, target.large ? target.wanted : new Map())
  })
  if (kept.rows !== written.records)
    throw new MoraineError('engine', `${file.name}: read ${kept.rows} of ${written.records} rows`, {
      hint: 'This is a mistake in Moraine; nothing was published. Please report it with the file.',
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
  file: SourceFile,
  source: NamedRows,
  { path, longest, named = false, marked = false }: Texts,
  target: Target,
  keep: (found: Found) => Promise<T>,
): Promise<KeptNamed<T>> {
  const text = target.session.files.text(path, {
    columns: [...(named ? ['_file'] : []), '_line', '_why', '_what', '_json'],
    delimiter: SEPARATOR,
    quote: null,
    nulls: [''],
    newline: '\n',
    skip: 0,
    longest,
  })
  const name = named ? `${unescaped('_file')} AS _source_file, ` : ''
  const lined = `(SELECT ${name}CAST(_line AS BIGINT) AS _source_line, _why, ${unescaped('_what')} AS _what, ${unescaped('_json')} AS _json FROM ${text})`
  return keepAll(file, source, { relation: lined, marked }, target, keep)
}

/** A relation with `_error`, `_raw` and a text for each name in the objects of `lined`. */
async function columnsOf(
  file: SourceFile,
  source: NamedRows,
  lined: Lined,
  { session }: Target,
  alike?: { first: string; other: string },
): Promise<Found> {
  const looked = alike?.first ?? lined.relation
  const checked = `(SELECT *, CASE WHEN _why IS NOT NULL THEN _why WHEN NOT json_valid(_json) THEN 'it is no JSON'
    WHEN json_type(_json) <> 'OBJECT' THEN 'it is no JSON object'
    WHEN contains(array_to_string(json_keys(_json), ''), chr(0)) THEN 'a name in it holds a NUL' END AS _bad FROM ${lined.relation})`
  const keysOf = async (relation: string, where: string, also: string) => {
    const lists = `SELECT json_keys(_json) AS l FROM ${relation} WHERE ${where}`
    // Beside unnest() it would be computed for each name.
    const counted = `SELECT l, len(l) > list_unique(l) AS t FROM (${lists})`
    const [found] = await session.rows(
      `SELECT k, t, (SELECT json_keys(_json) FROM ${relation} WHERE ${where} LIMIT 1) AS f${also}
       FROM (SELECT list(DISTINCT k ORDER BY k) AS k, bool_or(t) AS t FROM (SELECT unnest(l) AS k, t FROM (${counted})))`,
    )
    return found as { k: string[] | null; f: string[] | null; t: boolean | null; others?: bigint }
  }
  // Most files have nothing but objects; what fails here is looked at line by line.
  const clean = await keysOf(
    looked,
    'true',
    `, (SELECT count(*) FROM ${looked} WHERE _why IS NOT NULL OR json_type(_json) IS DISTINCT FROM 'OBJECT') AS others`,
  ).catch(() => undefined)
  // A name with a NUL can be no column.
  const flagged = clean?.others !== 0n || clean.k?.some((name) => name.includes('\0')) === true
  const found = flagged ? await keysOf(checked, '_bad IS NULL', '') : clean
  const look = {
    names: [...new Set([...(found?.f ?? []), ...(found?.k ?? [])])],
    twice: found?.t === true,
  }
  const objects = flagged ? `(SELECT _json FROM ${checked} WHERE _bad IS NULL)` : looked
  const { keys, apart } = await namesIn(session, objects, look)
  const { columns, ...outside } = columnsFor(source.columns ?? [], keys, apart)
  // All rows of an Avro file have the names of its schema.
  const lacking = columns.find(([, key]) => key === undefined)
  if (lacking && keys.length > 0 && source.layout?.kind === 'avro')
    throw noColumn(file, lacking[0], look.names)
  if (columns.length > MOST_COLUMNS) throw new TooManyNames(file.name, columns.length, MOST_COLUMNS)
  const plain = (text: string) => (lined.marked ? unmarked(text) : text)
  const good = flagged ? 'CASE WHEN _bad IS NULL THEN _json END' : '_json'
  const { row, values } = valuesOf(good, keys)
  const texts = columns.map(([name, key]) => {
    const i = key ? keys.indexOf(key) : -1
    const value = i < 0 ? 'CAST(NULL AS VARCHAR)' : plain(values[i] as string)
    return `${value} AS ${quoteName(name)}`
  })
  const bad = flagged
    ? `_bad AS _error, CASE WHEN _bad IS NOT NULL THEN coalesce(_what, ${plain('_json')}) END AS _raw`
    : alike
      ? `${alike.other} AS _error, CAST(NULL AS VARCHAR) AS _raw`
      : 'CAST(NULL AS VARCHAR) AS _error, CAST(NULL AS VARCHAR) AS _raw'
  const relation = `(SELECT * EXCLUDE (_why, _what, _json, _row${flagged ? ', _bad' : ''}), ${[bad, ...texts].join(', ')}
    FROM (SELECT *, ${row} AS _row FROM ${flagged ? checked : lined.relation}))`
  return { relation, columns: columns.map(([name]) => name), outside }
}

/** Columns for names, and those that there are in any case, in the order in which they come. */
function columnsFor(
  declared: readonly string[],
  keys: readonly Key[],
  apart: ReadonlySet<string>,
): { columns: [name: string, key?: Key][] } & NamesOutside {
  const named = new Map(namesOf(keys).map(([name, key]) => [key, name]))
  const spelt = new Map(declared.map((name) => [name.toLowerCase(), name]))
  const columns = keys.map((key): [string, Key] => {
    const name = named.get(key) as string
    return [spelt.get(name.toLowerCase()) ?? name, key]
  })
  const byName = new Map(columns.map((column) => [column[0].toLowerCase(), column]))
  const first = declared.map((name): [string, Key?] => byName.get(name.toLowerCase()) ?? [name])
  const more = columns.filter(([name]) => !spelt.has(name.toLowerCase()))
  return { columns: [...first, ...more], ...namesOutside(columns, apart) }
}
