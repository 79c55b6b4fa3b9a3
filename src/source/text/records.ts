import { isUtf8 } from 'node:buffer'
import { Escapes } from './escapes.js'
import type { TextBlock } from './plain-block.js'
import type { RecordLayout } from './record-layout.js'

/** A record of a delimited text, or what is in its place. */
export interface TextRecord {
  /** The physical line it begins at, from 1. */
  line: number
  fields: string[]
  /** Which fields were quoted; `undefined` when none was. */
  quoted: boolean[] | undefined
  /** Why it is not a record; its whole text is then in `raw`. */
  error: string | undefined
  /** Its whole text, for people: bytes that are no characters as `\xFF`. */
  raw: () => string
}

/** What is known of a text before it is split. */
export interface TextFacts {
  carriageReturns: boolean
  /** All of it is valid UTF-8 without a NUL byte. */
  clean: boolean
  /** It holds 0x1A or 0x1F. */
  controls: boolean
  /** The number of its first line, where lines before it were passed over. */
  firstLine?: number
}

/** The error of a line that holds nothing. */
export const EMPTY = 'empty line'

const LF = 10
const CR = 13
/** A quoted field that goes on for longer than this has lost its closing quote. */
const MAX_RECORD = 64 * 2 ** 20

/**
 * Splits delimited text into records (RFC 4180, with any delimiter), across chunks. Unlike a
 * general reader it always knows the physical line, and a broken record costs only itself: after
 * a quote that never closes, reading goes on at the next line.
 */
export class RecordReader {
  private rest: Buffer = Buffer.alloc(0)
  private line: number
  private blanks: number[] = []
  private readonly delimiter: Buffer
  private readonly quote: number
  private readonly newline: number
  private readonly separator: string
  private readonly comment: Buffer | undefined
  private readonly escapes: Escapes | undefined
  /** Where the next quote, or the next escape, of the current buffer is. */
  private nextQuote = -1

  constructor(
    private readonly source: RecordLayout,
    private readonly facts: TextFacts,
    /** In files of one column a blank line is a value. */
    private readonly blankIsValue: boolean,
    /** Offered blocks of plain lines; where it takes one, their records are not made. */
    private readonly takeBlock?: (block: TextBlock) => boolean,
  ) {
    this.line = facts.firstLine ?? 1
    this.delimiter = Buffer.from(source.delimiter)
    this.quote = source.quote === null ? -1 : source.quote.charCodeAt(0)
    this.newline = facts.carriageReturns ? CR : LF
    this.comment = source.comment === undefined ? undefined : Buffer.from(source.comment)
    this.escapes = Escapes.of(source, this.delimiter)
    this.separator = facts.carriageReturns ? '\r' : '\n'
  }

  /** The records that are complete with this chunk; `last` marks the end of the text. */
  push(chunk: Buffer, last: boolean): TextRecord[] {
    const buffer = this.rest.length > 0 ? Buffer.concat([this.rest, chunk]) : chunk
    const records: TextRecord[] = []
    let at = 0
    this.nextQuote = this.quoteFrom(buffer, 0)
    while (at < buffer.length) {
      const block = this.plainBlock(buffer, at)
      if (block > at) {
        if (!this.passOn(buffer, at, block))
          this.plainLines(buffer.toString('utf8', at, block), records)
        at = block + 1
        continue
      }
      const next = this.read(buffer, at, last)
      if (!next) break
      at = next.end
      if (next.record) this.add(next.record, records)
    }
    this.rest = Buffer.from(buffer.subarray(at))
    return records
  }

  /** The end of the last of the next lines that hold no quote and only good characters. */
  private plainBlock(buffer: Buffer, start: number): number {
    if (!this.facts.clean) return -1
    if (this.nextQuote < start) this.nextQuote = this.quoteFrom(buffer, start)
    const before = Math.min(this.nextQuote, buffer.length)
    return before > start ? buffer.lastIndexOf(this.newline, before - 1) : -1
  }

  /**
   * Hands a block on as it is, unless a blank line in it or before it needs a record of its own.
   */
  private passOn(buffer: Buffer, start: number, end: number): boolean {
    if (!this.takeBlock || this.blanks.length > 0 || this.blankIsValue || this.comment) return false
    const bytes = buffer.subarray(start, end)
    if (hasBlankLine(bytes)) return false
    if (!this.takeBlock({ line: this.line, bytes })) return false
    this.line += count(bytes, this.newline, 0, bytes.length) + 1
    return true
  }

