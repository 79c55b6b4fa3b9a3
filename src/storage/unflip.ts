import { createHash } from 'node:crypto'

/** Bytes up to which each bit is tried: beyond it that takes longer than to make a file anew. */
export const LONGEST = 32 * 1024

/**
 * Bytes as they were before one of their bits flipped, proved by their SHA-256; `undefined` when it
 * was not that, or they are too many.
 */
export function unflip(bytes: Uint8Array, sha256: string): Uint8Array | undefined {
  if (bytes.length > LONGEST) return undefined
  const before = createHash('sha256')
  const one = new Uint8Array(1)
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number
    const rest = bytes.subarray(at + 1)
    for (let bit = 1; bit < 256; bit <<= 1) {
      one[0] = byte ^ bit
      if (before.copy().update(one).update(rest).digest('hex') !== sha256) continue
      const mended = Uint8Array.from(bytes)
      mended[at] = byte ^ bit
      return mended
    }
    one[0] = byte
    before.update(one)
  }
  return undefined
}
