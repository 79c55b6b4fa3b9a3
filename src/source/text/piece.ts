import { closeSync, openSync, readSync } from 'node:fs'

/** Bytes that are read at a time, and the least. */
const PIECE = { most: 1 << 20, least: 1 << 12 }

/**
 * Bytes to read at a time of a file: a buffer is made as a whole, also where little is read into
 * it.
 */
export const pieceOf = (bytes: number): number =>
  Math.min(PIECE.most, Math.max(PIECE.least, bytes + 1))

/** A part of a file; `isOver` tells that nobody waits for it any more. */
export interface Span {
  path: string
  from: number
  to: number
  isOver: () => boolean
}

/** The bytes of a part of a file, in a memory that the next ones take. */
export function* chunksOf({ path, from, to, isOver }: Span): Generator<Buffer> {
  if (from >= to) return
  const file = openSync(path, 'r')
  try {
    const memory = Buffer.allocUnsafe(pieceOf(to - from))
    for (let at = from; at < to; ) {
      if (isOver()) throw new Error('reading was given up')
      const read = readSync(file, memory, 0, Math.min(memory.length, to - at), at)
      if (read === 0) return
      yield memory.subarray(0, read)
      at += read
    }
  } finally {
    closeSync(file)
  }
}
