import { createReadStream } from 'node:fs'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FilesSource } from '../../define/source.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { abortController } from '../../signals.js'
import { scratchFolder } from '../../storage/scratch.js'
import {
  endingOf,
  type FileFormat,
  type FilesOptions,
  filesSource,
  isKnown,
} from '../declare/files.js'
import { ingestFile } from '../files/ingest-file.js'
import type { IngestedFile } from '../files/ingested.js'
import { inspectFile } from '../files/inspect-file.js'
import { type Kind, kindOf, settleKind } from '../files/kind.js'
import type { SourceFile } from '../files/source-file.js'
import { JsonSplitter } from '../formats/json-records.js'
import { XmlReader } from '../formats/xml/reader.js'
import { textDecoder } from '../text/decode-text.js'
import { withUnpacked } from '../unpack/unpack.js'
import { type DelimitedLayout, delimitedLayout } from './layout.js'
import { type RowsInside, rowsInside } from './rows-inside.js'
import type { Sample } from './sample.js'

/** What `files()` must be told of a file so that a run reads it as it is meant. */
export type FileOptions = Pick<
  FilesOptions<string>,
  | 'format'
  | 'delimiter'
  | 'quote'
  | 'escape'
  | 'comment'
  | 'skip'
  | 'header'
  | 'columns'
  | 'encoding'
  | 'nulls'
  | 'rows'
  | 'sheet'
  | 'hive'
>

/** How a file is read. */
export interface Look {
  options: FileOptions
  source: FilesSource
  /** What it is. */
  format: FileFormat
  /** Of delimited text: how it is laid out. */
  layout?: DelimitedLayout
  /** What a reader should know. */
  note?: string
}

/**
 * Finds out what a file is and how a run has to read it, by its name and the sample.
 *
 * @param said options of `files()` that are given: only the others are found out.
 * @throws MoraineError of kind `source` when it is nothing that can be read.
 */
export async function lookAt(
  { file, complete, start }: Sample,
  said: FilesOptions<string> = {},
): Promise<Look> {
  if (start.length === 0) throw unreadable(file, 'is empty')
  const { encoding, text, note } = await decodedStart(file, start, complete, said.encoding)
  const found = kindOf(text)
  const ending = endingOf(file.name)
  // One object in one line may also be a document that has the rows.
  const isDocument = said.rows !== undefined && found?.ending === 'jsonl'
  const isMute = said.format === undefined && said.rows === undefined
  const inside =
    isMute && ending === 'json' && ['json', 'jsonl'].includes(found?.ending ?? '')
      ? rowsInside(text.toString('utf8'), complete && start.length === file.size)
      : undefined
  const known = said.format ?? (isDocument ? 'json' : undefined)
  const format = known
    ? { format: known }
    : inside?.isAll
      ? { rows: inside.rows }
      : formatOf(file, found, ending)
  const about = { ...(encoding === undefined ? {} : { encoding }), ...format }
  const ownFormat = 'format' in format ? format.format : undefined
  const kind = ownFormat ?? filesSource([file.name], {}).layout?.kind
  const isText = known
    ? known === 'delimited'
    : found?.ending === undefined && (kind === undefined || kind === 'delimited')
  const isOwn = isText && said.delimiter === undefined
  // What is looked at may be cut within a record: nothing is said of that one.
  const isWhole = complete && start.length === file.size && text.length === start.length
  const layout = isOwn ? delimitedLayout(text, isWhole) : undefined
  if (isText && Object.keys(said).length === 0) refuseProse(file, layout, ending)
  const guessed = layout ? layoutOptions(layout, ending, said) : {}
  const options = { ...about, ...guessed, ...said }
  const source = filesSource([file.name], options)
  return {
    options,
    source,
    format: isText ? 'delimited' : (ownFormat ?? formatName(found, source)),
    ...(layout ? { layout } : {}),
    ...noteOf([
      ...(note === undefined ? [] : [note]),
      ...(inside && !inside.isAll ? [insideNote(file, inside)] : []),
    ]),
  }
}

const noteOf = (notes: readonly string[]) => (notes.length > 0 ? { note: notes.join('; ') } : {})

