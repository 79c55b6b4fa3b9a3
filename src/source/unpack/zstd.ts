import { Duplex } from 'node:stream'
import { Decompress } from 'fzstd'
import { Xxh64 } from '../../iceberg/codecs/xxh64.js'
import {
  BLOCK_HEADER,
  type Frame,
  fieldsLength,
  kindOfFrame,
  readBlock,
  readFrame,
} from '../../iceberg/codecs/zstd-frame.js'

/**
 * Unpacks zstd: frame by frame, a block at a time, so that few bytes which stand for many take no
 * more memory than a block and its window. Sizes and checksums that frames have are checked, as the
 * library does not do it.
 */
export const unZstd = (): Duplex => Duplex.from(unpacked)

async function* unpacked(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const input = new Input(chunks)
  while (!(await input.isOver())) {
    const kind = kindOfFrame((await input.take(4)).readUInt32LE())
    if (kind === 'skippable') await input.skip((await input.take(4)).readUInt32LE())
    else yield* unpackedFrame(input)
  }
}

async function* unpackedFrame(input: Input): AsyncGenerator<Buffer> {
  const { header, size, hasChecksum } = await frameOf(input)
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
    const head = await input.take(BLOCK_HEADER)
    const block = readBlock(head)
    isLast = block.isLast
    decompress.push(Buffer.concat([head, await input.take(block.length)]), isLast)
    yield* out
    out = []
  }
  if (size !== undefined && size !== length)
    throw new Error(`it is damaged: it has ${length} bytes instead of ${size}`)
  if (sum && (await input.take(4)).readUInt32LE() !== Number(sum.digest() & 0xffffffffn))
    throw new Error('it is damaged: its checksum differs')
}

async function frameOf(input: Input): Promise<Frame> {
  const [descriptor = 0] = await input.take(1)
  return readFrame(descriptor, await input.take(fieldsLength(descriptor)))
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
