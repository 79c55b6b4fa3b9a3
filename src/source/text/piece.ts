/** Bytes that are read at a time, and the least. */
const PIECE = { most: 1 << 20, least: 1 << 12 }

/**
 * Bytes to read at a time of a file: a buffer is made as a whole, also where little is read into
 * it.
 */
export const pieceOf = (bytes: number): number =>
  Math.min(PIECE.most, Math.max(PIECE.least, bytes + 1))
