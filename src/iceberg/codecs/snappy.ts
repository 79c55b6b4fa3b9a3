import { crc32 } from 'node:zlib'

/** Snappy's raw format: https://github.com/google/snappy/blob/main/format_description.txt */

const DAMAGED = 'a block of snappy is damaged'
/** A checksum follows what snappy packs (Avro specification, Required Codecs). */
const CRC = 4
/** Bytes that one packed byte stands for at most: a copy of 64 bytes takes 3. */
const RATIO = 22

/**
 * Unpacks a block of an Avro file. It believes nothing that the block says of itself: lengths are
 * held against what is there, and the bytes against their checksum.
 *
 * @param most bytes that it may unpack to.
 * @throws Error when the block is damaged, or has more bytes.
 */
export function unSnappy(block: Uint8Array, most: number): Buffer {
  const packed = Buffer.from(block.buffer, block.byteOffset, block.byteLength)
  if (packed.length <= CRC) throw new Error('a block is too short')
  const end = packed.length - CRC
  const bytes = unpacked(packed.subarray(0, end), most)
  if (crc32(bytes) !== packed.readUInt32BE(end))
    throw new Error('a block is damaged: its checksum differs')
  return bytes
}

function unpacked(packed: Buffer, most: number): Buffer {
  const [length, start] = lengthOf(packed)
  if (length > most) throw new Error(`a block of snappy has ${length} bytes, but may have ${most}`)
  if (length > packed.length * RATIO) throw new Error(DAMAGED)
  const out = Buffer.allocUnsafe(length)
  let [at, to] = [start, 0]
  while (at < packed.length) {
    const tag = packed[at++] as number
    const more = widthOf(tag)
    if (at + more > packed.length) throw new Error(DAMAGED)
    const value = more === 0 ? 0 : packed.readUIntLE(at, more)
    at += more
    if ((tag & 3) === 0) {
      const size = (more === 0 ? tag >>> 2 : value) + 1
      if (at + size > packed.length || to + size > length) throw new Error(DAMAGED)
      packed.copy(out, to, at, at + size)
      at += size
      to += size
    } else {
      const isShort = (tag & 3) === 1
      const size = isShort ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
      const back = isShort ? value + ((tag >>> 5) << 8) : value
      if (back === 0 || back > to || to + size > length) throw new Error(DAMAGED)
      // A copy may reach into what it writes itself.
      for (let i = 0; i < size; i++, to++) out[to] = out[to - back] as number
    }
  }
  if (to !== length) throw new Error(DAMAGED)
  return out
}

/**
 * The bytes of a number that follow a tag: the length of a literal, or how far back a copy goes.
 */
function widthOf(tag: number): number {
  const kind = tag & 3
  if (kind === 0) return tag >>> 2 < 60 ? 0 : (tag >>> 2) - 59
  return kind === 3 ? 4 : kind
}

function lengthOf(packed: Buffer): [length: number, start: number] {
  let length = 0
  for (let i = 0; i < 5; i++) {
    const byte = packed[i]
    if (byte === undefined) break
    length += (byte & 127) * 2 ** (7 * i)
    if (byte < 128) return [length, i + 1]
  }
  throw new Error(DAMAGED)
}