const insideNote = ({ name }: SourceFile, { rows, objects }: RowsInside) =>
  `${name} is read as one row; if the ${objects} objects of ${rows} are its rows, set rows: '${rows}'`

/** What a file is that is no delimited text: by its first bytes, else as it would be read. */
function formatName(found: Kind | undefined, { layout }: FilesSource): FileFormat {
  if (found?.ending === 'xlsx') return 'excel'
  const lines = layout?.kind === 'json' && layout.lines
  return (found?.ending ?? (lines ? 'jsonl' : (layout?.kind ?? 'delimited'))) as FileFormat
}

const unreadable = ({ name }: SourceFile, why: string, hint?: string) =>
  new MoraineError('source', `${name} ${why}`, hint === undefined ? {} : { hint })

const textual = ['json', 'jsonl', 'xml', 'html']

/** A text as UTF-8; as it is where its encoding is none, which is told by who reads it. */
function decoded(start: Buffer, label: string): Buffer {
  try {
    return Buffer.from(textDecoder(label)(start))
  } catch {
    return start
  }
}

/** The start of a file as UTF-8, and what has to be said of how it is encoded. */
async function decodedStart(
  file: SourceFile,
  start: Buffer,
  complete: boolean,
  said: string | undefined,
) {
  const [a, b] = start
  const marked =
    a === 0xff && b === 0xfe ? 'utf-16le' : a === 0xfe && b === 0xff ? 'utf-16be' : undefined
  const wide = kindOf(start)
  const declared =
    wide?.encoding && /^UTF-16[BL]E/.test(wide.name)
      ? wide.name.slice(0, 8).toLowerCase()
      : undefined
  const isBinary = wide && !wide.encoding && !textual.includes(wide.ending ?? '')
  if (said !== undefined && !isBinary) return { text: decoded(start, said) }
  if (marked ?? declared)
    return {
      text: Buffer.from(new TextDecoder(marked ?? declared).decode(start)),
      ...(declared && !marked ? { encoding: declared } : {}),
    }
  if (wide && !textual.includes(wide.ending ?? '')) return { text: start }
  if (await isAllUtf8(file, complete)) return { text: start }
  if (wide?.ending === 'xml') return { text: start }
  if (await isMostlyUtf8(file))
    return {
      text: start,
      note: `${file.name} is UTF-8, but some of its lines are not: they are discarded with that reason`,
    }
  const encoding = 'windows-1252'
  return {
    text: Buffer.from(textDecoder(encoding)(start)),
    encoding,
    note: `${file.name} is not UTF-8; it is read as ${encoding}: check non-English letters`,
  }
}

/** Whether all of a text is UTF-8; a character may go on where it was cut. */
async function isAllUtf8({ path, unpacked = path }: SourceFile, complete: boolean) {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  try {
    for await (const chunk of createReadStream(unpacked, { highWaterMark: 1 << 20 }))
      decoder.decode(chunk as Buffer, { stream: true })
    if (complete) decoder.decode()
    return true
  } catch {
    return false
  }
}

/**
 * Whether no more letters of a text are wrong UTF-8 than good: those of another encoding are so by
 * rare chance alone, and to read the others by it would make wrong ones of them.
 */
async function isMostlyUtf8({ path, unpacked = path }: SourceFile): Promise<boolean> {
  const decoder = new TextDecoder()
  let [good, bad] = [0, 0]
  for await (const chunk of createReadStream(unpacked, { highWaterMark: 1 << 20 })) {
    const text = decoder.decode(chunk as Buffer, { stream: true })
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code === 0xfffd) bad++
      else if (code > 0x7f) good++
    }
  }
  return good > 0 && good >= bad
}

/** What the format has to be said to be, where the ending does not tell it. */
function formatOf(
  file: SourceFile,
  found: Kind | undefined,
  ending: string,
): Pick<FileOptions, 'format'> {
  if (found && (found.ending === undefined || found.ending === 'html')) {
    settleKind(file, filesSource([file.name], {}))
    throw unreadable(file, `is ${found.name}`, found.hint)
  }
  // Without a known ending a run looks at the first bytes, too.
  if (!isKnown(ending) || found?.ending === undefined) return {}
  const own = filesSource([`x.${ending}`], {}).layout
  const declared = own?.kind === 'json' && own.lines ? 'jsonl' : (own?.kind ?? 'delimited')
  const shown = found.ending === 'xlsx' ? 'excel' : found.ending
  return shown === declared ? {} : { format: shown as NonNullable<FileOptions['format']> }
}

