import { open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, relative, sep } from 'node:path'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import type { SourceFile } from '../../source/discover.js'
import { folderValues } from '../../source/folders.js'
import { excelSheet, sheetNames, withSheet } from '../../source/formats/excel/rows.js'
import { JsonSplitter } from '../../source/formats/json-records.js'
import { XmlReader } from '../../source/formats/xml.js'
import { delimitedLayout } from '../../source/layout.js'
import { columnName } from '../../source/names.js'
import { isWorkbook } from '../../source/preview.js'
import { datasetName, type Found, type FoundColumn, type FoundTable } from './found.js'
import { inferColumn, inferKey } from './infer.js'

/** Bytes of a file that are looked at. */
export const SAMPLE = 1 << 20
/** Files of a table that are looked at. */
const FILES = 5
/** Files that one crawl looks through. */
export const MOST = 100_000

type Row = Record<string, string | null>

/** What a look at the start of a file tells. */
interface Look {
  /** Its name, without folder and endings. */
  stem: string
  /** Its format, and what separates its columns. */
  kind: string
  /** Whether its columns have names of their own. */
  named: boolean
  /** What `files()` must be told. */
  options: string
  columns: string[]
  rows: Row[]
  /** All of the file was looked at. */
  complete: boolean
  /** Types that the file itself says. */
  typed?: FoundColumn[]
  count?: number
  /** The sheet that it is, of several in a workbook. */
  sheet?: string
}

interface Group {
  folder: string
  ending: string
  files: string[]
  /** Names in folders such as `day=5`. */
  hive: string[]
}

/** Files that are laid out alike. */
interface Part {
  files: string[]
  looks: Look[]
}

/** Files that are crawled. */
export interface Crawled {
  /** What was asked for, as it may be told. */
  name: string
  /** The folder that they are in. */
  root: string
  /** The folder that paths in definitions are relative to. */
  base: string
  files: readonly string[]
  /** Makes sure that what is looked at of a file is there. */
  bring: (file: string) => Promise<void>
  /** A path as definitions say it. */
  spell: (path: string) => string
}

/**
 * Finds tables in a folder: files of one folder and one ending that are laid out alike are one table, and so are folders such as
 * `day=2026-01-01/`.
 *
 * @param base the folder that paths in definitions are relative to.
 * @throws MoraineError of kind `source` when there is nothing that can be read.
 */
export async function crawlFolder(path: string, base: string, session: Session): Promise<Found> {
  const files = await filesBelow(path)
  const bring = async () => {}
  return crawlFiles(
    { name: path, root: path, base, files, bring, spell: (inside) => inside },
    session,
  )
}

/** Finds tables among files. */
export async function crawlFiles(crawled: Crawled, session: Session): Promise<Found> {
  const { root: path, base, files, bring } = crawled
  const tables: FoundTable[] = []
  const notes: string[] = []
  const taken = new Set<string>()
  for (const group of groupsOf(path, files)) {
    const parts: Part[] = []
    for (const file of group.files) {
      const [known] = parts
      // Of many files some are looked at; the others are taken to be like them.
      if (known && parts.length === 1 && known.looks.length >= FILES) {
        known.files.push(file)
        continue
      }
      await bring(file)
      const looks = isWorkbook(file)
        ? await lookAtSheets(file, notes)
        : [await lookAt(file, session)]
      for (const look of looks) {
        if (!look) {
          notes.push(`${relative(base, file)} is not known, or holds nothing`)
          continue
        }
        const part = parts.find(({ looks }) => alike(looks[0] as Look, look))
        if (part) {
          part.files.push(file)
          part.looks.push(look)
        } else parts.push({ files: [file], looks: [look] })
      }
    }
    for (const part of parts) {
      const whole = parts.length === 1
      const table = tableOf(group, part, whole, crawled, taken)
      taken.add(table.name)
      tables.push(table)
    }
  }
  if (tables.length === 0)
    throw new MoraineError('source', `There are no files in ${crawled.name} that can be read`, {
      hint: 'Delimited text, JSON, JSON lines, XML, Parquet and Excel are looked at, also when they are in folders.',
    })
  return { imports: ['files'], preamble: [], tables, notes }
}

