/** One row as JSON, or what is in its place. */
export interface JsonRecord {
  /** The physical line it begins at, from 1. */
  line: number
  /** Its text, where it can be a row. */
  json?: string
  /** Numbers in it are marked, see `MARK`. */
  marked?: boolean
  /** Why it is none, and what stands there. */
  error?: string
  raw?: string
}

/** Where a document of JSON goes wrong, as a whole. */
export class BrokenDocument extends Error {
  constructor(
    readonly line: number,
    message: string,
  ) {
    super(message)
  }
}

const CUT = 'the document ends in the middle'

/** What is wrong with the text of a value that does not end: it is cut off, or no JSON before. */
function brokenAt(line: number, text: string): BrokenDocument {
  const end = text.trimEnd().length
  let at = end
  try {
    JSON.parse(text)
  } catch (error) {
    const { message } = error as Error
    const place = /at position (\d+)/.exec(message)?.[1]
    if (!/Unterminated|Unexpected end/.test(message)) at = Number(place ?? 0)
  }
  if (at >= end) return new BrokenDocument(line, CUT)
  const start = at === 0 ? 0 : text.lastIndexOf('\n', at - 1) + 1
  const [shown = ''] = text.slice(Math.max(start, at - SHOWN / 2)).split(/\r?\n/, 1)
  const lines = text.slice(0, start).split('\n').length - 1
  return new BrokenDocument(line + lines, `this is not JSON: ${shown.slice(0, SHOWN)}`)
}

/** Characters that are shown of a text that is wrong. */
const SHOWN = 60

const [LF, QUOTE, BACKSLASH, COLON, COMMA] = [10, 34, 92, 58, 44]
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [91, 93, 123, 125]
const DEEPEST = 1000
const LONGEST = 100 * 2 ** 20

interface Container {
  list: boolean
  /** The names that lead to it. */
  path: number
  /** Whether those are the names looked for, as far as there are some. */
  onPath: boolean
}

/**
 * Finds the rows in documents of JSON, across chunks, without keeping more than one of them: the
 * elements of the list that
 * `names` lead to; without names those of a list, or each document. What a row holds is not looked
 * at.
 */
export class JsonSplitter {
  private line = 1
  private rest: Buffer = Buffer.alloc(0)
  private readonly stack: Container[] = []
  /** The last string, which is a name when a colon follows it. */
  private name: string | undefined
  private named = false
  /** Whether a list that the names lead to was there. */
  found = false

  /** @param onRow is told where each row lies in its chunk. */
  constructor(
    private readonly names: readonly string[],
    private readonly onRow?: (start: number, end: number) => void,
  ) {}

  /** The rows that are complete with this chunk; `last` marks the end of the text. */
  push(chunk: Buffer, last: boolean): JsonRecord[] {
    const buffer = this.rest.length > 0 ? Buffer.concat([this.rest, chunk]) : chunk
    const records: JsonRecord[] = []
    let at = 0
    while (at < buffer.length) {
      const byte = buffer[at] as number
      if (byte === LF) this.line++
      if (byte <= 32 || byte === COMMA) {
        at++
        continue
      }
      if (byte === COLON) {
        this.named = true
        at++
        continue
      }
      const next = this.token(buffer, at, byte, last, records)
      if (next === undefined) break
      at = next
    }
    this.rest = Buffer.from(buffer.subarray(at))
    if (this.rest.length > LONGEST)
      throw new BrokenDocument(this.line, 'a row begins that is longer than 100 MiB')
    if (last && this.rest.length > 0) throw brokenAt(this.line, this.rest.toString())
    if (last && this.stack.length > 0) throw new BrokenDocument(this.line, CUT)
    return records
  }

