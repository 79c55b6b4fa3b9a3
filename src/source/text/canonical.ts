import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import type { FilesSource } from '../../define/source.js'
import type { Dialect } from '../../sql/dialect.js'
import { progressed } from '../decoder/progress.js'
import { LineReader, splitOf } from '../formats/lines.js'
import { canonicalBlock, type TextBlock } from './plain-block.js'
import { EMPTY, RecordReader, type TextFacts, type TextRecord } from './records.js'
import { regionOfFile, regionOfText } from './region.js'

/*
 * The canonical form of a delimited text: one line a record, fields between unit separators (0x1F),
 * first the physical line, the error and the raw text. An empty field is NULL. Inside a field, 0x1A
 * and a letter stand for characters that have a meaning here.
 */
export const SEPARATOR = '\x1f'
export const ESCAPE = '\x1a'
/** Letters after 0x1A and what they stand for, in the order in which they are to be undone. */
const escapes: readonly (readonly [letter: string, text: string])[] = [
  ['q', ''],
  ['n', '\n'],
  ['r', '\r'],
  ['u', SEPARATOR],
  ['s', ESCAPE],
]

export interface CanonicalText {
  /** Records, broken ones included, without the header. */
  records: number
  broken: number
  /** Broken records that have another number of fields than they should. */
  ragged: number
  /** The first record that was broken, for messages. */
  firstBroken: { line: number; error: string } | undefined
  /** The records that name the columns; none where there is no header. */
  header: readonly TextRecord[]
  /** Bytes of the longest line written. */
  longest: number
}

/**
 * How a delimited text is read: what is known of it, and how many columns it should have, by its
 * header where it has one.
 */
type Options = TextFacts & {
  bom: boolean
  columns: number | ((header: readonly TextRecord[]) => number)
}

const FLUSH = 1 << 20
const LF = 10
const CR = 13

/** Reads a delimited text carefully and writes its canonical form to another file. */
export async function canonicalize(
  from: string,
  to: string,
  source: FilesSource,
  options: Options & { signal?: AbortSignal | undefined },
): Promise<CanonicalText> {
  const { start, end, firstLine } = await regionOfFile(from, source, options)
  const facts = { ...options, firstLine }
  const writer = new CanonicalWriter(source, facts)
  const reader = readerOf(source, facts, (block) => writer.addBlock(block))
  const output = createWriteStream(to)
  const { signal } = options
  // Where nothing is left the end lies before the start, which streams refuse.
  const input =
    start < end ? createReadStream(from, { highWaterMark: FLUSH, start, end: end - 1, signal }) : []
  const take = async (chunk: Buffer, last: boolean) => {
    for (const record of reader.push(chunk, last)) writer.add(record)
    progressed()
    if (!output.write(writer.flush())) await once(output, 'drain')
  }
  try {
    for await (const chunk of input) await take(chunk, false)
    await take(Buffer.alloc(0), true)
  } finally {
    output.end()
    await finished(output)
  }
  return writer.summary()
}

/**
 * Decodes a small text to its canonical form, each line of which begins with `lead`; a decoder in
 * place (see `withinTime`).
 */
export async function canonicalOf(
  text: Buffer,
  source: FilesSource,
  options: Options,
  lead = '',
): Promise<() => CanonicalText & { text: Buffer }> {
  const { start, end, firstLine } = await regionOfText(text, source, options)
  const facts = { ...options, firstLine }
  return () => {
    const writer = new CanonicalWriter(source, facts, lead)
    const reader = readerOf(source, facts)
    for (const record of reader.push(text.subarray(start, end), false)) writer.add(record)
    for (const record of reader.push(Buffer.alloc(0), true)) writer.add(record)
    return { text: writer.flush(), ...writer.summary() }
  }
}

function readerOf(
  source: FilesSource,
  options: Options,
  takeBlock?: (block: TextBlock) => boolean,
): LineReader | RecordReader {
  const split = splitOf(source)
  if (split) return new LineReader(split, options, source.comment)
  return new RecordReader(source, options, options.columns === 1, takeBlock)
}

