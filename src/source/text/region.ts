import { open } from 'node:fs/promises'
import type { FilesSource } from '../../define/source.js'
import type { TextFacts } from './records.js'

/** The part of a text that holds its header and records. */
export interface Region {
  /** Offsets of its first byte, and of the one behind its last. */
  start: number
  end: number
  /** The physical line it begins at. */
  firstLine: number
}

/** Reads bytes of a text; fewer at its end. */
type Read = (from: number, length: number) => Promise<Buffer>

const LF = 10
const CR = 13
const PIECE = 1 << 16

type Bounds = Pick<FilesSource, 'skip' | 'footer'>
type Facts = Pick<TextFacts, 'carriageReturns'> & { bom: boolean }

/** Where the header and the records of a text lie, without lines before and behind them. */
async function regionOf(
  { skip = 0, footer = 0 }: Bounds,
  { carriageReturns, bom }: Facts,
  size: number,
  read: Read,
): Promise<Region> {
  const newline = carriageReturns ? CR : LF
  let start = bom ? 3 : 0
  let left = skip
  while (left > 0 && start < size) {
    const piece = await read(start, PIECE)
    let at = -1
    do at = piece.indexOf(newline, at + 1)
    while (at >= 0 && --left > 0)
    start += at < 0 ? piece.length : at + 1
  }
  const end = footer > 0 ? await footerStart(footer, newline, size, read) : size
  return { start, end: Math.max(start, end), firstLine: skip + 1 }
}

/** The same of a file. */
export async function regionOfFile(path: string, bounds: Bounds, facts: Facts): Promise<Region> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    return await regionOf(bounds, facts, size, async (from, length) => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from)
      return buffer.subarray(0, bytesRead)
    })
  } finally {
    await file.close()
  }
}

/** The same of a text that is here. */
export function regionOfText(text: Buffer, bounds: Bounds, facts: Facts): Promise<Region> {
  const read = async (from: number, length: number) => text.subarray(from, from + length)
  return regionOf(bounds, facts, text.length, read)
}

/**
 * The start of the last lines of a text, not counting blank ones at its end; 0 where there are no
 * more lines.
 */
async function footerStart(
  lines: number,
  newline: number,
  size: number,
  read: Read,
): Promise<number> {
  let left = lines
  let blank = true
  for (let end = size; end > 0; ) {
    const from = Math.max(0, end - PIECE)
    const piece = await read(from, end - from)
    for (let at = piece.length - 1; at >= 0; at--) {
      const byte = piece[at]
      if (blank) blank = byte === LF || byte === CR
      else if (byte === newline && --left === 0) return from + at + 1
    }
    end = from
  }
  return 0
}
