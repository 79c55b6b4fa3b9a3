import { isUtf8 } from 'node:buffer'
import type { HttpSource } from '../../define/source.js'
import { MoraineError, messageOf } from '../../errors.js'
import { withinTime } from '../decoder/watchdog.js'
import {
  BrokenDocument,
  exactNumbers,
  type JsonRecord,
  JsonSplitter,
  MARK,
  objectText,
} from '../formats/json-records.js'
import { raggedText } from '../text/canonical.js'
import { textDecoder } from '../text/decode-text.js'
import { RecordReader } from '../text/records.js'
import type { Answer } from './client.js'
import { parseExactly } from './document.js'

type Format = 'json' | 'jsonl' | 'csv' | 'xml'

/** The rows of an answer, and what is around them. */
export interface Content {
  format: Format
  rows: JsonRecord[]
  /** Whether the place was there where rows are said to be. */
  found: boolean
  /** What is around the rows, where there is such; they themselves are `null` there. */
  document(): unknown
  /** The last row, with all of its digits. */
  last(): unknown
}

/**
 * Reads the rows of an answer.
 *
 * @param wasRead whether other rows of it were read, so that those which can't be are at fault
 *   themselves.
 * @throws MoraineError of kind `source` when the answer is not what it says that it is, or the
 *   definition; or is broken as a whole.
 */
export async function contentOf(
  answer: Answer,
  source: HttpSource,
  place: string,
  wasRead = false,
): Promise<Content> {
  const format = formatOf(answer, source, place)
  const body = inUtf8(answer, format, place)
  try {
    if (format === 'xml') return await xmlContent(body, source, place)
    if (format === 'json') return withinTime(place, () => jsonContent(body, source, place, wasRead))
    const rows = withinTime(place, () => (format === 'csv' ? csvRows(body) : lineRows(body)))
    const last = () => parseRow(rows.at(-1)?.json)
    return { format, rows, found: true, document: () => undefined, last }
  } catch (cause) {
    if (!(cause instanceof BrokenDocument)) throw cause
    throw new MoraineError('source', `${place}, line ${cause.line}: ${cause.message}`, {
      hint: 'Nothing was ingested from it. Is the response what you expect, and are the rows where you say?',
    })
  }
}

const names: Record<Format, string> = { json: 'JSON', jsonl: 'JSON lines', csv: 'CSV', xml: 'XML' }

const types: readonly (readonly [RegExp, Format])[] = [
  [/ndjson|jsonl|json-?lines|json-seq/i, 'jsonl'],
  [/[/+]json\b/i, 'json'],
  [/\/(x-)?csv\b|comma-separated/i, 'csv'],
  [/[/+]xml\b/i, 'xml'],
]

/** How files begin that are no text. */
const magic: readonly (readonly [string, string])[] = [
  ['PK\u0003\u0004', 'a zip, or an Excel workbook'],
  ['\u001f\u008b', 'compressed with gzip'],
  ['\u0089PNG', 'a PNG image'],
  ['%PDF', 'a PDF'],
  ['PAR1', 'Parquet'],
  ['Obj\u0001', 'Avro'],
]

/** What an answer is: as its definition, its content type and its first bytes say together. */
function formatOf({ type, body }: Answer, { format }: HttpSource, place: string): Format {
  const says = types.find(([pattern]) => pattern.test(type))?.[1]
  const start = startOf(body)
  const looks = looksOf(body, start)
  const refused = (by: string) =>
    new MoraineError('source', `${place}: ${by}, but ${looks.what}`, {
      hint: 'Nothing was ingested from it. Check the URL, or set the format of the response: format.',
    })
  const byDefinition = `the definition says ${names[format ?? 'json']}`
  const byType = `its content type is ${type.split(';')[0]}`
  const expected = format ?? says
  if (expected === undefined) {
    if (looks.format) return looks.format
    if (start === '') return 'json'
    throw new MoraineError(
      'source',
      `${place}: its format is unknown (${type ? `its content type is ${type}` : 'it has no content type'}), and ${looks.what}`,
      {
        hint: "Nothing was ingested from it. Set the format of the response, such as format: 'csv'.",
      },
    )
  }
  const fits = {
    json: looks.format === 'json',
    // Lines that are no JSON are discarded one by one.
    jsonl: looks.format !== 'xml' && !looks.binary,
    csv: looks.format === undefined && !looks.binary,
    xml: looks.format === 'xml',
  }
  // Where the definition and the bytes agree, what a server says of itself does not matter.
  if (start !== '' && !fits[expected]) throw refused(format ? byDefinition : byType)
  return expected
}

