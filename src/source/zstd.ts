import { Transform } from 'node:stream'
import { Decompress } from 'fzstd'

/** Unpacks zstd. */
export class UnZstd extends Transform {
  private readonly decompress = new Decompress((chunk) => {
    this.push(Buffer.from(chunk))
  })
  private empty = true

  override _transform(chunk: Buffer, _: string, done: (error?: Error) => void): void {
    this.empty = false
    this.attempt(() => this.decompress.push(new Uint8Array(chunk)), done)
  }

  override _flush(done: (error?: Error) => void): void {
    this.attempt(() => this.empty || this.decompress.push(new Uint8Array(0), true), done)
  }

  private attempt(use: () => unknown, done: (error?: Error) => void): void {
    let failed: Error | undefined
    try {
      use()
    } catch (error) {
      failed = error as Error
    }
    done(failed)
  }
}
