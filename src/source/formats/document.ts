import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { FilesSource, Layout } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import { SMALL_TEXT } from '../decoder/limits.js'
import { progressed } from '../decoder/progress.js'
import { withinTime } from '../decoder/watchdog.js'
import { type Target, textOf } from '../files/ingested.js'
import type { Inspection } from '../files/inspect.js'
import type { SourceFile } from '../files/source-file.js'
import { pieceOf } from '../text/piece.js'
import { EMPTY } from '../text/records.js'
import {
  BrokenDocument,
  type ExactJson,
  exactNumbers,
  type JsonRecord,
  JsonSplitter,
  objectText,
} from './json-records.js'
import { LineReader, readPairs } from './lines.js'
import { XmlChunks } from './xml/chunks.js'

interface RowReader {
  push(chunk: Buffer, last: boolean): JsonRecord[]
}

/**
 * The rows of a file as JSON, some at a time.
 *
 * @throws MoraineError of kind `source` when a document is broken as a whole.
 */
export async function* recordsOf(
  file: SourceFile,
  { layout }: FilesSource,
  inspection: Inspection,
  { signal }: Pick<Target, 'signal'>,
): AsyncGenerator<readonly JsonRecord[]> {
  if (layout?.kind === 'avro') {
    const { avroRecords } = await import('./avro.js')
    yield* avroRecords(file, signal)
    return
  }
  const open = await readerOf(file, layout, inspection)
  if (inspection.bytes <= SMALL_TEXT) {
    const bytes = await readFile(textOf(file))
    yield withinTime(file.name, () => allRecords(file, open(), bytes, inspection))
    return
  }
  const reader = open()
  const input = createReadStream(textOf(file), {
    highWaterMark: pieceOf(inspection.bytes),
    start: inspection.bom ? 3 : 0,
    signal,
  })
  try {
    for await (const chunk of input) {
      yield reader.push(chunk as Buffer, false)
      progressed()
    }
    yield reader.push(Buffer.alloc(0), true)
  } catch (cause) {
    throw namedFault(file, cause)
  }
}

/** Decodes a small text to its rows; a decoder in place (see `withinTime`). */
export async function smallRecords(
  file: SourceFile,
  { layout }: FilesSource,
  inspection: Inspection,
  text: Buffer,
): Promise<() => readonly JsonRecord[]> {
  const open = await readerOf(file, layout, inspection)
  return () => allRecords(file, open(), text, inspection)
}

function allRecords(
  file: SourceFile,
  reader: RowReader,
  text: Buffer,
  { bom }: Inspection,
): JsonRecord[] {
  try {
    const records = reader.push(text.subarray(bom ? 3 : 0), false)
    return records.concat(reader.push(Buffer.alloc(0), true))
  } catch (cause) {
    throw namedFault(file, cause)
  }
}

/** What is wrong with a document as a whole. */
function namedFault(file: SourceFile, cause: unknown): unknown {
  if (cause instanceof RangeError)
    return new MoraineError('source', `${file.name} has a value of more than 512 MB`, {
      hint: 'Nothing was ingested from the file. Is it in the declared format?',
    })
  if (!(cause instanceof BrokenDocument)) return cause
  return new MoraineError('source', `${file.name}, line ${cause.line}: ${cause.message}`, {
    hint: 'Nothing was ingested from the file. Is it complete?',
  })
}

async function readerOf(
  file: SourceFile,
  layout: Layout | undefined,
  inspection: Inspection,
): Promise<() => RowReader> {
  const { carriageReturns, utf8, nul, controls } = inspection
  const facts = { carriageReturns, clean: utf8 && !nul, controls }
  if (layout?.kind === 'pairs') return () => new Lines(facts, pairsAsJson)
  if (layout?.kind === 'json' && layout.lines) return () => new Lines(facts, lineAsJson)
  if (!facts.clean)
    throw new MoraineError('source', `${file.name} is ${nul ? 'not text' : 'not valid UTF-8'}`, {
      hint: "Set its encoding: encoding: 'latin1'",
    })
  if (layout?.kind === 'xml') {
    const { XmlReader } = await import('./xml/reader.js')
    return () => new XmlChunks(new XmlReader(layout.rows, layout.lists))
  }
  const names = layout?.kind === 'json' && layout.rows !== undefined ? layout.rows.split('.') : []
  return () => new Documents(file, names)
}

/** Lines of which each is a row. */
class Lines implements RowReader {
  private readonly lines: LineReader

  constructor(
    facts: ConstructorParameters<typeof LineReader>[1],
    private readonly toJson: (line: string) => RowText | undefined,
  ) {
    this.lines = new LineReader((line) => [line], facts)
  }

  push(chunk: Buffer, last: boolean): JsonRecord[] {
    return this.lines.push(chunk, last).flatMap(({ line, fields: [text = ''], error, raw }) => {
      const found = error === undefined || error === EMPTY ? this.toJson(text) : { error }
      if (!found) return []
      return 'error' in found ? { line, ...found, raw: raw() } : { line, ...found }
    })
  }
}

/** What a line is, or why it is no row. */
export type RowText = ExactJson | { error: string }

function pairsAsJson(line: string): RowText {
  const pairs = readPairs(line)
  return typeof pairs === 'string' ? { error: pairs } : { json: objectText(pairs) }
}

/** How a line is a row where its layout says no columns. */
export function rowTextOf(layout: Layout | undefined): (line: string) => RowText | undefined {
  return layout?.kind === 'pairs' ? pairsAsJson : lineAsJson
}

/** Blank lines are no rows. */
function lineAsJson(line: string): RowText | undefined {
  return line.trim() === '' ? undefined : exactNumbers(line)
}

class Documents implements RowReader {
  private readonly splitter: JsonSplitter

  constructor(
    private readonly file: SourceFile,
    private readonly names: readonly string[],
  ) {
    this.splitter = new JsonSplitter(names)
  }

  push(chunk: Buffer, last: boolean): JsonRecord[] {
    const records = this.splitter.push(chunk, last)
    const { names, file } = this
    if (last && names.length > 0 && !this.splitter.found)
      throw new MoraineError('source', `${file.name} has nothing at ${names.join('.')}`, {
        hint: 'Check where the rows are: rows lists the keys that lead to them, separated by dots.',
      })
    return records.map(({ line, json = '' }) => ({ line, ...exactNumbers(json) }))
  }
}
