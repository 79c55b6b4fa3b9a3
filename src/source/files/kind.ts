import { closeSync, openSync, readSync } from 'node:fs'
import type { FilesSource, Layout } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import { endingOf, isKnown } from '../declare/files.js'
import { refuseTwoValues } from './folders.js'
import { textOf } from './ingested.js'
import { withSeparatorLine } from './separator-line.js'
import type { SourceFile } from './source-file.js'

/** Bytes at the start of a file that are looked at. */
const START = 1 << 16

/** What a file is by its first bytes. */
export interface Kind {
  /** As people call it, with its article. */
  name: string
  /** The ending of what can be read so. */
  ending?: string
  /** What to write in the definition, or what to do. */
  hint?: string
  /** It is how text is encoded, which no ending says. */
  encoding?: true
}

/** How the file of a source is read, by the ending of its name. */
export function readerFor(source: FilesSource, name: string): FilesSource {
  const ending = endingOf(name)
  return source.readers && Object.hasOwn(source.readers, ending)
    ? (source.readers[ending] as FilesSource)
    : source
}

/**
 * Settles how a file is read: by what the definition says, its ending and its first bytes together.
 * A file whose ending tells nothing is what its bytes show, and one whose first line names its
 * delimiter is read by that.
 *
 * @throws MoraineError of kind `source` where they contradict each other, or its folders do.
 */
export function settleKind(file: SourceFile, source: FilesSource): FilesSource {
  const reader = readerFor(source, file.name)
  if (reader.hive) refuseTwoValues(file.name)
  const start = firstBytes(textOf(file))
  if (start.length === 0) return reader
  const found = binaryKind(start) ?? textKind(start)
  const isOpen = source.readers && !isKnown(endingOf(file.name))
  if (isOpen && found?.ending !== undefined) return source.readers?.[found.ending] ?? reader
  if (contradicts(found, start, reader)) throw contradiction(file, reader, found)
  return withSeparatorLine(reader, start)
}