async function filesBelow(path: string): Promise<string[]> {
  const there = await stat(path).catch(() => undefined)
  if (there?.isFile()) return [path]
  if (!there)
    throw new MoraineError('source', `There is nothing at ${path}`, { hint: 'Check the path.' })
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !isHidden(relative(path, file)))
  if (files.length > MOST)
    throw new MoraineError('source', `${path} holds more than ${MOST} files`, {
      hint: 'Crawl the folders in it one by one.',
    })
  return files.sort()
}

/** Whether a file is not meant to be seen, by its path. */
export const isHidden = (inside: string) =>
  inside
    .split(sep)
    .some((name) => name.startsWith('.') || name.startsWith('_') || name === 'node_modules')

function groupsOf(root: string, files: readonly string[]): Group[] {
  const groups = new Map<string, Group>()
  for (const file of files) {
    const parts = relative(root, dirname(file)).split(sep).filter(Boolean)
    const plain = parts.filter((part) => !part.includes('='))
    const hive = parts
      .filter((part) => part.includes('='))
      .map((part) => part.split('=')[0] as string)
    const folder = join(root, ...plain)
    const ending = extname(file.replace(/\.(gz|zst)$/i, '')).toLowerCase()
    const key = JSON.stringify([folder, ending, hive])
    const group = groups.get(key) ?? { folder, ending, files: [], hive }
    group.files.push(file)
    groups.set(key, group)
  }
  return [...groups.values()]
}

function tableOf(
  { folder, ending, hive }: Group,
  part: Part,
  whole: boolean,
  { base, spell }: Crawled,
  taken: ReadonlySet<string>,
): FoundTable {
  const [first] = part.looks as [Look]
  const single = part.files.length === 1 && hive.length === 0
  const name = datasetName(
    (single ? stem(part.files[0] as string) : sharedStem(part.files, folder)) +
      (first.sheet === undefined ? '' : `_${first.sheet}`),
    taken,
  )
  const inside = relative(base, folder).split(sep).join('/') || '.'
  const glob = `${inside}/${hive.map((key) => `${key}=*/`).join('')}*${ending}`
  const own = part.files.map((file) => relative(base, file).split(sep).join('/'))
  const paths = (single || !whole ? own : [glob]).map(spell)
  const shown = paths.length === 1 ? JSON.stringify(paths[0]) : JSON.stringify(paths)
  const rows = part.looks.flatMap((look) => look.rows)
  const complete =
    part.looks.length === part.files.length && part.looks.every((look) => look.complete)
  const columns =
    typedColumns(part.looks) ??
    columnsOf(part.looks).map((column) =>
      inferColumn(
        column,
        rows.map((row) => row[column] ?? null),
        complete,
      ),
    )
  const options = [first.options, ...(hive.length > 0 ? ['hive: true'] : [])].filter(Boolean)
  return {
    name,
    at: paths.map(withoutSettings).join(', '),
    from: `files(${shown.replaceAll('"', "'")}${options.length === 0 ? '' : `, { ${options.join(', ')} }`})`,
    rows: complete ? (first.typed ? sum(part.looks) : rows.length) : null,
    columns: [
      ...columns,
      ...hive.map((key) => ({ name: key, schema: 'z.string()', nullable: mayBeNone(key, part) })),
    ],
    key: complete ? inferKey(columns, rows, name) : [],
  }
}

/** Whether some files lie in the folder of what has no value. */
const mayBeNone = (key: string, { files }: Part) =>
  files.some((file) => folderValues(file).some(([name, value]) => name === key && value === null))

/** Settings of buckets say how to get there, not what is there. */
const withoutSettings = (path: string) => path.replace(/\?[a-zA-Z]+=.*$/, '')

/** The columns of files that say their types themselves. */
function typedColumns(looks: readonly Look[]): FoundColumn[] | undefined {
  if (!looks[0]?.typed) return undefined
  const all = looks.flatMap(({ typed = [] }) => typed)
  return [...new Map(all.map((column) => [column.name, column])).values()]
}

const sum = (looks: readonly Look[]) => looks.reduce((total, { count = 0 }) => total + count, 0)

function columnsOf(looks: readonly Look[]): string[] {
  return [...new Set(looks.flatMap(({ columns }) => columns))]
}

