import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { builtFile } from '../../home.js'
import { BytesDigest, type Digest } from './bytes-digest.js'
import type { TextLayout } from './value-texts.js'

/** Goes through bytes that come in chunks. */
export interface Digesting {
  /** Takes a chunk over: nobody may use it afterwards. Waits while too many are on their way. */
  take(chunk: Buffer): Promise<void> | undefined
  digest(): Promise<Digest>
  /** Ends what was not asked for what it found. */
  close(): void
}

/** Bytes from which on a thread of its own is worth its start. */
const LARGE = 64 * 2 ** 20
/** Chunks that may be on their way to it. */
const AHEAD = 16

/** @param layout where columns that can be read as values are looked for. */
export function digestOf(bytes: number, layout?: TextLayout): Digesting {
  return bytes < LARGE ? new Here(layout) : new Beside(layout)
}

class Here implements Digesting {
  private readonly found: BytesDigest

  constructor(layout: TextLayout | undefined) {
    this.found = new BytesDigest(layout)
  }

  take(chunk: Buffer): undefined {
    this.found.update(chunk)
  }

  async digest(): Promise<Digest> {
    return this.found.result()
  }

  close(): void {}
}

/** In a thread: this takes longer than looking over a file otherwise does. */
class Beside implements Digesting {
  private readonly worker: Worker
  private ahead = 0
  private failure: Error | undefined
  private answered: Digest | undefined

  constructor(workerData: TextLayout | undefined) {
    const thread = builtFile('source/text/digest-thread.js')
    this.worker = new Worker(thread, { workerData, stderr: true })
    this.worker.on('message', (digest?: Digest) => {
      this.ahead--
      this.answered = digest
    })
    this.worker.on('error', (error) => {
      this.failure = error
    })
  }

  take(chunk: Buffer): Promise<void> | undefined {
    // What shares its memory with others can't be handed over.
    const own = chunk.byteLength === chunk.buffer.byteLength ? chunk : Uint8Array.from(chunk)
    this.worker.postMessage(own, [own.buffer as ArrayBuffer])
    this.ahead++
    return this.ahead < AHEAD ? undefined : this.room()
  }

  private async room(): Promise<void> {
    while (this.ahead >= AHEAD) await this.answer()
  }

  private async answer(): Promise<void> {
    if (this.failure) throw this.failure
    await once(this.worker, 'message')
  }

  async digest(): Promise<Digest> {
    this.worker.postMessage(null)
    this.ahead++
    while (this.ahead > 0) await this.answer()
    this.close()
    return this.answered as Digest
  }

  close(): void {
    void this.worker.terminate()
  }
}