  private plainLines(text: string, records: TextRecord[]): void {
    for (const line of text.split(this.separator)) {
      const content = this.newline === LF && line.endsWith('\r') ? line.slice(0, -1) : line
      if (content === '' && !this.blankIsValue) this.blanks.push(this.line++)
      else if (this.source.comment !== undefined && content.startsWith(this.source.comment))
        this.line++
      else {
        const fields = content.split(this.source.delimiter)
        const raw = () => content
        this.add({ line: this.line++, fields, quoted: undefined, error: undefined, raw }, records)
      }
    }
  }

  /** Blank lines are reported, except those at the very end. */
  private add(record: TextRecord, records: TextRecord[]): void {
    for (const line of this.blanks)
      records.push({ line, fields: [], quoted: undefined, error: EMPTY, raw: () => '' })
    if (this.blanks.length > 0) this.blanks = []
    records.push(record)
  }

  private read(buffer: Buffer, start: number, last: boolean) {
    const lineEnd = buffer.indexOf(this.newline, start)
    if (lineEnd < 0 && !last) return undefined
    const physicalEnd = lineEnd < 0 ? buffer.length : lineEnd
    if (this.contentEnd(buffer, start, physicalEnd) === start && !this.blankIsValue) {
      this.blanks.push(this.line++)
      return { end: physicalEnd + 1, record: undefined }
    }
    if (this.comment && beginsAt(buffer, start, this.comment)) {
      this.line++
      return { end: physicalEnd + 1, record: undefined }
    }
    if (this.nextQuote < start) this.nextQuote = this.quoteFrom(buffer, start)
    if (this.nextQuote >= physicalEnd) return this.plainLine(buffer, start, physicalEnd)
    const split = this.split(buffer, start, last)
    if (split === undefined) return undefined
    const line = this.line
    if (typeof split === 'string') {
      this.line++
      const raw = buffer.subarray(start, this.contentEnd(buffer, start, physicalEnd))
      const record = {
        line,
        fields: [],
        quoted: undefined,
        error: split,
        raw: () => readableText(raw),
      }
      return { end: physicalEnd + 1, record }
    }
    this.line += 1 + split.extraLines
    const raw = buffer.subarray(start, this.contentEnd(buffer, start, split.end))
    const { fields, quoted } = split
    const error = this.problem(raw)
    const record = { line, fields, quoted, error, raw: () => readableText(raw) }
    return { end: split.end + 1, record }
  }

  /** A line without quotes is a record. */
  private plainLine(buffer: Buffer, start: number, end: number) {
    const raw = buffer.subarray(start, this.contentEnd(buffer, start, end))
    const fields = raw.toString('utf8').split(this.source.delimiter)
    const error = this.problem(raw)
    const read = () => readableText(raw)
    const record = { line: this.line++, fields, quoted: undefined, error, raw: read }
    return { end: end + 1, record }
  }

  private quoteFrom(buffer: Buffer, at: number): number {
    const found = this.quote < 0 ? -1 : buffer.indexOf(this.quote, at)
    const quote = found < 0 ? Number.POSITIVE_INFINITY : found
    return this.escapes ? Math.min(quote, this.escapes.next(buffer, at)) : quote
  }

  private problem(raw: Buffer): string | undefined {
    return this.facts.clean ? undefined : byteProblem(raw)
  }

  /** The end of a line's text, before a carriage return that belongs to the line's end. */
  private contentEnd(buffer: Buffer, start: number, end: number): number {
    return this.newline === LF && end > start && buffer[end - 1] === CR ? end - 1 : end
  }

  /** The fields of the record at `start`; a text says what is wrong, `undefined` asks for more. */
  private split(buffer: Buffer, start: number, last: boolean) {
    const fields: string[] = []
    const quoted: boolean[] = []
    let extraLines = 0
    let at = start
    for (;;) {
      if (buffer[at] === this.quote && at < buffer.length) {
        const field = this.quotedField(buffer, at, last)
        if (field === undefined || typeof field === 'string') return field
        fields.push(
          this.escapes
            ? this.escapes.undone(field.bytes, true)
            : (field.doubled ? undouble(field.bytes, this.quote) : field.bytes).toString('utf8'),
        )
        quoted.push(true)
        extraLines += field.lines
        at = field.end
      } else {
        const end = this.plainEnd(buffer, at)
        if (end === buffer.length && !last) return undefined
        const isLast = end === buffer.length || buffer[end] === this.newline
        const textEnd = isLast ? this.contentEnd(buffer, at, end) : end
        const plain = this.escapes?.field(buffer.subarray(at, textEnd))
        fields.push(plain?.text ?? buffer.toString('utf8', at, textEnd))
        quoted.push(plain?.escaped ?? false)
        if (this.escapes) extraLines += count(buffer, this.newline, at, textEnd)
        at = end
      }
      if (at >= buffer.length || buffer[at] === this.newline)
        return { fields, quoted, end: at, extraLines }
      at += this.delimiter.length
    }
  }

