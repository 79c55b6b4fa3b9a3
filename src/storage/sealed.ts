import { createHash } from 'node:crypto'
import { sha256 } from './checksum.js'
import { unflip } from './unflip.js'

const NEWLINE = '\n'.charCodeAt(0)
const ending = (sum: string) => `,"sha256":"${sum}"}`
const ENDING = ending(sha256('')).length

/** What an object with a checksum of its own says: a line of JSON, and the bytes behind it. */
export interface Sealed<T> {
  head: T
  rest: Uint8Array
  /** Whether it has a checksum; what earlier versions wrote has none. */
  checked: boolean
}

/**
 * An object that tells whether it is what was written, for what nothing else leads to: one line of
 * JSON whose last field is the SHA-256 of all other bytes. Its format is never 1: that is what has
 * no checksum.
 *
 * @param rest what follows that line.
 */
export function encodeSealed<T extends { format: number }>(head: T, rest = ''): Uint8Array {
  const text = JSON.stringify(head).slice(0, -1)
  const body = new TextEncoder().encode(`${text}\n${rest}`)
  const cut = new TextEncoder().encode(text).length
  return joined(body.subarray(0, cut), sha256(body), body.subarray(cut))
}

/** What such an object says; `undefined` where it is not what was written. */
export function parseSealed<T extends { format: number }>(
  bytes: Uint8Array,
): Sealed<T> | undefined {
  return parseLine<T>(bytes) ?? parseWhole<T>(bytes)
}

/** What earlier versions wrote over several lines: records of runs. */
function parseWhole<T extends { format: number }>(bytes: Uint8Array): Sealed<T> | undefined {
  try {
    const head = JSON.parse(decode(bytes)) as T & { sha256?: string }
    const isOld = head?.format === 1 && head.sha256 === undefined
    return isOld ? { head, rest: new Uint8Array(), checked: false } : undefined
  } catch {
    return undefined
  }
}

function parseLine<T extends { format: number }>(bytes: Uint8Array): Sealed<T> | undefined {
  const { text, end, tail } = split(bytes)
  try {
    const head = JSON.parse(decode(Buffer.concat([text, end]))) as T & { sha256?: string }
    const rest = tail.subarray(1)
    if (typeof head !== 'object' || head === null) return undefined
    if (head.format === 1 && head.sha256 === undefined) return { head, rest, checked: false }
    const { sha256: _, ...said } = head
    if (decode(end) !== ending(sumOf(text, tail))) return undefined
    return { head: said as unknown as T, rest, checked: true }
  } catch {
    return undefined
  }
}

/**
 * Such an object as it was before one of its bits flipped, proved by its checksum; `undefined` when
 * that is not what happened to it.
 */
export function unflipSealed(bytes: Uint8Array): Uint8Array | undefined {
  const { text, end, tail } = split(bytes)
  const sum = /^,"sha256":"([0-9a-f]{64})"}$/.exec(decode(end))?.[1]
  const whole = sum && unflip(Buffer.concat([text, tail]), sum)
  if (whole) return joined(whole.subarray(0, text.length), sum, whole.subarray(text.length))
  // It was a bit of the checksum itself, or of the end of the line.
  const right = joined(text, sumOf(text, tail), tail)
  if (bitsBetween(right, bytes) === 1) return right
  for (const [at, byte] of lineEnds(bytes)) {
    const tried = Uint8Array.from(bytes)
    tried[at] = byte
    if (parseSealed(tried)?.checked) return tried
  }
  return undefined
}

/**
 * What bytes may have been if a bit of them made a line end of what was none, or none of what was.
 */
function* lineEnds(bytes: Uint8Array): Generator<[at: number, byte: number]> {
  const first = bytes.indexOf(NEWLINE)
  if (first >= 0) for (let bit = 1; bit < 256; bit <<= 1) yield [first, NEWLINE ^ bit]
  const brace = '}'.charCodeAt(0)
  for (let at = bytes.indexOf(brace) + 1; at > 0; at = bytes.indexOf(brace, at) + 1)
    if (bits((bytes[at] ?? NEWLINE) ^ NEWLINE) === 1) yield [at, NEWLINE]
}

/** The first line without its last field, that field, and the rest with the line end before it. */
function split(bytes: Uint8Array): { text: Uint8Array; end: Uint8Array; tail: Uint8Array } {
  const found = bytes.indexOf(NEWLINE)
  const line = found < 0 ? bytes.length : found
  const cut = Math.max(0, line - ENDING)
  return {
    text: bytes.subarray(0, cut),
    end: bytes.subarray(cut, line),
    tail: bytes.subarray(line),
  }
}

const sumOf = (text: Uint8Array, tail: Uint8Array) =>
  createHash('sha256').update(text).update(tail).digest('hex')

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

function joined(text: Uint8Array, sum: string, tail: Uint8Array): Uint8Array {
  return Buffer.concat([text, new TextEncoder().encode(ending(sum)), tail])
}

function bitsBetween(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY
  return a.reduce((sum, byte, i) => sum + bits(byte ^ (b[i] as number)), 0)
}

function bits(byte: number): number {
  let count = 0
  for (let left = byte; left > 0; left >>= 1) count += left & 1
  return count
}
