import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'

/** Bytes that are read at a time: the event loop has a turn in between. */
const CHUNK = 2 ** 20

/** SHA-256 of bytes or of a text in UTF-8, in hex. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** SHA-256 of a file of this machine, in hex. */
export function fileSha256(path: string): Promise<string> {
  return streamSha256(createReadStream(path, { highWaterMark: CHUNK }))
}

export async function streamSha256(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}

/**
 * Hashes parts of a file in their order, whichever of them is ready first.
 */
export class OrderedSha256 {
  private readonly hash: Hash = createHash('sha256')
  private last: Promise<unknown> = Promise.resolve()

  /** Reads a part once those before it were read; parts are asked for in their order. */
  next(read: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const part = this.last.then(async () => {
      const bytes = await read()
      this.hash.update(bytes)
      return bytes
    })
    this.last = part
    return part
  }

  digest(): string {
    return this.hash.digest('hex')
  }
}