  /**
   * The end of a field without quotes: a delimiter, the end of the line, or the end of the buffer.
   */
  private plainEnd(buffer: Buffer, start: number): number {
    const { delimiter, escapes, newline } = this
    const [first] = delimiter
    let at = start
    while (at < buffer.length && buffer[at] !== newline) {
      if (buffer[at] === first && beginsAt(buffer, at, delimiter)) return at
      if (escapes && buffer[at] === escapes.byte) at = escapes.after(buffer, at)
      else at++
    }
    return Math.min(at, buffer.length)
  }

  private quotedField(buffer: Buffer, open: number, last: boolean) {
    let lines = 0
    let doubled = false
    let from = open + 1
    for (;;) {
      const close = this.escapes?.close(buffer, from) ?? buffer.indexOf(this.quote, from)
      if (close < 0 || close - open > MAX_RECORD) {
        const more = !last && buffer.length - open <= MAX_RECORD
        return more ? undefined : 'a quote is never closed'
      }
      lines += count(buffer, this.newline, from, close)
      const cut = buffer[close + 1] === CR ? close + 2 : close + this.delimiter.length
      if (cut >= buffer.length && !last) return undefined
      if (buffer[close + 1] === this.quote && close + 1 < buffer.length) {
        doubled = true
        from = close + 2
        continue
      }
      const end = this.afterQuote(buffer, close + 1)
      if (end === undefined) return 'there is text after a closing quote'
      return { bytes: buffer.subarray(open + 1, close), doubled, lines, end }
    }
  }

  /** Where a field ends whose closing quote was just read; `undefined` if something follows. */
  private afterQuote(buffer: Buffer, at: number): number | undefined {
    if (at >= buffer.length || buffer[at] === this.newline) return at
    if (beginsAt(buffer, at, this.delimiter)) return at
    const ends = this.newline === LF && buffer[at] === CR
    return ends && (at + 1 >= buffer.length || buffer[at + 1] === LF) ? at + 1 : undefined
  }
}

/** Whether the bytes at an offset are these. */
function beginsAt(buffer: Buffer, at: number, bytes: Buffer): boolean {
  for (let i = 0; i < bytes.length; i++) if (buffer[at + i] !== bytes[i]) return false
  return true
}

/** Whether one of the lines is empty; the end of the last line is not among the bytes. */
function hasBlankLine(bytes: Buffer): boolean {
  const isEmpty = (text: string) => text === '' || text === '\r'
  const first = bytes.indexOf(LF)
  return (
    bytes.includes('\n\n') ||
    bytes.includes('\n\r\n') ||
    isEmpty(bytes.toString('latin1', 0, first < 0 ? bytes.length : first)) ||
    isEmpty(bytes.toString('latin1', bytes.lastIndexOf(LF) + 1))
  )
}

function count(buffer: Buffer, byte: number, from: number, to: number): number {
  let found = 0
  for (let at = buffer.indexOf(byte, from); at >= 0 && at < to; at = buffer.indexOf(byte, at + 1))
    found++
  return found
}

function undouble(bytes: Buffer, quote: number): Buffer {
  const out = Buffer.alloc(bytes.length)
  let length = 0
  for (let i = 0; i < bytes.length; i++) {
    out[length++] = bytes[i] as number
    if (bytes[i] === quote) i++
  }
  return out.subarray(0, length)
}

function byteProblem(text: Buffer): string | undefined {
  if (text.includes(0)) return 'it holds a NUL byte'
  return isUtf8(text) ? undefined : 'it is not valid UTF-8'
}

/** Bytes as text; those that are no characters as `\xFF`. */
function readableText(bytes: Buffer): string {
  if (!bytes.includes(0) && isUtf8(bytes)) return bytes.toString('utf8')
  let out = ''
  for (let i = 0; i < bytes.length; ) {
    const length = characterLength(bytes, i)
    const byte = bytes[i] as number
    if (length === 0 || byte === 0) {
      out += `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`
      i++
    } else {
      out += bytes.toString('utf8', i, i + length)
      i += length
    }
  }
  return out
}

/** Bytes of the character at an offset; 0 when there is none. */
function characterLength(bytes: Buffer, at: number): number {
  for (let length = 1; length <= 4; length++)
    if (at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length))) return length
  return 0
}
