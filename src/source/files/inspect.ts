import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { MoraineError } from '../../errors.js'
import { hasLongNumbers } from '../formats/json-records.js'
import type { Digest } from '../text/bytes-digest.js'
import { type Digesting, digestOf } from '../text/digest.js'
import { pieceOf } from '../text/piece.js'
import type { TextLayout } from '../text/value-texts.js'

/** What one look over all bytes of a text file tells. */
export interface Inspection {
  sha256: string
  bytes: number
  /** Line feeds in the file, plus one for a last line without. */
  lines: number
  /** Lines end in a carriage return alone. */
  carriageReturns: boolean
  bom: boolean
  utf8: boolean
  nul: boolean
  /** It holds the quote character, or the one that escapes. */
  quotes: boolean
  /** It holds 0x1A or 0x1F, which have a meaning in the canonical form. */
  controls: boolean
  /** Bytes of the longest line. */
  longest: number
  /** It may hold numbers of more digits than a double keeps. */
  numbers: boolean
  /**
   * The engine's own reader may try the file: no NUL, no stray carriage return, no blank line, no
   * space beside a quote (which the engine would drop). If it then finds as many records as there
   * are lines, each line is one record.
   */
  plain: boolean
  /**
   * Columns, with their types, all of whose fields are just what values are written as; where it
   * was asked for, and the text has no quotes.
   */
  values: ReadonlyMap<string, string> | undefined
}

export interface InspectOptions {
  quote: string | null
  /** The character that takes the meaning from the one after it. */
  escape?: string | undefined
  signal?: AbortSignal | undefined
  /** Whether numbers that a double can't keep are looked for. */
  numbers?: boolean
  /** Looks for columns that can be read as values. */
  layout?: TextLayout | undefined
}

const LF = 10
const CR = 13
const SPACE = 32
/** Bytes in which a number that is looked for is certainly seen. */
const NUMBER = 64

/**
 * Looks over a text file.
 *
 * @throws MoraineError of kind `source` when it can't be read.
 */
export async function inspect(
  path: string,
  name: string,
  { quote, escape: mark, signal, numbers = false, layout }: InspectOptions,
): Promise<Inspection> {
  const look = new Look(quote, numbers, mark?.charCodeAt(0))
  let digest: Digesting | undefined
  try {
    const { size } = await stat(path)
    digest = digestOf(size, layout)
    for await (const chunk of createReadStream(path, { highWaterMark: pieceOf(size), signal })) {
      look.at(chunk)
      await digest.take(chunk)
    }
    return look.result(await digest.digest())
  } catch (cause) {
    if (cause instanceof MoraineError) throw cause
    throw new MoraineError('source', `Can't read ${name}: ${(cause as Error).message}`, { cause })
  } finally {
    digest?.close()
  }
}

class Look {
  private bytes = 0
  private feeds = 0
  private crlf = 0
  private returns = 0
  private lineStart = 0
  private longest = 0
  private blank = false
  private special = false
  private nul = false
  private quotes = false
  private controls = false
  private numbers = false
  /** The last bytes of the chunk before. */
  private tail: Buffer = Buffer.alloc(0)
  private utf8 = true
  private bom = false
  private last = LF
  private carry: Buffer = Buffer.alloc(0)

  /** The quote character's byte; it is one of ASCII. */
  private readonly quote: number | null

  constructor(
    quote: string | null,
    private readonly looksForNumbers: boolean,
    private readonly mark: number | undefined,
  ) {
    this.quote = quote === null ? null : quote.charCodeAt(0)
  }

  at(chunk: Buffer): void {
    if (this.bytes === 0) this.begin(chunk)
    this.nul ||= chunk.includes(0)
    this.quotes ||= this.quote !== null && chunk.includes(this.quote)
    this.quotes ||= this.mark !== undefined && chunk.includes(this.mark)
    this.controls ||= chunk.includes(0x1a) || chunk.includes(0x1f)
    this.numbers ||= this.looksForNumbers && this.longNumbers(chunk)
    this.special ||= this.nul || this.controls || (this.quotes && this.spaceAtQuote(chunk))
    this.countLines(chunk)
    this.checkUtf8(chunk)
    this.bytes += chunk.length
  }

  /** Whether all that separates fields are delimiters and ends of lines. */
  private get isSimple(): boolean {
    return !this.nul && !this.quotes && !this.controls
  }

  /** Looks at each quote: there are fewer of them than of spaces. */
  private spaceAtQuote(chunk: Buffer): boolean {
    const { quote } = this
    if (quote === null) return false
    if (this.last === quote && chunk[0] === SPACE) return true
    for (let at = chunk.indexOf(quote); at >= 0; at = chunk.indexOf(quote, at + 1)) {
      const before = at > 0 ? chunk[at - 1] : this.last
      if (before === SPACE || chunk[at + 1] === SPACE) return true
    }
    return false
  }

  /** Also one that is cut by the end of a chunk. */
  private longNumbers(chunk: Buffer): boolean {
    const across = Buffer.concat([this.tail, chunk.subarray(0, NUMBER)])
    this.tail = Buffer.from(chunk.subarray(-NUMBER))
    return hasLongNumbers(across) || hasLongNumbers(chunk)
  }

  private begin(chunk: Buffer): void {
    const [a, b, c] = chunk
    this.bom = a === 0xef && b === 0xbb && c === 0xbf
    this.lineStart = this.bom ? 3 : 0
  }

  private countLines(chunk: Buffer): void {
    const hasReturns = chunk.includes(CR)
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) {
      const before = at > 0 ? chunk[at - 1] : this.last
      const position = this.bytes + at
      const length = position - this.lineStart - (before === CR ? 1 : 0)
      if (before === CR) this.crlf++
      if (length === 0) this.blank = true
      if (length > this.longest) this.longest = length
      this.lineStart = position + 1
      this.feeds++
    }
    if (hasReturns) for (const byte of chunk) if (byte === CR) this.returns++
    this.last = chunk[chunk.length - 1] ?? this.last
  }

  /** A character may be cut by the end of a chunk; its bytes are looked at with the next one. */
  private checkUtf8(chunk: Buffer): void {
    if (!this.utf8) return
    const all = this.carry.length > 0 ? Buffer.concat([this.carry, chunk]) : chunk
    let end = all.length
    for (let back = 1; back <= Math.min(3, all.length); back++) {
      const byte = all[all.length - back] as number
      if (byte < 0x80) break
      if (byte >= 0xc0) {
        const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
        if (length > back) end = all.length - back
        break
      }
    }
    this.utf8 = isUtf8(all.subarray(0, end))
    this.carry = Buffer.from(all.subarray(end))
  }

  result({ sha256, values }: Digest): Inspection {
    const tail = this.bytes - this.lineStart
    const unfinished = tail > 0 ? 1 : 0
    const utf8 = this.utf8 && this.carry.length === 0
    const carriageReturns = this.feeds === 0 && this.returns > 0
    const uniform = this.returns === 0 || (this.returns === this.crlf && this.crlf === this.feeds)
    return {
      sha256,
      bytes: this.bytes,
      lines: this.feeds + unfinished,
      carriageReturns,
      bom: this.bom,
      utf8,
      nul: this.nul,
      quotes: this.quotes,
      controls: this.controls,
      numbers: this.numbers,
      longest: Math.max(this.longest, tail),
      plain: utf8 && uniform && !this.special && !this.blank,
      values: this.isSimple ? values : undefined,
    }
  }
}
