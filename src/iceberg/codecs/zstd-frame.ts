/**
 * Frames of zstd, as far as one has to know them who hands them to the library: it believes what
 * they say (RFC 8878, 3.1).
 */

/**
 * Bytes that a frame may ask to be kept for later references: as many as `zstd -d` allows when it
 * is told nothing else.
 */
const LARGEST_WINDOW = 2 ** 27
/** Bytes of a block at most (RFC 8878, 3.1.1.2). */
const LARGEST_BLOCK = 2 ** 17
const MAGIC = 0xfd2fb528

export type FrameKind = 'data' | 'skippable'

/** What begins here: data, or what other programs put beside them (RFC 8878, 3.1.2). */
export function kindOfFrame(magic: number): FrameKind {
  if (magic >>> 4 === 0x184d2a5) return 'skippable'
  if (magic === MAGIC) return 'data'
  throw new Error('it is damaged: a zstd frame has a wrong header')
}

export interface Frame {
  /** The header without the checksum, which is looked at here, as the library is to see it. */
  header: Buffer
  /** Bytes of the data, where the frame says it. */
  size: number | undefined
  hasChecksum: boolean
  /** Bytes that one block may have once it is unpacked. */
  largestBlock: number
}

/** Bytes of the header behind its descriptor (RFC 8878, 3.1.1.1). */
export function fieldsLength(descriptor: number): number {
  const { idAt, idLength, sizeLength } = layoutOf(descriptor)
  return idAt + idLength + sizeLength
}

function layoutOf(descriptor: number) {
  const isSingle = (descriptor & 32) !== 0
  const idLength = [0, 1, 2, 4][descriptor & 3] as number
  const sizeFlag = descriptor >>> 6
  const sizeLength = sizeFlag > 0 ? 1 << sizeFlag : isSingle ? 1 : 0
  return { isSingle, idAt: isSingle ? 0 : 1, idLength, sizeLength }
}

/** @throws Error for a frame that needs a dictionary, or more memory than it may. */
export function readFrame(descriptor: number, fields: Buffer): Frame {
  const { isSingle, idAt, idLength, sizeLength } = layoutOf(descriptor)
  if (fields.subarray(idAt, idAt + idLength).some((byte) => byte !== 0))
    throw new Error('it was compressed with a dictionary')
  const size = sizeLength === 0 ? undefined : sizeOf(fields.subarray(idAt + idLength))
  const [window = 0] = fields
  const base = 2 ** (10 + (window >>> 3))
  const kept = isSingle ? (size as number) : base + (base / 8) * (window & 7)
  if (kept > LARGEST_WINDOW)
    throw new Error(
      `it needs ${Math.ceil(kept / 2 ** 20)} MiB of memory, but the limit is ${LARGEST_WINDOW / 2 ** 20}`,
    )
  const header = Buffer.concat([Buffer.alloc(4), Buffer.from([descriptor & ~4]), fields])
  header.writeUInt32LE(MAGIC)
  const largestBlock = Math.min(LARGEST_BLOCK, kept)
  return { header, size, hasChecksum: (descriptor & 4) !== 0, largestBlock }
}

function sizeOf(bytes: Buffer): number {
  if (bytes.length === 8) return Number(bytes.readBigUInt64LE())
  return bytes.readUIntLE(0, bytes.length) + (bytes.length === 2 ? 256 : 0)
}

/** Bytes of the header of a block. */
export const BLOCK_HEADER = 3

export interface Block {
  isLast: boolean
  isCompressed: boolean
  /** Bytes behind its header. */
  length: number
  /** Bytes of a block that is not compressed, once it is unpacked. */
  size: number
}

/** The header of a block (RFC 8878, 3.1.1.2). */
export function readBlock(header: Buffer): Block {
  const bits = header.readUIntLE(0, BLOCK_HEADER)
  const size = bits >>> 3
  if (size > LARGEST_BLOCK) throw new Error('it is damaged: a block of zstd is too large')
  const type = (bits >>> 1) & 3
  const isRepeated = type === 1
  return { isLast: (bits & 1) === 1, isCompressed: type > 1, length: isRepeated ? 1 : size, size }
}