/** What the names of files have in common, or else the name of their folder. */
function sharedStem(files: readonly string[], folder: string): string {
  const names = files.map(stem)
  const [first = ''] = names
  let length = first.length
  while (!names.every((name) => name.startsWith(first.slice(0, length)))) length--
  const shared = first.slice(0, length).replace(/[\d_.-]+$/, '')
  return shared.length > 2 ? shared : basename(folder)
}

const stem = (file: string) => basename(file).replace(/(\.[a-z0-9]+)+$/i, '')

/** Whether two files are parts of one table: they are called alike, and have most of their columns in common. */
function alike(a: Look, b: Look): boolean {
  if (a.kind !== b.kind || !related(a.stem, b.stem)) return false
  const [x, y] = [a, b].map(namesOf) as [string[], string[]]
  if (!a.named) return x.length === y.length
  const common = x.filter((name) => y.includes(name)).length
  return common * 2 >= Math.max(x.length, y.length)
}

const namesOf = ({ columns, typed }: Look) => typed?.map(({ name }) => name) ?? columns

/** `orders_jan` and `orders_feb`, or names that are nothing but numbers. */
function related(a: string, b: string): boolean {
  const [x, y] = [a, b].map((text) => text.toLowerCase())
  if (x === y || !/[a-z]/.test(`${x}${y}`)) return true
  return x?.slice(0, 3) === y?.slice(0, 3) && /^[a-z]{3}/.test(x ?? '')
}

async function lookAt(file: string, session: Session): Promise<Look | undefined> {
  const ending = extname(file.replace(/\.(gz|zst)$/i, '')).toLowerCase()
  if (/\.(gz|zst|zip|avro)$/i.test(file)) return undefined
  if (ending === '.parquet') return lookAtParquet(file, session)
  const { bytes, complete } = await startOf(file)
  if (bytes.length === 0 || bytes.includes(0)) return undefined
  if (ending === '.json' || ending === '.jsonl' || ending === '.ndjson')
    return lookAtJson(file, bytes, complete, ending)
  if (ending === '.xml') return lookAtXml(file, bytes, complete)
  return lookAtText(file, bytes, complete)
}

async function startOf(file: string): Promise<{ bytes: Buffer; complete: boolean }> {
  const opened = await open(file)
  try {
    const { buffer, bytesRead } = await opened.read(Buffer.alloc(SAMPLE), 0, SAMPLE, 0)
    return { bytes: buffer.subarray(0, bytesRead), complete: bytesRead < SAMPLE }
  } finally {
    await opened.close()
  }
}

/** Rows of a sheet that are looked at. */
const ROWS = 5000

/** Each sheet that is not hidden is a table. */
async function lookAtSheets(path: string, notes: string[]): Promise<(Look | undefined)[]> {
  const file = { path, name: basename(path), size: 0, modified: 0 }
  try {
    const names = await sheetNames(file)
    const looks: Look[] = []
    for (const [i, name] of names.entries()) {
      const sheet = names.length === 1 ? undefined : name
      const look = await lookAtSheet(file, sheet).catch(() => undefined)
      if (look) looks.push(look)
      else if (i === 0 || names.length > 1)
        notes.push(`sheet '${name}' of ${file.name} holds nothing`)
    }
    return looks
  } catch (error) {
    if (!(error instanceof MoraineError)) throw error
    notes.push(error.message)
    return []
  }
}

function lookAtSheet(file: SourceFile, sheet: string | undefined): Promise<Look | undefined> {
  const reading = { layout: excelSheet(sheet), columns: undefined, nulls: [''] }
  return withSheet(file, reading, async ({ columns, rows: found }) => {
    const rows: Row[] = []
    let complete = true
    for await (const some of found) {
      rows.push(...some.map(({ json = '{}' }) => JSON.parse(json) as Row))
      complete = rows.length < ROWS
      if (!complete) break
    }
    const options = sheet === undefined ? '' : `sheet: '${sheet.replace(/['\\]/g, '\\$&')}'`
    return {
      stem: stem(file.path),
      kind: `excel ${options}`,
      named: true,
      options,
      columns: [...new Set([...columns, ...namesIn(rows)])],
      rows,
      complete,
      ...(sheet === undefined ? {} : { sheet }),
    }
  })
}

