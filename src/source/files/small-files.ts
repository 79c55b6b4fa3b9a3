import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { FilesSource } from '../../define/source.js'
import { scratchFolder } from '../../storage/scratch.js'
import { withinTime } from '../decoder/watchdog.js'
import { smallRecords } from '../formats/document.js'
import { splitOf } from '../formats/lines.js'
import { writeFileRecords } from '../formats/write-file-records.js'
import { recordText } from '../formats/write-records.js'
import { canonicalOf, escapeText, SEPARATOR } from '../text/canonical.js'
import { canonicalOptions, columnsOf, refuseWrongLayout } from '../text/header.js'
import type { NamesOutside } from '../text/names.js'
import { refuseChanged, textOf } from './ingested.js'
import type { Inspection } from './inspect.js'
import type { SourceFile } from './source-file.js'

/** A file's records, as lines that begin with its name. */
export interface Lines {
  text: Buffer
  rows: number
  longest: number
  /** Numbers in them are marked. */
  marked?: boolean
  /** Those of a delimited text. */
  columns?: readonly string[]
  outside?: NamesOutside
}

/** A small file whose bytes were read. */
export interface SmallFile {
  file: SourceFile
  source: FilesSource
  /** Decodes it in place; where that was done elsewhere, gives what was found. */
  decode: () => Lines
}

/** A small file and its records. */
export interface DecodedFile {
  file: SourceFile
  lines: Lines
}

/**
 * Reads the bytes of a small file.
 *
 * @throws MoraineError of kind `source` when it changes meanwhile.
 */
export async function readSmall(
  file: SourceFile,
  source: FilesSource,
  inspection: Inspection,
  signal: AbortSignal,
): Promise<SmallFile> {
  const decode =
    source.layout?.kind === 'avro'
      ? await decodedElsewhere(file, source, inspection, signal)
      : !source.layout || splitOf(source)
        ? await delimited(file, source, inspection)
        : await records(file, source, inspection)
  await refuseChanged(file)
  return { file, source, decode }
}

/**
 * Decodes small files together: to watch over each of them would take longer than to decode it.
 * Gives its records, or why it has none.
 */
export function decodeSmall(files: readonly SmallFile[]): (DecodedFile | { error: unknown })[] {
  const each = ({ file, decode }: SmallFile, within: <T>(use: () => T) => T) => {
    try {
      return { file, lines: within(decode) }
    } catch (error) {
      return { error }
    }
  }
  try {
    return withinTime('', () => files.map((file) => each(file, (use) => use())))
  } catch {
    // One of them does not end.
    return files.map((file) => each(file, (use) => withinTime(file.file.name, use)))
  }
}

async function delimited(file: SourceFile, source: FilesSource, inspection: Inspection) {
  const options = canonicalOptions(file, source, inspection)
  const decode = await canonicalOf(await readFile(textOf(file)), source, options, lead(file))
  return (): Lines => {
    const found = decode()
    const { columns, outside } = columnsOf(source, found.header, file)
    refuseWrongLayout(file, source, columns, found)
    return { text: found.text, rows: found.records, longest: found.longest, columns, outside }
  }
}

async function records(file: SourceFile, source: FilesSource, inspection: Inspection) {
  const decode = await smallRecords(file, source, inspection, await readFile(textOf(file)))
  return (): Lines => {
    const found = decode()
    const texts = found.map((record) => lead(file) + recordText(record))
    const longest = texts.reduce((most, text) => Math.max(most, text.length * 3), 0)
    const marked = found.some((record) => record.marked === true)
    return { text: Buffer.from(texts.join('')), rows: found.length, longest, marked }
  }
}

async function decodedElsewhere(
  file: SourceFile,
  source: FilesSource,
  inspection: Inspection,
  signal: AbortSignal,
) {
  const folder = await scratchFolder('records')
  try {
    const path = join(folder, 'records')
    const found = await writeFileRecords({ file, source, inspection }, path, {
      signal,
      lead: lead(file),
    })
    const { records: rows, longest, marked } = found
    const lines: Lines = { text: await readFile(path), rows, longest, marked }
    return () => lines
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const lead = ({ name }: SourceFile) => `${escapeText(name)}${SEPARATOR}`
