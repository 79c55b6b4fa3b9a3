import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { builtFile } from '../home.js'
import { Threads } from '../threads.js'
import type { HashJob } from './hash-thread.js'

/** Bytes that are read at a time: the event loop has a turn in between. */
const CHUNK = 2 ** 18

/**
 * Buffers that wait for the next file: to make one anew for each piece takes longer than to hash
 * what is in it.
 */
const idle: Buffer[] = []
const MOST_IDLE = 4

/** SHA-256 of bytes or of a text in UTF-8, in hex. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A UUID that is the same for the same text. */
export function stableUuid(text: string): string {
  const hex = sha256(text)
  const variant = ((Number.parseInt(hex[16] as string, 16) & 3) | 8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** Bytes from which on a thread makes a file's hash: to ask it costs less than that takes. */
const LARGE = 2 ** 22
/** Starting one takes as long as the hash of so many bytes. */
const START = 2 ** 25
/** Two make hashes faster than a machine of many cores writes files. */
const threads = new Threads(builtFile('storage/hash-thread.cjs'), 2, START)

/** SHA-256 of a file of this machine, in hex. */
export async function fileSha256(path: string): Promise<string> {
  const file = await open(path, 'r')
  try {
    return await handleSha256(file, path)
  } finally {
    await file.close()
  }
}

/** The same by a thread, which waits for the file; `over` is set to 1 to give it up. */
export const hashInThread = (job: HashJob) => threads.ask<string>(job)

/** SHA-256 of a file of this machine that has just been opened, in hex. */
export async function handleSha256(file: FileHandle, path: string): Promise<string> {
  const { size } = await file.stat()
  // Where there is no such thread, as in somebody's bundle, or it fails, it is made here.
  const isHere = size < LARGE || !threads.isWorth(size)
  return isHere ? hashHere(file) : hashInThread({ path }).catch(() => hashHere(file))
}

async function hashHere(file: FileHandle): Promise<string> {
  const hash = createHash('sha256')
  const buffer = idle.pop() ?? Buffer.allocUnsafeSlow(CHUNK)
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK, null)
      if (bytesRead === 0) return hash.digest('hex')
      hash.update(buffer.subarray(0, bytesRead))
    }
  } finally {
    if (idle.length < MOST_IDLE) idle.push(buffer)
  }
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