/** Synchronously: of thousands of small files that takes a fraction of the time. */
function firstBytes(path: string): Buffer {
  let file: number | undefined
  try {
    file = openSync(path, 'r')
    const bytes = Buffer.allocUnsafe(START)
    return bytes.subarray(0, readSync(file, bytes, 0, START, 0))
  } catch {
    // Whoever reads it tells.
    return Buffer.alloc(0)
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** Whether what a file begins with can't be what it is read as. */
function contradicts(
  found: Kind | undefined,
  start: Buffer,
  { layout, formatIsSaid }: FilesSource,
): boolean {
  const expected = endingsOf(layout)
  // What is no workbook is told by who opens it.
  if (layout?.kind === 'excel') return false
  if (layout && ['parquet', 'avro'].includes(layout.kind))
    return !expected.includes(found?.ending ?? '')
  if (!found) return isJsonLines(layout) && hasNoObject(start)
  if (expected.includes(found.ending ?? '')) return false
  // Of a line that is longer than what is looked at, nothing says whether others follow.
  if (found === longLine && isJsonLines(layout)) return false
  if (isBinary(found)) return true
  // Text that says what it is, is so only where the definition does not say otherwise.
  return !formatIsSaid && (layout === undefined || layout.kind === 'json')
}

const isJsonLines = (layout: Layout | undefined): boolean => layout?.kind === 'json' && layout.lines

/** The endings of what a layout can read. */
function endingsOf(layout: Layout | undefined): string[] {
  switch (layout?.kind) {
    case undefined:
      return ['csv']
    case 'json':
      return layout.lines ? ['jsonl'] : ['json', 'jsonl']
    case 'excel':
      return ['xlsx']
    default:
      return layout ? [layout.kind] : []
  }
}

function contradiction(
  { name, archive }: SourceFile,
  { layout, formatIsSaid }: FilesSource,
  found: Kind | undefined,
): MoraineError {
  const ending = endingOf(name)
  const read = layoutName(layout)
  const by =
    formatIsSaid || !isKnown(ending)
      ? `its definition reads it as ${read}`
      : `its extension .${ending} means ${read}`
  if (archive && found === gzipped)
    return new MoraineError('source', `${name} is compressed with gzip, and in a zip as well`, {
      hint: 'Nothing was ingested from it. Files in a zip are not unpacked again: pack it once.',
    })
  const what = found ? `is ${found.name}` : `does not start like ${read}`
  return new MoraineError(
    'source',
    found?.encoding ? `${name} ${what}` : `${name} ${what}, but ${by}`,
    {
      hint:
        found?.hint ??
        'Nothing was ingested from it. Give it the right extension, set its format, or exclude it by its path.',
    },
  )
}

function layoutName(layout: Layout | undefined): string {
  const names: Record<Layout['kind'], string> = {
    json: layout?.kind === 'json' && layout.lines ? 'JSON lines' : 'JSON',
    xml: 'XML',
    pattern: 'lines of a log',
    pairs: 'lines of key=value pairs',
    fixed: 'fixed-width columns',
    parquet: 'Parquet',
    avro: 'Avro',
    excel: 'an Excel workbook',
  }
  return layout ? names[layout.kind] : 'delimited text'
}

const gzipped = { begins: '\x1f\x8b', name: 'compressed with gzip twice' }

/**
 * What begins with these bytes; `weak` ones are text as well, so that more has to show that they
 * are none.
 */
const magics: readonly (Kind & { begins: string; at?: number; weak?: true })[] = [
  { begins: 'PAR1', name: 'a Parquet file', ending: 'parquet', weak: true },
  { begins: 'Obj\x01', name: 'an Avro file', ending: 'avro' },
  { begins: 'PK\x03\x04', name: 'a zip' },
  { begins: '\x89PNG\r\n', name: 'a PNG image' },
  { begins: '\xff\xd8\xff', name: 'a JPEG image' },
  { begins: 'GIF8', name: 'a GIF image', weak: true },
  { begins: 'II*\0', name: 'a TIFF image' },
  { begins: 'MM\0*', name: 'a TIFF image' },
  { begins: 'WEBP', at: 8, name: 'a WebP image', weak: true },
  { begins: '%PDF-', name: 'a PDF document' },
  {
    begins: '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1',
    name: 'an old Office document (.xls, .doc)',
    hint: 'Save it as .xlsx or .csv.',
  },
  { begins: 'ARROW1', name: 'an Arrow file', weak: true },
  { begins: 'ORC', name: 'an ORC file', weak: true },
  { begins: 'SQLite format 3\0', name: 'an SQLite database' },
  {
    begins: 'BZh',
    name: 'a bzip2 file',
    hint: 'Compress it with gzip or zstd, or unpack it.',
    weak: true,
  },
  {
    begins: '\xfd7zXZ\0',
    name: 'an xz file',
    hint: 'Compress it with gzip or zstd, or unpack it.',
  },
  { begins: '7z\xbc\xaf\x27\x1c', name: 'a 7z archive', hint: 'Pack it as a zip, or unpack it.' },
  { begins: 'Rar!\x1a\x07', name: 'a RAR archive', hint: 'Pack it as a zip, or unpack it.' },
  { begins: 'ustar', at: 257, name: 'a tar archive', hint: 'Pack it as a zip, or unpack it.' },
  gzipped,
  { begins: '\x7fELF', name: 'a program' },
  { begins: 'MZ', name: 'a program', weak: true },
  { begins: 'ftyp', at: 4, name: 'a video', weak: true },
  { begins: '\0\0\xfe\xff', name: 'UTF-32', encoding: true, hint: 'Save it as UTF-8 or UTF-16.' },
  { begins: '\xff\xfe\0\0', name: 'UTF-32', encoding: true, hint: 'Save it as UTF-8 or UTF-16.' },
]

const isBinary = (kind: Kind) => !['json', 'jsonl', 'xml', 'html'].includes(kind.ending ?? '')

function binaryKind(start: Buffer): Kind | undefined {
  const found = magics.find(({ begins, at = 0 }) =>
    start.subarray(at, at + begins.length).equals(Buffer.from(begins, 'latin1')),
  )
  if (found && !(found.weak && looksLikeText(start.subarray(0, 512))))
    return found.name === 'a zip' && isWorkbook(start) ? workbook : found
  return wideKind(start)
}

const workbook: Kind = { name: 'an Excel workbook', ending: 'xlsx' }

/** What a text or a binary file is by its first bytes; `undefined` where they tell nothing. */
export const kindOf = (start: Buffer): Kind | undefined => binaryKind(start) ?? textKind(start)

export const isWorkbook = (start: Buffer) =>
  ['[Content_Types].xml', 'xl/', '_rels/.rels'].some((entry) => start.includes(entry))

/**
 * Whether bytes hold nothing but what text holds; bytes beyond ASCII are, in one encoding or
 * another.
 */
function looksLikeText(bytes: Buffer): boolean {
  return !bytes.some((byte) => byte < 9 || (byte > 13 && byte < 28))
}

/** UTF-16 without a byte order mark: of what is common, every other byte is NUL. */
function wideKind(start: Buffer): Kind | undefined {
  const bytes = start.subarray(0, 2048)
  const pairs = bytes.length >> 1
  if (pairs < 4) return undefined
  let [even, odd] = [0, 0]
  for (let i = 0; i < pairs * 2; i += 2) {
    if (bytes[i] === 0) even++
    if (bytes[i + 1] === 0) odd++
  }
  const encoding =
    odd > pairs / 3 && even < odd / 8
      ? 'utf-16le'
      : even > pairs / 3 && odd < even / 8
        ? 'utf-16be'
        : undefined
  return encoding === undefined
    ? undefined
    : {
        name: `${encoding.toUpperCase()} without a byte order mark`,
        encoding: true,
        hint: `Set its encoding: encoding: '${encoding}'`,
      }
}

function textKind(start: Buffer): Kind | undefined {
  // Most texts are neither, which the first character tells.
  if (!/^\s*[<[{]/.test(start.toString('utf8', 0, 256).replace(/^\uFEFF/, ''))) return undefined
  const text = start.toString('utf8').replace(/^\uFEFF/, '')
  if (/^\s*<(!doctype\s+html|html|head|body)\b/i.test(text))
    return {
      name: 'an HTML page',
      ending: 'html',
      hint: 'Nothing was ingested from it. It may be the error page of a server: download the file again.',
    }
  if (/^\s*<\?xml\s/.test(text) || /^\s*<([A-Za-z_][\w.:-]*)(\s[^<>]*)?>\s*(<|\r?\n)/.test(text))
    return { name: 'XML', ending: 'xml' }
  return jsonKind(text, start.length < START)
}

/**
 * JSON, where the first line is an object or a list, or a document begins that goes on over lines.
 */
function jsonKind(text: string, whole: boolean): Kind | undefined {
  const trimmed = text.trimStart()
  if (!/^[[{]/.test(trimmed)) return undefined
  const [line = '', second] = trimmed.split(/\r?\n/, 2)
  if (parses(line) && (second !== undefined || whole)) {
    if (line.startsWith('[')) return /^\[\s*(\{|$)/.test(line) ? json : undefined
    return { name: 'JSON lines', ending: 'jsonl' }
  }
  const goesOn =
    /^\[?\{?$/.test(line.replace(/\s/g, '')) && /^[\s[{]*("([^"\\]|\\.)*"\s*:|[[{}])/.test(trimmed)
  const isCut = second === undefined && !whole && /^(\[\s*)?\{\s*"([^"\\]|\\.)*"\s*:/.test(line)
  if (goesOn) return json
  return isCut ? (line.startsWith('{') ? longLine : json) : undefined
}

const json: Kind = { name: 'JSON', ending: 'json' }
/** An object in one line whose end is not in sight. */
const longLine: Kind = { ...json }

function parses(line: string): boolean {
  try {
    return typeof JSON.parse(line) === 'object'
  } catch {
    return false
  }
}

/**
 * Whether not one of the first lines begins as an object: what was expected to be JSON lines is
 * something else.
 */
function hasNoObject(start: Buffer): boolean {
  const lines = start
    .toString('utf8')
    .split('\n')
    .map((line) => line.trim())
  const whole = start.length < START ? lines : lines.slice(0, -1)
  const some = whole.filter((line) => line !== '')
  return (
    some.length > 1 &&
    !some.some(
      (line) => /^\uFEFF?\s*[[{"]/.test(line) || /^(null|true|false|-?\d[\d.eE+-]*)$/.test(line),
    )
  )
}
