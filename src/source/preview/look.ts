import { createReadStream } from 'node:fs'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FilesSource } from '../../define/source.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { abortController } from '../../signals.js'
import { scratchFolder } from '../../storage/scratch.js'
import { endingOf, type FilesOptions, filesSource, isKnown } from '../declare/files.js'
import { ingestFile } from '../files/ingest-file.js'
import type { IngestedFile } from '../files/ingested.js'
import { inspectFile } from '../files/inspect-file.js'
import { type Kind, kindOf, settleKind } from '../files/kind.js'
import type { SourceFile } from '../files/source-file.js'
import { JsonSplitter } from '../formats/json-records.js'
import { XmlReader } from '../formats/xml.js'
import { textDecoder } from '../text/decode-text.js'
import { withUnpacked } from '../unpack/unpack.js'
import { type DelimitedLayout, delimitedLayout } from './layout.js'
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
  | 'sheet'
  | 'hive'
>

/** How a file is read. */
export interface Look {
  options: FileOptions
  source: FilesSource
  /** Of delimited text: how it is laid out. */
  layout?: DelimitedLayout
  /** What a reader should know. */
  note?: string
}

/**
 * Finds out what a file is and how a run has to read it, by its name and the sample.
 *
 * @throws MoraineError of kind `source` when it is nothing that can be read.
 */
export async function lookAt({ file, complete, start }: Sample): Promise<Look> {
  if (start.length === 0) throw unreadable(file, 'is empty')
  const { encoding, text, note } = await decodedStart(file, start, complete)
  const found = kindOf(text)
  const ending = endingOf(file.name)
  const format = formatOf(file, found, ending)
  const about = { ...(encoding === undefined ? {} : { encoding }), ...format }
  const kind = format.format ?? filesSource([file.name], {}).layout?.kind
  const isText = found?.ending === undefined && (kind === undefined || kind === 'delimited')
  const layout = isText
    ? delimitedLayout(text, complete && text.length === start.length)
    : undefined
  if (isText) refuseProse(file, layout, ending)
  const options = { ...about, ...(layout ? layoutOptions(layout, ending) : {}) }
  return {
    options,
    source: filesSource([file.name], options),
    ...(layout ? { layout } : {}),
    ...(note === undefined ? {} : { note }),
  }
}

const unreadable = ({ name }: SourceFile, why: string, hint?: string) =>
  new MoraineError('source', `${name} ${why}`, hint === undefined ? {} : { hint })

/** The start of a file as UTF-8, and what has to be said of how it is encoded. */
async function decodedStart(file: SourceFile, start: Buffer, complete: boolean) {
  const [a, b] = start
  const marked =
    a === 0xff && b === 0xfe ? 'utf-16le' : a === 0xfe && b === 0xff ? 'utf-16be' : undefined
  const wide = kindOf(start)
  const declared =
    wide?.encoding && /^UTF-16[BL]E/.test(wide.name)
      ? wide.name.slice(0, 8).toLowerCase()
      : undefined
  if (marked ?? declared)
    return {
      text: Buffer.from(new TextDecoder(marked ?? declared).decode(start)),
      ...(declared && !marked ? { encoding: declared } : {}),
    }
  if (wide && !['json', 'jsonl', 'xml', 'html'].includes(wide.ending ?? '')) return { text: start }
  if (await isAllUtf8(file, complete)) return { text: start }
  if (wide?.ending === 'xml') return { text: start }
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

function layoutOptions(layout: DelimitedLayout, ending: string): FileOptions {
  const { delimiter, quote, escape: mark, comment, skip, header, columns } = layout
  const usual = filesSource([`x.${ending}`], {}).delimiter
  return {
    ...(delimiter === usual ? {} : { delimiter }),
    ...(quote === '"' ? {} : { quote }),
    ...(mark === undefined ? {} : { escape: mark }),
    ...(comment === undefined ? {} : { comment }),
    ...(skip === 0 ? {} : { skip }),
    ...(header && columns.length > 0 ? { header: true } : {}),
    ...(columns.length > 0 ? { columns } : {}),
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
  { layout }: FilesSource,
  location: string,
): Promise<IngestedSample> {
  const bytes = await readFile(file.unpacked ?? file.path)
  const rows =
    layout?.kind === 'xml'
      ? new XmlReader(layout.rows, [...layout.lists]).push(bytes.toString('utf8'), false)
      : new JsonSplitter([]).push(bytes, false)
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
