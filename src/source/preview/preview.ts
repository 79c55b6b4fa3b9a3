import { rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import type { ResultRow, Session } from '../../engine/engine.js'
import { openEngine } from '../../engine/open.js'
import { MoraineError } from '../../errors.js'
import { scratchFolder } from '../../storage/scratch.js'
import { type FileFormat, type FilesOptions, filesSource } from '../declare/files.js'
import { appliesElsewhere, titleOf } from '../declare/format-options.js'
import { kindOf } from '../files/kind.js'
import type { SourceFile } from '../files/source-file.js'
import { entriesOf, isZip } from '../unpack/archive.js'
import type { Preview } from './first-rows.js'
import { ingestSample, type Look, lookAt } from './look.js'
import { type Sample, withSample } from './sample.js'
import { previewDelimited } from './text.js'

/** Whether a file is a workbook of Excel, by its name. */
export const isWorkbook = (path: string) => /\.(xlsx|xlsm|xls|xlsb)$/i.test(path)

/** Bytes at the start of a text that are looked at. */
const ENOUGH = 1 << 18
const words: Record<string, string> = { ',': 'commas', '\t': 'tabs', ';': 'semicolons' }

/**
 * The first rows of a raw file, without reading the whole of it where it is large. It is read as a
 * run reads it, with the layout that a crawl would write.
 *
 * @param said options of `files()` that are given: only the others are found out.
 * @throws MoraineError of kind `source` when it is nothing that can be read, of kind `usage` when
 *   an option means nothing for what it is.
 */
export async function previewFile(
  path: string,
  limit: number,
  said: FilesOptions<string> = {},
): Promise<Preview> {
  const { size, mtimeMs } = await stat(path)
  if (size === 0) return { columns: [], rows: [], note: 'the file is empty' }
  const file = { path, name: basename(path), size, modified: Math.floor(mtimeMs) }
  const engine = await openEngine()
  const folder = await scratchFolder('preview')
  try {
    const session = await engine.open()
    const entries = isZip(path) ? await entriesOf(file) : [file]
    const [first, ...others] = entries as [SourceFile]
    if (!first) return { columns: [], rows: [], note: 'the zip is empty' }
    // The text of a table has more bytes where more rows are asked for.
    const most = Math.max(ENOUGH, limit * 1024)
    const found = await withSample(first, { most }, (sample) =>
      previewSample(session, sample, join(folder, 'rows.parquet'), { limit, said, whole: first }),
    )
    session.close()
    if (others.length === 0) return found
    const more = `the first of ${entries.length} files in it, ${first.archive?.entry}`
    return { ...found, note: [found.note, more].filter(Boolean).join('; ') }
  } finally {
    await engine.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** What is asked of a file. */
interface Asked {
  limit: number
  said: FilesOptions<string>
  /** The file that a sample is of. */
  whole: SourceFile
}

async function previewSample(
  session: Session,
  sample: Sample,
  location: string,
  { limit, said, whole }: Asked,
): Promise<Preview> {
  if (kindOf(sample.start)?.ending === 'parquet') {
    refuseMeaningless(whole, said, 'parquet')
    return tableRows(session, session.files.parquet(sample.file.path), limit)
  }
  const look: Look =
    isWorkbook(sample.file.name) && said.format === undefined
      ? { options: said, format: 'excel', source: filesSource(['x.xlsx'], said) }
      : await lookAt(sample, said)
  refuseMeaningless(whole, said, look.format)
  if (look.format === 'delimited' && Object.keys(said).length > 0) {
    const { note, ...shown } = await previewDelimited(whole, look.options, limit)
    return { ...shown, note: [...foundBeside(look, said), note].join('; ') }
  }
  const notes: string[] = []
  const note = (text: string) => void notes.push(text)
  const ingested = await ingestSample(session, sample, look.source, { location, note })
  // A record may be longer than the sample.
  if (ingested.broken >= ingested.rows && !sample.complete && look.layout)
    return previewDelimited(whole, look.options, limit)
  const relation = session.files.parquet(location)
  const has = new Set((await session.describe(`SELECT * FROM ${relation}`)).map((c) => c.name))
  const beside = ['_raw', '_error', '_source_line'].filter((name) => has.has(name))
  const list = [...ingested.columns, ...beside].map(quoteName)
  const found = await tableRows(session, `(SELECT ${list.join(', ')} FROM ${relation})`, limit)
  const broken = found.rows.flatMap((row, i) =>
    typeof row._error === 'string'
      ? [Number(row._source_line ?? (ingested.firstLine ?? 1) + i)]
      : [],
  )
  const isJson = look.source.layout?.kind === 'json'
  const all = [
    ...(look.layout ? [layoutNote(look)] : []),
    ...(look.options.format ? [`format: '${look.options.format}'`] : []),
    ...(look.options.rows && !said.rows ? [`rows: '${look.options.rows}'`] : []),
    ...(look.options.encoding ? [`encoding: '${look.options.encoding}'`] : []),
    ...notes,
    ...brokenNote(broken, isJson),
  ]
  const shown = found.rows.filter((row) => !isJson || typeof row._error !== 'string')
  return {
    columns: found.columns.filter(({ name }) => !beside.includes(name)),
    rows: shown.map(({ _raw, _error, _source_line, ...row }) =>
      typeof _error === 'string' ? { ...row, [ingested.columns[0] ?? '']: _raw ?? null } : row,
    ) as ResultRow[],
    ...(all.length > 0 ? { note: all.join('; ') } : {}),
  }
}

function brokenNote(lines: readonly number[], isJson: boolean): string[] {
  if (lines.length === 0) return []
  const few = `${lines.slice(0, 5).join(', ')}${lines.length > 5 ? ', …' : ''}`
  return [isJson ? `line ${few} is not a JSON object` : `line ${few} can't be split into columns`]
}

/** What was found out, as `files()` is told it. */
function foundBeside({ options }: Look, said: FilesOptions<string>): string[] {
  return Object.entries(options)
    .filter(([name, value]) => !Object.hasOwn(said, name) && !Array.isArray(value))
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? shownText(value) : value}`)
}

const shownText = (text: string) => quoteText(text).replaceAll('\t', '\\t')

/** How options of `files()` are called by commands. */
const optionNames: Readonly<Record<string, string>> = { nulls: 'null' }

function refuseMeaningless(
  { name }: SourceFile,
  said: FilesOptions<string>,
  format: FileFormat,
): void {
  for (const option of Object.keys(said)) {
    const others = appliesElsewhere(option, format)
    if (others === undefined) continue
    const given = `--${optionNames[option] ?? option}`
    throw new MoraineError(
      'usage',
      `${given} applies to ${others}, but ${name} is ${titleOf(format)}`,
      { hint: `Remove ${given}. If the file is something else, add --format.` },
    )
  }
}

async function tableRows(session: Session, relation: string, limit: number): Promise<Preview> {
  const result = await session.stream(`SELECT * FROM ${relation} LIMIT ${limit}`)
  const rows: ResultRow[] = []
  for await (const batch of result.batches) rows.push(...batch)
  return { columns: result.columns, rows }
}

function layoutNote({ layout, source }: Look): string {
  if (!layout) throw new MoraineError('source', 'The layout is missing')
  const { delimiter, header, skip, comment, quote, columns } = layout
  const width = source.columns?.length ?? 0
  const isOne = !header && width === 1
  const more = [
    ...(skip > 0 ? [`skip: ${skip}`] : []),
    ...(comment === undefined ? [] : [`comment: '${comment}'`]),
    ...(quote === '"' ? [] : [quote === null ? 'no quote character' : `quoted by ${quote}`]),
    ...(header && columns.length > 0 ? ['some columns have no unique name there'] : []),
  ]
  const separated = isOne ? 'one column' : `separated by ${words[delimiter] ?? `'${delimiter}'`}`
  return [`${separated}, ${header ? 'with' : 'without'} a header`, ...more].join(', ')
}
