import { randomBytes } from 'node:crypto'
import { createContext, runInContext } from 'node:vm'
import { decompress } from 'fzstd'
import { Xxh64 } from './xxh64.js'
import { BLOCK_HEADER, fieldsLength, kindOfFrame, readBlock, readFrame } from './zstd-frame.js'

/**
 * Stands behind the data of a frame whose size it does not say, so that their end is found: the
 * library gives all of the memory that it was given.
 */
const END = randomBytes(16)
/** The header of a block that is the last, and has the bytes of the mark as they are. */
const END_HEADER = Buffer.from([(END.length << 3) | 1, 0, 0])

/**
 * Unpacks bytes of zstd, which must be there as a whole. Memory is taken for what the blocks can
 * unpack to, whatever window a frame asks for; sizes and checksums that frames have are checked.
 *
 * @param most bytes that it may unpack to.
 * @throws Error when the bytes are damaged, or stand for more.
 */
export function unZstd(packed: Uint8Array, most: number): Buffer {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength)
  const parts: Buffer[] = []
  let [at, left] = [0, most]
  while (at < bytes.length) {
    const magic = taken(bytes, at, 4).readUInt32LE()
    if (kindOfFrame(magic) === 'skippable') {
      const length = taken(bytes, at + 4, 4).readUInt32LE()
      at += 8 + taken(bytes, at + 8, length).length
      continue
    }
    const [part, end] = unpackedFrame(bytes, at + 4, left)
    parts.push(part)
    left -= part.length
    at = end
  }
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
}

/** Milliseconds for which bytes may be unpacked: many times what it takes where all is well. */
const timeFor = (bytes: number) => 2000 + (bytes / 2 ** 22) * 1000

/**
 * Does what may never come to its end: a few bytes can stand for copies of as many bytes as one
 * likes, and the library goes on beyond the memory that it was given.
 *
 * @throws Error when it takes longer.
 */
function within(milliseconds: number, work: () => void): void {
  try {
    runInContext('work()', createContext({ work }), { timeout: Math.ceil(milliseconds) })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
    throw new Error('it is damaged: it takes too long to unpack')
  }
}

function unpackedFrame(bytes: Buffer, start: number, most: number): [data: Buffer, end: number] {
  const [descriptor = 0] = taken(bytes, start, 1)
  const fields = taken(bytes, start + 1, fieldsLength(descriptor))
  const { header, size, hasChecksum, largestBlock } = readFrame(descriptor, fields)
  const begin = start + 1 + fields.length
  const { end, last, bound } = blocksOf(bytes, begin, largestBlock)
  if ((size ?? bound) > most) throw new Error(`it has more than ${most} bytes`)
  const blocks = Buffer.from(bytes.subarray(begin, end))
  blocks[last - begin] = (blocks[last - begin] as number) & ~1
  const out = Buffer.alloc(bound + END.length)
  const whole = Buffer.concat([header, blocks, END_HEADER, END])
  within(timeFor(out.length), () => decompress(whole, out))
  const length = out.lastIndexOf(END)
  if (length < 0 || (size !== undefined && size !== length))
    throw new Error(`it is damaged: it has ${length} bytes instead of ${size}`)
  const data = out.subarray(0, length)
  if (!hasChecksum) return [data, end]
  const sum = new Xxh64()
  sum.update(data)
  if (taken(bytes, end, 4).readUInt32LE() !== Number(sum.digest() & 0xffffffffn))
    throw new Error('it is damaged: its checksum differs')
  return [data, end + 4]
}

/** Where the blocks of a frame end, where the last begins, and what they unpack to at most. */
function blocksOf(bytes: Buffer, begin: number, largest: number) {
  let [at, last, bound] = [begin, begin, 0]
  for (let isLast = false; !isLast; ) {
    last = at
    const block = readBlock(taken(bytes, at, BLOCK_HEADER))
    at += BLOCK_HEADER
    at += taken(bytes, at, block.length).length
    bound += block.isCompressed ? largest : block.size
    isLast = block.isLast
  }
  return { end: at, last, bound }
}

function taken(bytes: Buffer, at: number, length: number): Buffer {
  if (at + length > bytes.length) throw new Error('it is cut off')
  return bytes.subarray(at, at + length)
}
