import type { RecordLayout } from './record-layout.js'

const LF = 10
const CR = 13

/**
 * Letters that PostgreSQL's COPY and MySQL's INTO OUTFILE write for characters, where no field is
 * quoted.
 */
const letters: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  f: '\f',
  v: '\v',
}

/**
 * A character that takes the meaning from the one after it, be that a delimiter, a quote, itself or
 * the end of a line. Before anything else it is a character as any other, unless the text knows no
 * quotes: there letters stand for characters, as databases write them.
 */
export class Escapes {
  private constructor(
    readonly byte: number,
    private readonly quote: number,
    private readonly delimiter: Buffer,
    private readonly nulls: ReadonlySet<string>,
  ) {}

  static of(
    { escape: mark, quote, nulls = [] }: RecordLayout,
    delimiter: Buffer,
  ): Escapes | undefined {
    // A quote that is written twice needs no word.
    if (mark === undefined || mark === quote) return undefined
    const byte = quote === null ? -1 : quote.charCodeAt(0)
    return new Escapes(mark.charCodeAt(0), byte, delimiter, new Set(nulls))
  }

  /** Where the next one is. */
  next(buffer: Buffer, at: number): number {
    const found = buffer.indexOf(this.byte, at)
    return found < 0 ? Number.POSITIVE_INFINITY : found
  }

  /** The offset behind an escape and what it stands before. */
  after(buffer: Buffer, at: number): number {
    return buffer[at + 1] === CR && buffer[at + 2] === LF ? at + 3 : at + 2
  }

  /** Where the next quote is that is not escaped; -1 where there is none. */
  close(buffer: Buffer, from: number): number {
    for (let at = from; at < buffer.length; )
      if (buffer[at] === this.quote) return at
      else at = buffer[at] === this.byte ? this.after(buffer, at) : at + 1
    return -1
  }

  /** The text of a field without quotes, and whether it is another than it seems. */
  field(bytes: Buffer): { text: string; escaped: boolean } {
    const raw = bytes.toString('utf8')
    if (!bytes.includes(this.byte) || this.nulls.has(raw)) return { text: raw, escaped: false }
    const text = this.undone(bytes, false)
    return { text, escaped: text !== raw }
  }

  /** The text that escapes, and quotes that are written twice, stand for. */
  undone(bytes: Buffer, quoted: boolean): string {
    const parts: Buffer[] = []
    let from = 0
    for (let at = 0; at < bytes.length; at++) {
      const next = bytes[at + 1]
      const isQuote = quoted && bytes[at] === this.quote && next === this.quote
      if (isQuote) {
        parts.push(bytes.subarray(from, at))
        from = ++at
      } else if (bytes[at] === this.byte && next !== undefined) {
        const letter = this.quote < 0 ? letters[String.fromCharCode(next)] : undefined
        if (letter === undefined && !this.isSpecial(next)) continue
        parts.push(bytes.subarray(from, at), Buffer.from(letter ?? ''))
        at++
        from = letter === undefined ? at : at + 1
      }
    }
    return Buffer.concat([...parts, bytes.subarray(from)]).toString('utf8')
  }

  private isSpecial(byte: number): boolean {
    if (this.quote < 0) return true
    return [this.byte, this.quote, this.delimiter[0], LF, CR].includes(byte)
  }
}