/** Lines of which none has columns are a text, unless their ending says that they are a table. */
function refuseProse(file: SourceFile, layout: DelimitedLayout | undefined, ending: string): void {
  if (!layout) throw unreadable(file, 'is empty')
  const { header, columns } = layout
  const isOne = columns.length <= 1 && !header
  if (isOne && !['csv', 'tsv', 'psv'].includes(ending))
    throw unreadable(file, 'has no columns that are separated by a delimiter')
}

/** What is guessed; nothing of where the names are, if something is said of that. */
function layoutOptions(
  layout: DelimitedLayout,
  ending: string,
  said: FilesOptions<string>,
): FileOptions {
  const { delimiter, quote, escape: mark, comment, skip, header, columns } = layout
  const usual = filesSource([`x.${ending}`], {}).delimiter
  const isPlaced = [said.header, said.skip, said.comment].some((value) => value !== undefined)
  return {
    ...(delimiter === usual ? {} : { delimiter }),
    ...(quote === '"' ? {} : { quote }),
    ...(mark === undefined ? {} : { escape: mark }),
    ...(comment === undefined ? {} : { comment }),
    ...(isPlaced || skip === 0 ? {} : { skip }),
    ...(!isPlaced && header && columns.length > 0 ? { header: true } : {}),
    ...(!isPlaced && columns.length > 0 ? { columns } : {}),
  }
}

/** Rows of a file as a run reads them, in a Parquet file of their own. */
export interface IngestedSample extends IngestedFile {
  location: string
}

/**
 * Reads a sample just as a run does, and writes its rows to a place. Of a document that is cut off
 * those rows are read that are whole.
 *
 * @throws MoraineError of kind `source` as a run would.
 */
export async function ingestSample(
  session: Session,
  { file, complete }: Sample,
  source: FilesSource,
  { location, note = () => {} }: { location: string; note?: (text: string) => void },
): Promise<IngestedSample> {
  const { layout } = source
  if (!complete && (layout?.kind === 'xml' || (layout?.kind === 'json' && !layout.lines)))
    return ingestCompleteRows(session, file, source, location)
  const signal = abortController().signal
  const ingested = await withUnpacked(file, source, signal, async (readable) => {
    const settled = settleKind(readable, source)
    const requested = new Map<string, string>()
    const inspection = await inspectFile(readable, settled, {
      signal,
      requested,
      valuesFrom: Number.POSITIVE_INFINITY,
    })
    const target = { session, location, batch: '', requested, large: false, signal, note }
    return ingestFile({ file: readable, source: settled, inspection, target })
  })
  return { ...ingested, location }
}

async function ingestCompleteRows(
  session: Session,
  file: SourceFile,
  { layout, encoding }: FilesSource,
  location: string,
): Promise<IngestedSample> {
  const read = await readFile(file.unpacked ?? file.path)
  const bytes = encoding === undefined ? read : decoded(read, encoding)
  const rows =
    layout?.kind === 'xml'
      ? new XmlReader(layout.rows, [...layout.lists]).push(bytes.toString('utf8'), false)
      : new JsonSplitter(layout?.kind === 'json' ? (layout.rows?.split('.') ?? []) : []).push(
          bytes,
          false,
        )
  const folder = await scratchFolder('rows')
  try {
    const path = join(folder, 'rows.jsonl')
    await writeFile(path, rows.flatMap(({ json }) => json ?? []).join('\n'))
    const lines = filesSource([path], { format: 'jsonl' })
    const placed = await sizedFile({ ...file, name: path, path, unpacked: path })
    const sample = { file: placed, complete: true, start: bytes }
    return await ingestSample(session, sample, lines, { location })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A file of this machine with the size and time that it has. */
export async function sizedFile(file: SourceFile): Promise<SourceFile> {
  const { size, mtimeMs } = await stat(file.path)
  return { ...file, size, modified: Math.floor(mtimeMs) }
}