  /** Where the next token begins; `undefined` when this one goes on in the next chunk. */
  private token(
    buffer: Buffer,
    at: number,
    byte: number,
    last: boolean,
    records: JsonRecord[],
  ): number | undefined {
    if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
      const closed = this.stack.pop()
      if (closed?.list !== (byte === CLOSE_LIST))
        throw new BrokenDocument(this.line, `there is a ${String.fromCharCode(byte)} too many`)
      return at + 1
    }
    const opens = byte === OPEN_LIST || byte === OPEN_OBJECT
    const inside = this.stack.at(-1)
    const isName = inside && !inside.list && !this.named
    if (isName && byte !== QUOTE)
      throw new BrokenDocument(this.line, 'there is something where a name should be')
    if (!isName && this.isRow(byte)) {
      const end = valueEnd(buffer, at, last)
      if (end === undefined) return undefined
      records.push(this.row(buffer, at, end))
      this.named = false
      return end
    }
    if (opens) {
      this.open(byte === OPEN_LIST)
      this.named = false
      return at + 1
    }
    const end = valueEnd(buffer, at, last)
    if (end === undefined) return undefined
    if (isName) this.name = nameOf(buffer.toString('utf8', at, end), this.line)
    this.named = false
    return end
  }

  /** Whether the value that begins here is a row. */
  private isRow(byte: number): boolean {
    const inside = this.stack.at(-1)
    if (!inside) return this.names.length === 0 && byte !== OPEN_LIST
    if (!inside.onPath) return false
    const steps = inside.path + (inside.list ? 0 : this.isNext(inside) ? 1 : Number.NaN)
    if (steps !== this.names.length) return false
    this.found = true
    return inside.list || byte === OPEN_OBJECT
  }

  private isNext({ path }: Container): boolean {
    return this.name === this.names[path]
  }

  private open(list: boolean): void {
    if (this.stack.length >= DEEPEST)
      throw new BrokenDocument(this.line, `there are more than ${DEEPEST} levels`)
    const inside = this.stack.at(-1)
    if (!inside) this.stack.push({ list, path: 0, onPath: true })
    else if (inside.list)
      this.stack.push({ list, path: inside.path, onPath: inside.onPath && !list })
    else {
      const onPath = inside.onPath && this.isNext(inside)
      this.stack.push({ list, path: inside.path + 1, onPath })
      if (onPath && list && inside.path + 1 === this.names.length) this.found = true
    }
  }

  private row(buffer: Buffer, start: number, end: number): JsonRecord {
    const { line } = this
    this.onRow?.(start, end)
    const text = buffer.toString('utf8', start, end)
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.line++
    return { line, json: text }
  }
}

/** Where a value ends that begins at an offset; `undefined` when that is not in the buffer. */
function valueEnd(buffer: Buffer, start: number, last: boolean): number | undefined {
  const first = buffer[start]
  if (first === QUOTE) return stringEnd(buffer, start)
  if (first !== OPEN_LIST && first !== OPEN_OBJECT) return scalarEnd(buffer, start, last)
  let depth = 0
  for (let at = start; at < buffer.length; at++) {
    const byte = buffer[at]
    if (byte === QUOTE) {
      const end = stringEnd(buffer, at)
      if (end === undefined) return undefined
      at = end - 1
    } else if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth++
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) {
      depth--
      if (depth === 0) return at + 1
    }
  }
  return undefined
}

function stringEnd(buffer: Buffer, start: number): number | undefined {
  for (let at = buffer.indexOf(QUOTE, start + 1); at >= 0; at = buffer.indexOf(QUOTE, at + 1)) {
    let slashes = 0
    while (buffer[at - 1 - slashes] === BACKSLASH) slashes++
    if (slashes % 2 === 0) return at + 1
  }
  return undefined
}

function scalarEnd(buffer: Buffer, start: number, last: boolean): number | undefined {
  for (let at = start; at < buffer.length; at++) {
    const byte = buffer[at] as number
    const ends = byte <= 32 || byte === COMMA || byte === COLON || byte === QUOTE
    if (ends || byte === OPEN_LIST || byte === OPEN_OBJECT) return Math.max(at, start + 1)
    if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) return Math.max(at, start + 1)
  }
  return last ? buffer.length : undefined
}

function nameOf(text: string, line: number): string {
  try {
    return JSON.parse(text)
  } catch {
    throw new BrokenDocument(line, `${text.slice(0, 40)} is not a name`)
  }
}