async function lookAtParquet(file: string, session: Session): Promise<Look> {
  const relation = session.parquet(file)
  const columns = await session.describe(`SELECT * FROM ${relation}`)
  const [row] = await session.rows(`SELECT count(*) AS n FROM ${relation}`)
  const typed = columns.map(({ name, sqlType }) => ({
    name: columnName(name),
    schema: schemaOfSql(sqlType),
    nullable: true,
    native: sqlType,
  }))
  return {
    stem: stem(file),
    kind: 'parquet',
    named: true,
    options: '',
    columns: [],
    rows: [],
    complete: true,
    typed,
    count: Number(row?.n),
  }
}

const sqlSchemas: readonly [type: RegExp, schema: string][] = [
  [/^(TINYINT|SMALLINT|INTEGER|UTINYINT|USMALLINT)$/, 't.int()'],
  [/^(BIGINT|UINTEGER)$/, 't.bigint()'],
  [/^(FLOAT|DOUBLE)$/, 't.double()'],
  [/^BOOLEAN$/, 't.boolean()'],
  [/^DATE$/, 't.date()'],
  [/^TIMESTAMP WITH TIME ZONE$/, 't.timestamptz()'],
  [/^TIMESTAMP/, 't.timestamp()'],
  [/^UUID$/, 't.uuid()'],
  [/\[\]$|^STRUCT|^MAP/, 't.json()'],
]

function schemaOfSql(type: string): string {
  const [, precision, scale] = /^DECIMAL\((\d+),(\d+)\)$/.exec(type) ?? []
  if (precision !== undefined) return `t.decimal(${precision}, ${scale})`
  return sqlSchemas.find(([of]) => of.test(type))?.[1] ?? 'z.string()'
}

function lookAtJson(
  file: string,
  bytes: Buffer,
  complete: boolean,
  ending: string,
): Look | undefined {
  const splitter = new JsonSplitter([])
  const rows: Row[] = []
  try {
    for (const { json = '' } of splitter.push(bytes, complete)) rows.push(textsOf(JSON.parse(json)))
  } catch {
    return undefined
  }
  const lines = /^\s*\{[^\n]*\}\s*\n\s*\{/.test(bytes.toString('utf8', 0, 65_536))
  const options = ending === '.json' && lines ? "format: 'jsonl'" : ''
  return {
    stem: stem(file),
    kind: `json ${options}`,
    named: true,
    options,
    columns: namesIn(rows),
    rows,
    complete,
  }
}

function lookAtXml(file: string, bytes: Buffer, complete: boolean): Look | undefined {
  try {
    const found = new XmlReader(undefined, []).push(bytes.toString('utf8'), complete)
    const rows = found.map(({ json = '' }) => textsOf(JSON.parse(json)))
    return {
      stem: stem(file),
      kind: 'xml',
      named: true,
      options: '',
      columns: namesIn(rows),
      rows,
      complete,
    }
  } catch {
    return undefined
  }
}

function textsOf(value: unknown): Row {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new Error('no object')
  const text = (v: unknown) =>
    v === null ? null : typeof v === 'object' ? JSON.stringify(v) : String(v)
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [columnName(key), text(v)]))
}

const namesIn = (rows: readonly Row[]) => [...new Set(rows.flatMap((row) => Object.keys(row)))]

function lookAtText(file: string, bytes: Buffer, complete: boolean): Look | undefined {
  const layout = delimitedLayout(bytes, complete)
  if (!layout || layout.names.length < 2) return undefined
  const { delimiter, header, records } = layout
  const names = layout.names.map((name) => (header ? name : name.replace(' ', '_')))
  const good = records.filter(
    ({ error, fields }) => error === undefined && fields.length >= names.length,
  )
  const rows = good.map(({ fields }) =>
    Object.fromEntries(
      names.map((name, i) => [name, fields[i] === '' ? null : (fields[i] as string)]),
    ),
  )
  const list = `columns: [${names.map((name) => `'${name.replaceAll("'", "\\'")}'`).join(', ')}]`
  const separated =
    delimiter === ',' ? [] : [`delimiter: ${JSON.stringify(delimiter).replaceAll('"', "'")}`]
  const options = [...separated, ...(header ? [] : [list])].join(', ')
  const kind = `text ${delimiter}`
  return { stem: stem(file), kind, named: header, options, columns: names, rows, complete }
}