class CanonicalWriter {
  private blocks: Buffer[] = []
  private out: string[] = []
  private records = 0
  private broken = 0
  private ragged = 0
  private longest = 0
  private firstBroken: CanonicalText['firstBroken']
  private readonly header: TextRecord[] = []
  /** Empty lines above the names, which are written once it is known how many fields a line has. */
  private readonly above: TextRecord[] = []
  /** Records of the header that are still to come. */
  private toName: number
  private columns: number | undefined
  private terminated: boolean | undefined
  private readonly nulls: ReadonlySet<string>
  /** A line without quotes needs no look at each of its fields. */
  private readonly simple: boolean
  private readonly delimiter: number | undefined

  constructor(
    private readonly source: FilesSource,
    private readonly facts: Options,
    private readonly lead = '',
  ) {
    this.nulls = new Set(source.nulls)
    this.simple = !facts.controls && this.nulls.size === 1 && this.nulls.has('')
    this.toName = headerRowsOf(source)
    this.columns = typeof facts.columns === 'number' ? facts.columns : undefined
    this.delimiter = byteOf(source.delimiter)
  }

  /** Takes lines as they are, where nothing in them needs more than another separator. */
  addBlock(block: TextBlock): boolean {
    const { columns: expected, facts, delimiter } = this
    if (!this.simple || facts.carriageReturns || expected === undefined) return false
    if (this.toName > 0 || delimiter === undefined || strayReturn(block.bytes)) return false
    this.terminated ??= endsWith(block.bytes, delimiter)
    const { output, lines } = canonicalBlock(
      block,
      { delimiter, expected },
      (line, fields, text) => {
        this.ragged++
        const counted = text.endsWith(this.source.delimiter) ? fields - 1 : fields
        const actual = this.terminated || fields > expected ? counted : fields
        const error = raggedText(actual, expected)
        return Buffer.from(`${this.brokenLine(line, error, text, expected)}\n`)
      },
    )
    this.blocks.push(output)
    this.records += lines
    return true
  }

  add(record: TextRecord): void {
    const isEmpty = record.error === EMPTY
    if (this.toName > 0 && !isEmpty) {
      this.addHeader(record)
      return
    }
    if (this.toName > 0) {
      this.above.push(record)
      return
    }
    this.terminated ??= isEmpty ? undefined : isTerminated(record)
    this.records++
    const expected = this.columns ?? record.fields.length
    const ragged =
      record.error === undefined
        ? raggedness(record.fields, expected, this.terminated ?? false)
        : undefined
    if (ragged !== undefined) this.ragged++
    const error = record.error ?? ragged
    this.put(
      error === undefined
        ? this.goodLine(record, expected)
        : this.brokenLine(record.line, error, record.raw(), expected),
    )
  }

  private addHeader(record: TextRecord): void {
    this.header.push(record)
    this.terminated ??= isTerminated(record)
    const { columns } = this.facts
    if (--this.toName > 0) return
    if (typeof columns === 'function') this.columns = columns(this.header)
    for (const empty of this.above.splice(0)) this.add(empty)
  }

  private brokenLine(line: number, error: string, raw: string, expected: number): string {
    this.broken++
    if (!this.firstBroken || line < this.firstBroken.line) this.firstBroken = { line, error }
    const fields = SEPARATOR.repeat(expected)
    return `${line}${SEPARATOR}${error}${SEPARATOR}${escapeText(raw)}${fields}`
  }

  private goodLine({ line: number, fields, quoted }: TextRecord, expected: number): string {
    if (!quoted && this.simple) {
      const last = fields.length > expected ? fields.slice(0, expected) : fields
      const joined = last.join(SEPARATOR)
      if (!joined.includes('\r')) return `${number}${SEPARATOR}${SEPARATOR}${SEPARATOR}${joined}`
    }
    let line = `${number}${SEPARATOR}${SEPARATOR}`
    for (let i = 0; i < expected; i++)
      line += SEPARATOR + this.fieldText(fields[i] as string, quoted?.[i] ?? false)
    return line
  }