/** The first bytes, without a mark of their order and white space. */
function startOf(body: Buffer): string {
  const bytes = body.subarray(0, 1000)
  const wide = bytes[0] === 0xff && bytes[1] === 0xfe ? bytes.toString('utf16le', 2) : undefined
  return (wide ?? bytes.toString('latin1').replace(/^\xef\xbb\xbf/, '')).trimStart()
}

interface Looks {
  format?: 'json' | 'xml'
  binary?: boolean
  /** `its first bytes are XML (<?xml …)`. */
  what: string
}

function looksOf(body: Buffer, start: string): Looks {
  const shown = start.slice(0, 40).replace(/[\s\p{Cc}]+/gu, ' ')
  const packed = magic.find(([bytes]) => start.startsWith(bytes))
  if (packed) return { binary: true, what: `it is ${packed[1]}` }
  if (start[0] === '<') return { format: 'xml', what: `it starts like XML: ${shown}` }
  if ((start[0] === '{' || start[0] === '[') && isJson(body, start))
    return { format: 'json', what: `it starts like JSON: ${shown}` }
  if (start.includes('\0')) return { binary: true, what: 'it is not text' }
  return { what: `it starts like neither JSON nor XML: ${shown}` }
}

/**
 * Whether what begins with a bracket is JSON, or at least begins like it: a header of CSV may be
 * `[id]`.
 */
function isJson(body: Buffer, start: string): boolean {
  if (/^(\{\s*("|\}|$)|\[\s*([[{"\]]|$))/.test(start)) return true
  if (body.length > 1 << 20) return /^\[\s*(-?\d|true|false|null)/.test(start)
  try {
    JSON.parse(body.toString('utf8'))
    return true
  } catch {
    return false
  }
}

/** The text of an answer in UTF-8. */
function inUtf8({ type, body }: Answer, format: Format, place: string): Buffer {
  const charset = /charset\s*=\s*"?([^\s";]+)/i.exec(type)?.[1]
  const wide =
    body[0] === 0xff && body[1] === 0xfe
      ? 'utf-16le'
      : body[0] === 0xfe && body[1] === 0xff
        ? 'utf-16be'
        : undefined
  const declared =
    format === 'xml'
      ? /^<\?xml[^>]*\sencoding\s*=\s*["']([\w.-]+)["']/.exec(startOf(body))?.[1]
      : undefined
  const label = wide ?? charset ?? declared
  const plain = body.subarray(0, 3).equals(Buffer.from('\ufeff')) ? body.subarray(3) : body
  // Without a word on it, or with that of UTF-8, lines of others are discarded one by one.
  if (label === undefined || /^(utf-?8|us-ascii)$/i.test(label)) {
    if (isUtf8(plain) || format !== 'xml') return plain
    throw notUtf8(place)
  }
  try {
    return Buffer.from(textDecoder(label, { fatal: true })(body))
  } catch {
    throw new MoraineError('source', `${place}: it claims to be encoded as ${label}, but is not`, {
      hint: 'Nothing was ingested from it. This must be fixed by the provider of the API.',
    })
  }
}

const notUtf8 = (place: string) =>
  new MoraineError('source', `${place}: it is not valid UTF-8, and does not specify its encoding`, {
    hint: 'Nothing was ingested from it. Its content type should specify the encoding: charset=iso-8859-1.',
  })

/** What is around the rows; those themselves are discarded one by one where they are no JSON. */
function parsedAround(text: string, place: string): unknown {
  try {
    return parseExactly(text)
  } catch (cause) {
    throw new MoraineError(
      'source',
      `${place}: it is not valid JSON around its rows: ${messageOf(cause)}`,
      {
        cause,
        hint: 'Nothing was ingested from it. This must be fixed by the provider of the API.',
      },
    )
  }
}

