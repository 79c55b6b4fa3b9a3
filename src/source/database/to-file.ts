import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { addAbortSignal, type Readable } from 'node:stream'
import { MoraineError, messageOf } from '../../errors.js'
import type { Extracted } from './reader.js'

const NEWLINE = 10
/** Bytes that are written at a time. */
const BLOCK = 1 << 20

/**
 * Writes a text to a file, and measures it on the way. A file that is there is written over: that
 * is cheaper than a new one.
 */
export async function streamToFile(
  text: () => Readable,
  path: string,
  signal: AbortSignal,
): Promise<Extracted> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600).catch((error) => {
    throw cannotWrite(error, path)
  })
  const blocks = new Blocks(file, path)
  try {
    for await (const chunk of addAbortSignal(signal, text())) await blocks.add(chunk as Buffer)
    return await blocks.end()
  } finally {
    await blocks.settled()
    await file.close()
  }
}

/** Collects bytes to blocks; one is written while the next is filled. */
class Blocks {
  private readonly hash = createHash('sha256')
  private block = Buffer.allocUnsafe(BLOCK)
  private other = Buffer.allocUnsafe(BLOCK)
  private size = 0
  private bytes = 0
  private longest = 0
  /** Bytes since the last line end. */
  private since = 0
  private writing: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly file: FileHandle,
    private readonly path: string,
  ) {}

  async add(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const copied = chunk.copy(this.block, this.size, at)
      at += copied
      this.size += copied
      if (this.size === BLOCK) await this.flush()
    }
  }

  async end(): Promise<Extracted> {
    if (this.size > 0) await this.flush()
    await this.writing
    await this.file.truncate(this.bytes)
    const longest = Math.max(this.longest, this.since)
    return { bytes: this.bytes, longest, sha256: this.hash.digest('hex') }
  }

  async settled(): Promise<void> {
    await this.writing.catch(() => {})
  }

  private async flush(): Promise<void> {
    const full = this.block.subarray(0, this.size)
    this.hash.update(full)
    const last = full.lastIndexOf(NEWLINE)
    if (last < 0) this.since += full.length
    else {
      this.longest = Math.max(this.longest, this.since + full.indexOf(NEWLINE), full.length)
      this.since = full.length - last - 1
    }
    await this.writing
    this.writing = writeAll(this.file, full, this.bytes, this.path)
    // Who waits for it is told; nobody may do so for a while.
    this.writing.catch(() => {})
    this.bytes += full.length
    this.size = 0
    const { block, other } = this
    this.block = other
    this.other = block
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, at: number, path: string): Promise<void> {
  try {
    for (let done = 0; done < bytes.length; )
      done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten
  } catch (error) {
    throw cannotWrite(error, path)
  }
}

function cannotWrite(error: unknown, path: string): MoraineError {
  const full = ['ENOSPC', 'EDQUOT'].includes((error as { code?: string }).code ?? '')
  const what = full ? 'The disk for temporary files is full' : 'Temporary files cannot be written'
  return new MoraineError('storage', `${what}: ${messageOf(error)}`, {
    doing: `write to ${dirname(path)}`,
    hint: 'Free some space there, or set TMPDIR to another folder, and run again: what was already ingested is kept.',
  })
}
