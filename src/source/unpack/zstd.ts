import { Duplex } from 'node:stream'
import { Decompress } from 'fzstd'
import { Xxh64 } from './xxh64.js'

/**
 * Bytes that a frame may ask to be kept for later references: as many as `zstd -d` allows when it
 * is told nothing else.
 */
const LARGEST_WINDOW = 2 ** 27
/** Bytes of a block at most (RFC 8878, 3.1.1.2). */
const LARGEST_BLOCK = 2 ** 17
const MAGIC = 0xfd2fb528

/**
 * Unpacks zstd: frame by frame, a block at a time, so that few bytes which stand for many take no
 * more memory than a block and its window. Sizes and checksums that frames have are checked, as the
 * library does not do it.
 */
export const unZstd = (): Duplex => Duplex.from(unpacked)

async function* unpacked(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const input = new Input(chunks)
  while (!(await input.isOver())) {
    const magic = (await input.take(4)).readUInt32LE()
    // What other programs put beside the data (RFC 8878, 3.1.2).
    if (magic >>> 4 === 0x184d2a5) await input.skip((await input.take(4)).readUInt32LE())
    else if (magic === MAGIC) yield* unpackedFrame(input)
    else throw new Error('it is damaged: a zstd frame has a wrong header')
  }
}

interface Frame {
  header: Buffer
  size: number | undefined
  hasChecksum: boolean
}

async function* unpackedFrame(input: Input): AsyncGenerator<Buffer> {
  const { header, size, hasChecksum } = await readFrame(input)
  const sum = hasChecksum ? new Xxh64() : undefined
  let out: Buffer[] = []
  let length = 0
  const decompress = new Decompress((bytes) => {
    if (bytes.length === 0) return
    sum?.update(bytes)
    length += bytes.length
    out.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
  })
  decompress.push(header)
  for (let isLast = false; !isLast; ) {
    const block = await readBlock(input)
    isLast = (block.readUInt8() & 1) === 1
    decompress.push(block, isLast)
    yield* out
    out = []
  }
  if (size !== undefined && size !== length)
    throw new Error(`it is damaged: it has ${length} bytes instead of ${size}`)
  if (sum && (await input.take(4)).readUInt32LE() !== Number(sum.digest() & 0xffffffffn))
    throw new Error('it is damaged: its checksum differs')
}

/** The header of a frame (RFC 8878, 3.1.1.1), as the library is to see it. */
async function readFrame(input: Input): Promise<Frame> {
  const [descriptor = 0] = await input.take(1)
  const isSingle = (descriptor & 32) !== 0
  const idLength = [0, 1, 2, 4][descriptor & 3] as number
  const sizeFlag = descriptor >>> 6
  const sizeLength = sizeFlag > 0 ? 1 << sizeFlag : isSingle ? 1 : 0
  const idAt = isSingle ? 0 : 1
  const fields = await input.take(idAt + idLength + sizeLength)
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
  // The checksum is read here.
  const header = Buffer.concat([Buffer.alloc(4), Buffer.from([descriptor & ~4]), fields])
  header.writeUInt32LE(MAGIC)
  return { header, size, hasChecksum: (descriptor & 4) !== 0 }
}

function sizeOf(bytes: Buffer): number {
  if (bytes.length === 8) return Number(bytes.readBigUInt64LE())
  return bytes.readUIntLE(0, bytes.length) + (bytes.length === 2 ? 256 : 0)
}

async function readBlock(input: Input): Promise<Buffer> {
  const header = await input.take(3)
  const bits = header.readUIntLE(0, 3)
  const size = bits >>> 3
  if (size > LARGEST_BLOCK) throw new Error('it is damaged: a block of zstd is too large')
  const isRepeated = ((bits >>> 1) & 3) === 1
  return Buffer.concat([header, await input.take(isRepeated ? 1 : size)])
}

/** Bytes that are taken as many at a time as are wanted. */
class Input {
  private rest: Buffer = Buffer.alloc(0)
  private readonly chunks: AsyncIterator<Buffer>

  constructor(chunks: AsyncIterable<Buffer>) {
    this.chunks = chunks[Symbol.asyncIterator]()
  }

  async isOver(): Promise<boolean> {
    return this.rest.length === 0 && !(await this.more())
  }

  async take(n: number): Promise<Buffer> {
    while (this.rest.length < n) if (!(await this.more())) throw new Error('it is cut off')
    const bytes = this.rest.subarray(0, n)
    this.rest = this.rest.subarray(n)
    return bytes
  }

  async skip(n: number): Promise<void> {
    for (let left = n; left > 0; ) {
      if (await this.isOver()) throw new Error('it is cut off')
      const bytes = await this.take(Math.min(left, this.rest.length))
      left -= bytes.length
    }
  }

  private async more(): Promise<boolean> {
    const { done, value } = await this.chunks.next()
    if (done) return false
    this.rest = this.rest.length === 0 ? value : Buffer.concat([this.rest, value])
    return true
  }
}