function jsonContent(
  body: Buffer,
  { rows: path }: HttpSource,
  place: string,
  wasRead: boolean,
): Content {
  const spans: [number, number][] = []
  const each: [number, number][] = []
  const splitter = new JsonSplitter(path === undefined ? [] : path.split('.'), (start, end) => {
    each.push([start, end])
    const before = spans.at(-1)
    if (before && isBetween(body, before[1], start)) before[1] = end
    else spans.push([start, end])
  })
  const split = splitter.push(body, true)
  const last = split.at(-1)?.json
  const rows = isUtf8(body) ? split.map(exactRow) : rowsApart(body, split, each)
  // Where most are so, it is all of it that is encoded otherwise.
  if (!wasRead && rows.filter(({ error }) => error !== undefined).length * 2 > rows.length)
    throw notUtf8(place)
  return {
    format: 'json',
    rows,
    found: path === undefined || splitter.found,
    // Without a path an answer is the list of rows, or the one row.
    document: () =>
      parsedAround(
        (path === undefined ? body.toString('utf8') : without(body, spans)) || 'null',
        place,
      ),
    last: () => parseRow(last),
  }
}

const exactRow = ({ line, json = '' }: JsonRecord): JsonRecord => ({ line, ...exactNumbers(json) })

/** Rows of a text that is not valid everywhere: those that are not are discarded one by one. */
function rowsApart(
  body: Buffer,
  rows: readonly JsonRecord[],
  spans: readonly (readonly [number, number])[],
): JsonRecord[] {
  return rows.map((row, i) => {
    const [start, end] = spans[i] as readonly [number, number]
    const bytes = body.subarray(start, end)
    if (isUtf8(bytes)) return exactRow(row)
    return { line: row.line, error: 'it is not valid UTF-8', raw: bytes.toString('latin1') }
  })
}

/** Whether there is nothing but a comma between two offsets. */
function isBetween(body: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = body[at] as number
    if (byte > 32 && byte !== COMMA) return false
  }
  return true
}

const COMMA = 44

function without(body: Buffer, spans: readonly (readonly [number, number])[]): string {
  const parts = spans.map(([start], i) => body.toString('utf8', spans[i - 1]?.[1] ?? 0, start))
  return [...parts, body.toString('utf8', spans.at(-1)?.[1] ?? 0)].join('null')
}

async function xmlContent(
  body: Buffer,
  { rows: name, lists }: HttpSource,
  place: string,
): Promise<Content> {
  const { XmlReader } = await import('../formats/xml/reader.js')
  const text = body.toString('utf8')
  const read = (element: string | undefined) =>
    text.trim() === ''
      ? []
      : withinTime(place, () => new XmlReader(element, lists).push(text, true))
  const rows = read(name)
  const outermost = /<([A-Za-z_][\w.:-]*)/.exec(text.replace(/<[!?][^>]*>/g, ''))?.[1]
  return {
    format: 'xml',
    rows,
    found: name === undefined || rows.length > 0,
    document: () => JSON.parse((outermost && read(outermost)[0]?.json) || '{}'),
    last: () => JSON.parse(rows.at(-1)?.json ?? 'null'),
  }
}

/** What RFC 7464 has before each text. */
const RECORD_MARK = '\u001e'

/** A row; nothing where it is none. */
function parseRow(json: string | undefined): unknown {
  try {
    return json && parseExactly(json.replaceAll(MARK, ''))
  } catch {
    return undefined
  }
}

/** Lines of which each is a row; those that are no text are discarded one by one. */
function lineRows(body: Buffer): JsonRecord[] {
  const rows: JsonRecord[] = []
  for (let at = 0, line = 1; at < body.length; line++) {
    const end = body.indexOf(10, at)
    const bytes = body.subarray(at, end < 0 ? body.length : end)
    at = end < 0 ? body.length : end + 1
    const text = bytes.toString('utf8').replace(RECORD_MARK, '').trim()
    if (text === '') continue
    if (isUtf8(bytes)) rows.push({ line, ...exactNumbers(text) })
    else rows.push({ line, error: 'it is not valid UTF-8', raw: bytes.toString('latin1') })
  }
  return rows
}

/** Rows of a text with a header, as objects of texts. */
function csvRows(body: Buffer): JsonRecord[] {
  const facts = { carriageReturns: false, clean: false, controls: true }
  const records = new RecordReader({ delimiter: ',', quote: '"' }, facts, false).push(body, true)
  const [header, ...rows] = records
  const names = header?.fields ?? []
  return rows.map(({ line, fields, quoted, error, raw }) => {
    const wrong =
      error ??
      (fields.length === names.length ? undefined : raggedText(fields.length, names.length))
    if (wrong !== undefined) return { line, error: wrong, raw: raw() }
    // Text by text: names that numbers are would be put first in an object.
    const values = fields.map((text, i) => (text === '' && !quoted?.[i] ? null : text))
    return { line, json: objectText(names.map((name, i) => [name, values[i] ?? null])) }
  })
}
