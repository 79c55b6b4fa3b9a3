import { isUtf8 } from 'node:buffer'
import { hasLongNumbers } from '../formats/json-records.js'

/** What is looked for in a text. */
export interface LookOptions {
  quote: string | null
  /** The character that takes the meaning from the one after it. */
  escape?: string | undefined
  /** Whether numbers that a double can't keep are looked for. */
  numbers?: boolean
}

/** What looking at bytes of whole lines tells. */
export interface TextFacts {
  bytes: number
  /** Line feeds, and carriage returns: all of them, and those before a line feed. */
  feeds: number
  returns: number
  crlf: number
  /** Bytes of the longest line, and of one at the end that has no line feed. */
  longest: number
  unfinished: number
  bom: boolean
  utf8: boolean
  nul: boolean
  /** The quote character, or the one that escapes. */
  quotes: boolean
  /** 0x1A or 0x1F, which have a meaning in the canonical form. */
  controls: boolean
  /** A number may have more digits than a double keeps. */
  numbers: boolean
  /** A line is empty. */
  blank: boolean
  /** A space is beside a quote. */
  spaceAtQuote: boolean
}

const LF = 10
const CR = 13
const SPACE = 32
/** Bytes in which a number that is looked for is certainly seen. */
const NUMBER = 64

/** Looks at a text, or at lines of one, whose bytes come in chunks. */
export class Look {
  private bytes = 0
  private feeds = 0
  private crlf = 0
  private returns = 0
  private lineStart = 0
  private longest = 0
  private blank = false
  private spaceBeside = false
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

  /** The byte that takes the meaning from the one after it. */
  private readonly mark: number | undefined
  private readonly looksForNumbers: boolean

  constructor({ quote, escape: mark, numbers = false }: LookOptions) {
    this.quote = quote === null ? null : quote.charCodeAt(0)
    this.mark = mark?.charCodeAt(0)
    this.looksForNumbers = numbers
  }

  at(chunk: Buffer, isStart = false): void {
    if (isStart) this.begin(chunk)
    this.nul ||= chunk.includes(0)
    this.quotes ||= this.quote !== null && chunk.includes(this.quote)
    this.quotes ||= this.mark !== undefined && chunk.includes(this.mark)
    this.controls ||= chunk.includes(0x1a) || chunk.includes(0x1f)
    this.numbers ||= this.looksForNumbers && this.longNumbers(chunk)
    this.spaceBeside ||= this.quotes && this.spaceAtQuote(chunk)
    this.countLines(chunk)
    this.checkUtf8(chunk)
    this.bytes += chunk.length
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

  facts(): TextFacts {
    const { bytes, feeds, returns, crlf, bom, nul, quotes, controls, numbers, blank } = this
    const unfinished = bytes - this.lineStart
    const longest = Math.max(this.longest, unfinished)
    const utf8 = this.utf8 && this.carry.length === 0
    const found = { bytes, feeds, returns, crlf, bom, nul, quotes, controls, numbers, blank }
    return { ...found, longest, unfinished, utf8, spaceAtQuote: this.spaceBeside }
  }
}

/** What parts of a text tell of all of it; each but the last ends with its line. */
export function factsOfAll(parts: readonly TextFacts[]): TextFacts {
  const sum = (of: (part: TextFacts) => number) => parts.reduce((n, part) => n + of(part), 0)
  const any = (of: (part: TextFacts) => boolean) => parts.some(of)
  return {
    bytes: sum((part) => part.bytes),
    feeds: sum((part) => part.feeds),
    returns: sum((part) => part.returns),
    crlf: sum((part) => part.crlf),
    longest: Math.max(0, ...parts.map((part) => part.longest)),
    unfinished: sum((part) => part.unfinished),
    bom: any((part) => part.bom),
    utf8: parts.every((part) => part.utf8),
    nul: any((part) => part.nul),
    quotes: any((part) => part.quotes),
    controls: any((part) => part.controls),
    numbers: any((part) => part.numbers),
    blank: any((part) => part.blank),
    spaceAtQuote: any((part) => part.spaceAtQuote),
  }
}