  private fieldText(text: string, quoted: boolean): string {
    const isNull = this.nulls.has(text)
    if (quoted) return text === '' || isNull ? `${ESCAPE}q${escapeText(text)}` : escapeText(text)
    return isNull ? '' : text === '' ? `${ESCAPE}q` : escapeText(text)
  }

  private put(line: string): void {
    const led = this.lead + line
    if (led.length > this.longest) this.longest = led.length
    this.out.push(led)
  }

  flush(): Buffer {
    const lines = this.out.length > 0 ? `${this.out.join('\n')}\n` : ''
    const bytes = Buffer.concat([...this.blocks, Buffer.from(lines)])
    this.blocks = []
    this.out = []
    return bytes
  }

  summary(): CanonicalText {
    const { records, broken, ragged, firstBroken, header } = this
    return { records, broken, ragged, firstBroken, header, longest: this.longest * 4 }
  }
}

/** How many records name the columns. */
export function headerRowsOf({ header, headerRows = 1 }: FilesSource): number {
  return header ? headerRows : 0
}

/** The one byte that a character is; `undefined` where it is more. */
export function byteOf(character: string): number | undefined {
  const bytes = Buffer.from(character)
  return bytes.length === 1 ? bytes[0] : undefined
}

/** Whether a record ends with a delimiter: where the first one does, they all are meant to. */
export function isTerminated({ fields, quoted }: Pick<TextRecord, 'fields' | 'quoted'>): boolean {
  return fields.length > 1 && fields.at(-1) === '' && !quoted?.at(-1)
}

/** Delimiters at the end of a line make no further fields. */
function raggedness(
  fields: readonly string[],
  expected: number,
  terminated: boolean,
): string | undefined {
  const extra = fields.slice(expected)
  if (fields.length >= expected && extra.every((field) => field === '')) return undefined
  const ends = fields.length > 1 && fields.at(-1) === '' && (terminated || extra.length > 0)
  return raggedText(ends ? fields.length - 1 : fields.length, expected)
}

/** What is wrong with a record of another number of fields. */
export function raggedText(fields: number, expected: number): string {
  return `${fields === 1 ? '1 field' : `${fields} fields`} instead of ${expected}`
}

/** Whether the first of some lines ends with a byte. */
function endsWith(bytes: Buffer, byte: number): boolean {
  const end = bytes.indexOf(LF)
  const last = end < 0 ? bytes.length - 1 : end - 1
  return bytes[bytes[last] === CR ? last - 1 : last] === byte
}

/** Whether a carriage return stands elsewhere than at the end of a line. */
function strayReturn(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(CR); at >= 0; at = bytes.indexOf(CR, at + 1))
    if (at + 1 < bytes.length && bytes[at + 1] !== LF) return true
  return false
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters mean something here
const special = /[\x1a\n\r]/

export function escapeText(text: string): string {
  if (!special.test(text) && !text.includes(SEPARATOR)) return text
  return text
    .replaceAll(ESCAPE, `${ESCAPE}s`)
    .replaceAll(SEPARATOR, `${ESCAPE}u`)
    .replaceAll('\n', `${ESCAPE}n`)
    .replaceAll('\r', `${ESCAPE}r`)
}

/** A text as it was before it was escaped. */
export function unescapeText(text: string): string {
  if (!text.includes(ESCAPE)) return text
  const letters = new Map<string, string>(escapes.map(([letter, plain]) => [letter, plain]))
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is the one that escapes
  return text.replace(/\x1a(.)/g, (all, letter) => letters.get(letter) ?? all)
}

/** SQL that undoes the escapes in a column. */
export function unescaped(column: string, { texts }: Dialect): string {
  const char = (text: string) => (text === '' ? `''` : texts.characters([text.charCodeAt(0)]))
  const mark = char(ESCAPE)
  const undone = escapes.reduce(
    (sql, [letter, text]) => texts.replace(sql, `${mark} || '${letter}'`, char(text)),
    column,
  )
  return `CASE WHEN ${texts.contains(column, mark)} THEN ${undone} ELSE ${column} END`
}
