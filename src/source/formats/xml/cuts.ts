import { type FileHandle, open } from 'node:fs/promises'
import type { Layout } from '../../../define/source.js'
import { XmlChunks } from './chunks.js'
import { XmlReader } from './reader.js'

export type XmlLayout = Pick<Extract<Layout, { kind: 'xml' }>, 'rows' | 'lists'>

/** A text in UTF-8 that may be cut. */
export interface XmlText {
  path: string
  size: number
  /** Where it begins, behind a byte order mark. */
  start: number
}

/** Bytes that pieces have, about and at most. */
export interface Sizes {
  piece: number
  longest: number
}

/** Where a document may be cut. */
export interface Cuts {
  /** What is before its first row. */
  head: Uint8Array
  /** The elements that the first row is in, from the outermost. */
  within: readonly string[]
  /** Where the text begins, where rows seem to begin, and its end. */
  at: readonly number[]
}

/** Bytes from the start in which the first row is looked for, and how many times. */
const HEAD = 2 ** 16
const TRIES = 16
/** Bytes in which a declaration says its version. */
const DECLARATION = 256
/** Bytes that are looked at together for a row's name. */
const WINDOW = 2 ** 16
const LONGEST_NAME = 1000
const LT = 60

/**
 * Where a document seems to have rows about every so many bytes: what is written like the start of
 * one, and may lie within a comment, CDATA or another row all the same. `undefined` where it is not
 * to be cut.
 */
export async function cutsOf(
  text: XmlText,
  layout: XmlLayout,
  sizes: Sizes,
): Promise<Cuts | undefined> {
  const file = await open(text.path)
  try {
    const head = await read(file, text.start, HEAD)
    // Characters of other versions end lines that are none here.
    const begin = new TextDecoder().decode(head.subarray(0, DECLARATION))
    if (/^<\?xml\s/.test(begin) && !/^<\?xml\s+version\s*=\s*["']1\.0["']/.test(begin))
      return undefined
    const first = firstRow(head, layout)
    if (!first || first.name.length > LONGEST_NAME) return undefined
    const at = await cutsIn(file, text, first.name, sizes)
    return at && { head: Uint8Array.from(head.subarray(0, first.at)), within: first.within, at }
  } finally {
    await file.close()
  }
}

interface FirstRow {
  at: number
  /** `<` and its name. */
  name: Buffer
  within: readonly string[]
}

function firstRow(head: Buffer, { rows, lists }: XmlLayout): FirstRow | undefined {
  let tries = 0
  for (let at = head.indexOf(LT); at >= 0; at = head.indexOf(LT, at + 1)) {
    const name = nameAt(head, at)
    if (!name || (rows !== undefined && `${name}` !== `<${rows}`)) continue
    if (++tries > TRIES) return undefined
    try {
      const reader = new XmlReader(rows, lists)
      new XmlChunks(reader).push(head.subarray(0, at), false)
      const { within = [] } = reader.cut()
      if (rows === undefined ? within.length === 1 : within.length > 0) return { at, name, within }
    } catch {
      // It is in a tag or an instruction, or not well-formed.
    }
  }
  return undefined
}

/** `<` and the name of an element that may begin at an offset. */
function nameAt(bytes: Buffer, at: number): Buffer | undefined {
  let end = at + 1
  while (end < bytes.length && !isNameEnd(bytes[end])) end++
  const first = bytes[at + 1] as number
  // `!`, `?` and `/` are no names.
  return end < bytes.length && end > at + 1 && first !== 33 && first !== 63
    ? bytes.subarray(at, end)
    : undefined
}

/** White space, `/` or `>`. */
function isNameEnd(byte: number | undefined): boolean {
  return byte !== undefined && [9, 10, 13, 32, 47, 62].includes(byte)
}

async function cutsIn(
  file: FileHandle,
  { start, size }: XmlText,
  name: Buffer,
  { piece, longest }: Sizes,
): Promise<number[] | undefined> {
  const at = [start]
  for (;;) {
    const last = at.at(-1) as number
    // A short rest is of the piece before.
    const found = last + piece * 1.5 < size ? await rowAfter(file, name, last + piece) : undefined
    const next = found ?? size
    if (next - last > longest) return undefined
    at.push(next)
    if (next === size) return at.length > 2 ? at : undefined
  }
}

/** Where an element of a name seems to begin, from an offset on. */
async function rowAfter(file: FileHandle, name: Buffer, from: number): Promise<number | undefined> {
  for (let start = from; ; ) {
    const window = await read(file, start, WINDOW)
    for (let at = window.indexOf(name); at >= 0; at = window.indexOf(name, at + 1))
      if (isNameEnd(window[at + name.length])) return start + at
    if (window.length < WINDOW) return undefined
    start += window.length - name.length
  }
}

async function read(file: FileHandle, from: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from)
  return buffer.subarray(0, bytesRead)
}
