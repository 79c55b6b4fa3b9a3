import { isUtf8 } from 'node:buffer'
import { MoraineError } from '../errors.js'
import type { HeldBytes } from '../query/service/held-bytes.js'
import { withinTime } from '../source/decoder/watchdog.js'
import { BrokenDocument, JsonSplitter } from '../source/formats/json-records.js'
import { isDeeper } from './json-depth.js'

/** A body that can't be taken, and the status that says so. */
export class BadBody extends Error {
  constructor(
    readonly status: 400 | 408 | 413 | 415 | 503,
    message: string,
  ) {
    super(message)
  }
}

/** How slowly a body may come: milliseconds until it goes on, and bytes a second beyond that. */
export interface Pace {
  idle: number
  rate: number
}

const usual: Pace = { idle: 30_000, rate: 8192 }

export interface BodyLimits {
  /** Bytes that it may have. */
  most: number
  held: Pick<HeldBytes, 'take'>
  pace?: Pace
}

/**
 * Reads a request's body, but never more of it than is allowed, and for no longer than it takes
 * senders that mean it.
 *
 * @param held counts each byte from when it is there; whoever calls gives `counted.bytes` back.
 * @throws BadBody when it is too large or too slow, or when there is no room for it now.
 */
export async function readBody(
  body: ReadableStream<Uint8Array> | null,
  { most, held, pace: { idle, rate } = usual }: BodyLimits,
  counted: { bytes: number },
): Promise<Buffer> {
  if (!body) return Buffer.alloc(0)
  const reader = body.getReader()
  const chunks: Uint8Array[] = []
  const begun = Date.now()
  try {
    for (;;) {
      const left = begun + idle + (counted.bytes / rate) * 1000 - Date.now()
      const { done, value } = await within(Math.min(idle, left), reader.read())
      if (done) return Buffer.concat(chunks, counted.bytes)
      if (counted.bytes + value.length > most)
        throw new BadBody(413, `the request body exceeds the limit of ${most} bytes`)
      if (!held.take(value.length)) throw new BadBody(503, BUSY)
      counted.bytes += value.length
      chunks.push(value)
    }
  } catch (error) {
    // What else is sent is not read.
    reader.cancel().catch(() => {})
    throw error
  }
}

/** What whoever sends is told when too much is being received. */
export const BUSY = 'too many requests are pending: try again in a moment'

async function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const slow = () => reject(new BadBody(408, 'the request was sent too slowly'))
    timer = setTimeout(slow, Math.max(0, milliseconds))
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * The rows of a body, JSON objects as they came, each without line ends: JSON lines, or a list.
 *
 * @throws BadBody when one of them is none, or there are none at all; none is taken then.
 */
export function rowsIn(body: Buffer): string[] {
  if (body.length < LARGE) return decodeRows(body)
  try {
    return withinTime('the body', () => decodeRows(body))
  } catch (error) {
    if (error instanceof MoraineError) throw new BadBody(400, error.message)
    throw error
  }
}

/** Bytes from which on it is worth to watch over how long they take. */
const LARGE = 2 ** 16

/** What a body that is packed by gzip begins with, and one of zstd. */
const PACKED = [Buffer.from([0x1f, 0x8b]), Buffer.from([0x28, 0xb5, 0x2f, 0xfd])]
/** A byte order mark, as some programs write it before JSON. */
const BOM = Buffer.from([0xef, 0xbb, 0xbf])

const startsWith = (body: Buffer, start: Buffer) => body.subarray(0, start.length).equals(start)

/**
 * @param encoding what the request says of its body in `Content-Encoding`.
 * @throws BadBody when it says that the body is packed.
 */
export function refuseEncoded(encoding: string | undefined): void {
  const name = (encoding ?? '').trim()
  if (name === '' || name.toLowerCase() === 'identity') return
  throw new BadBody(
    415,
    `Content-Encoding ${name} is not supported: send the body without compression`,
  )
}

function decodeRows(sent: Buffer): string[] {
  if (PACKED.some((magic) => startsWith(sent, magic)))
    throw new BadBody(415, 'the body is compressed: send it without compression')
  const body = startsWith(sent, BOM) ? sent.subarray(BOM.length) : sent
  if (!isUtf8(body)) throw new BadBody(400, `line ${lineOfBadText(body)} is not valid UTF-8`)
  let texts: string[]
  try {
    texts = new JsonSplitter([]).push(body, true).map(({ json = '' }) => json)
  } catch (error) {
    if (!(error instanceof BrokenDocument)) throw error
    throw new BadBody(400, `line ${error.line}: ${error.message}`)
  }
  if (texts.length === 0) throw new BadBody(400, 'there are no rows in the body')
  return texts.map((text, i) => {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      throw new BadBody(400, `row ${i + 1} is not JSON: ${text.slice(0, 60)}`)
    }
    if (value === null || typeof value !== 'object' || Array.isArray(value))
      throw new BadBody(400, `row ${i + 1} is not a JSON object: ${text.slice(0, 60)}`)
    refuseNames(value, i + 1)
    // Most rows have fewer brackets than that in all.
    if (text.length >= 2 * DEEPEST && isDeeper(Buffer.from(text), DEEPEST))
      throw new BadBody(400, `row ${i + 1} has more than ${DEEPEST} levels`)
    // Within strings JSON has no line ends.
    return text.includes('\n') || text.includes('\r') ? text.replace(/[\r\n]/g, ' ') : text
  })
}

/** Names of one row; all rows of a batch together may have more. */
const MOST_NAMES = 2000

/**
 * Names that can be no column are refused before anything is durable: nobody could take such a row
 * in.
 */
function refuseNames(row: object, number: number): void {
  const names = Object.keys(row)
  if (names.length > MOST_NAMES)
    throw new BadBody(
      400,
      `row ${number} has ${names.length} field names, more than the limit of ${MOST_NAMES}`,
    )
  const bad = names.find((name) => name.includes('\0') || !name.isWellFormed())
  if (bad !== undefined)
    throw new BadBody(
      400,
      `row ${number} has a field name that is not valid text: ${JSON.stringify(bad)}`,
    )
}

/** Levels of lists and objects in a row. */
const DEEPEST = 500

function lineOfBadText(body: Buffer): number {
  let line = 1
  for (let at = 0; at < body.length; line++) {
    const end = body.indexOf(10, at)
    const next = end < 0 ? body.length : end + 1
    if (!isUtf8(body.subarray(at, next))) break
    at = next
  }
  return line
}
