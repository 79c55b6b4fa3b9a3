import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MoraineError } from '../../errors.js'
import type { diskOf } from '../../storage/disk.js'
import { scratchFolder } from '../../storage/scratch.js'
import { DiskRoom } from '../disk-room.js'
import { HeldBytes } from '../service/held-bytes.js'
import { patientStream } from './streams.js'

/** Bytes that stay in memory for as long as somebody reads them. */
const SHORT = 2 ** 18
/** Bytes that are read of the file at once. */
const PART = 2 ** 16

/** Bytes of the files of all answers. */
const TOGETHER = 4 * 2 ** 30
const together = new HeldBytes(TOGETHER)

/**
 * The text of an answer, which is whole before its first byte is sent: what is long lies in a file
 * of this machine, so that those who read slowly hold no memory.
 */
export class HeldText {
  /** Bytes of all that was added. */
  bytes = 0
  private parts: Buffer[] = []
  private file: FileHandle | undefined
  private folder: string | undefined
  private room: DiskRoom | undefined
  /** Bytes of its file. */
  private filed = 0

  constructor(
    private readonly disk?: typeof diskOf,
    /** What the files of all answers may have. */
    private readonly all = together,
  ) {}

  /** An answer of one text. */
  static async of(text: string): Promise<HeldText> {
    const held = new HeldText()
    try {
      await held.add(text)
      return held
    } catch (error) {
      await held.close()
      throw error
    }
  }

  /**
   * @throws MoraineError of kind `limit` where the disk would be nearly full, or too much waits for
   *   others to read it.
   */
  async add(text: string): Promise<void> {
    const part = Buffer.from(text)
    this.bytes += part.length
    this.parts.push(part)
    if (this.bytes > SHORT) await this.toFile()
  }

  /**
   * Sends it, and lets go of it then; whoever takes nothing for too long loses it.
   *
   * @param patience milliseconds: a minute when not given.
   */
  response(type: string, patience?: number): Response {
    const headers = { 'content-type': type, 'content-length': String(this.bytes) }
    if (!this.file) return new Response(Buffer.concat(this.parts), { headers })
    const stream = patientStream(this.read(), () => this.close(), patience)
    return new Response(stream, { headers })
  }

  async close(): Promise<void> {
    this.parts = []
    await this.file?.close()
    this.file = undefined
    if (this.folder !== undefined) await rm(this.folder, { recursive: true, force: true })
    this.folder = undefined
    this.all.give(this.filed)
    this.filed = 0
  }

  private async *read(): AsyncGenerator<Uint8Array> {
    const file = this.file as FileHandle
    for (let at = 0; at < this.bytes; at += PART) {
      const length = Math.min(PART, this.bytes - at)
      const { buffer } = await file.read(Buffer.alloc(length), 0, length, at)
      yield buffer
    }
  }

  private async toFile(): Promise<void> {
    if (!this.file) {
      this.folder = await scratchFolder('answer')
      this.file = await open(join(this.folder, 'text'), 'wx+', 0o600)
      this.room = new DiskRoom(this.folder, this.disk)
    }
    const all = Buffer.concat(this.parts)
    this.parts = []
    if (!this.all.take(all.length))
      throw new MoraineError('limit', 'Too many answers wait for clients that read them slowly', {
        hint: 'Try again in a few seconds, or stream the rows (Accept: text/csv).',
        retryable: true,
      })
    this.filed += all.length
    this.room?.take(all.length)
    await this.file.write(all, 0, all.length, this.bytes - all.length)
  }
}