/** JSON of an object, also of one with equal names. */
export function objectText(pairs: Iterable<readonly [name: string, value: string | null]>): string {
  const parts = [...pairs].map(
    ([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`,
  )
  return `{${parts.join(',')}}`
}

/** A number of more digits than a double keeps, in a string before it. */
const LONG = /\d[\d.]{15,}|\d[eE]/
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d[\d.]*(?:[eE][+-]?\d+)?/g

/**
 * Begins a string that is a number, while the engine takes the row apart: a character that no text
 * should have (a noncharacter of Unicode). In texts that have it all the same a `z` follows it
 * meanwhile.
 */
export const MARK = '\ufdd1'

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/** A row's text, which may be `marked`. */
export type ExactJson = Pick<JsonRecord, 'marked'> & { json: string }

/**
 * The text with numbers that would lose digits when they are read as doubles as strings, which a
 * mark begins.
 */
export function exactNumbers(json: string): ExactJson {
  const odd = hasMark(json)
  if (!odd && !LONG.test(json)) return { json }
  let marked = odd
  const exact = json.replace(TOKENS, (token, at: number) => {
    if (token.startsWith('"')) return odd ? escaped(token) : token
    if (!/[.eE]/.test(token) || fitsDouble(token)) return token
    // What is no JSON must not become some.
    if (!NUMBER.test(token) || /^\s*:/.test(json.slice(at + token.length))) return token
    marked = true
    return `"${MARK}${token}"`
  })
  return marked ? { json: exact, marked } : { json: exact }
}

/** Exponents up to which a double gives 15 digits back: it has those up to 308. */
const EXPONENT = 290

/** Whether a double gives a number's digits back. */
function fitsDouble(token: string): boolean {
  const [digits = '', exponent = '0'] = token.split(/[eE]/)
  return digits.replace(/\D/g, '').length <= 15 && Math.abs(Number(exponent)) <= EXPONENT
}

const hasMark = (json: string) => json.includes(MARK) || /\\ufdd1/i.test(json)

function escaped(token: string): string {
  if (!hasMark(token)) return token
  try {
    return JSON.stringify(JSON.parse(token).replaceAll(MARK, `${MARK}z`))
  } catch {
    // What is no JSON is discarded later, with its reason.
    return token
  }
}

/** SQL for a value, or a piece of JSON, as it was before numbers were marked. */
export function unmarked(text: string): string {
  const inside = `regexp_replace(${text}, '"${MARK}(-?[0-9][^"]*)"', '\\1', 'g')`
  const alone = `regexp_replace(${inside}, '${MARK}([-0-9])', '\\1', 'g')`
  const plain = `replace(${alone}, '${MARK}z', '${MARK}')`
  return `CASE WHEN contains(${text}, '${MARK}') THEN ${plain} ELSE ${text} END`
}

const [ZERO, NINE, DOT, MINUS] = [48, 57, 46, 45]
const EXPONENTS = [69, 101]
const SIGNS = [MINUS, 43]
/** A run this long of digits and points has one of them at every so many bytes. */
const STRIDE = 16

/**
 * Whether a text may hold numbers with a point or an exponent that a double can't keep, outside of
 * strings that are nothing but a number.
 */
export function hasLongNumbers(bytes: Buffer): boolean {
  return hasManyDigits(bytes) || hasLargeExponent(bytes)
}

/** Digits of an exponent that may be too large: one of them is at every so many bytes. */
const LARGE = 3
/** What stands before a number: a colon, a bracket, a comma, white space. */
const BEFORE = new Set([58, 91, 44, 32, 9, 10, 13])

function hasLargeExponent(bytes: Buffer): boolean {
  const isDigit = (at: number) => {
    const byte = bytes[at] as number
    return byte >= ZERO && byte <= NINE
  }
  for (let at = LARGE - 1; at < bytes.length; at += LARGE) {
    if (!isDigit(at)) continue
    let from = at
    while (from > 0 && isDigit(from - 1)) from--
    while (at + 1 < bytes.length && isDigit(at + 1)) at++
    if (at + 1 - from < LARGE) continue
    const signed = SIGNS.includes(bytes[from - 1] as number)
    let start = from - (signed ? 2 : 1)
    if (!EXPONENTS.includes(bytes[start] as number)) continue
    if (!(Number(bytes.toString('latin1', from, at + 1)) > EXPONENT)) continue
    // Letters and digits are that of names and hashes, too.
    while (start > 0 && (isDigit(start - 1) || bytes[start - 1] === DOT)) start--
    if (bytes[start - 1] === MINUS) start--
    if (start <= 0 || BEFORE.has(bytes[start - 1] as number)) return true
  }
  return false
}

function hasManyDigits(bytes: Buffer): boolean {
  const isPart = (at: number) => {
    const byte = bytes[at] as number
    return (byte >= ZERO && byte <= NINE) || byte === DOT
  }
  for (let at = STRIDE - 1; at < bytes.length; at += STRIDE) {
    if (!isPart(at)) continue
    let from = at
    while (from > 0 && isPart(from - 1)) from--
    let to = at + 1
    while (to < bytes.length && isPart(to)) to++
    if (to - from <= STRIDE) continue
    const signed = SIGNS.includes(bytes[from - 1] as number)
    const before = signed ? bytes[from - 2] : bytes[from - 1]
    if (EXPONENTS.includes(before as number)) return true
    const isReal = bytes.subarray(from, to).includes(DOT) || EXPONENTS.includes(bytes[to] as number)
    if (before !== QUOTE && isReal) return true
  }
  return false
}
