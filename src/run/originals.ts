import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { basename } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { SourceFile } from '../source/discover.js'
import { localPath } from '../storage/staging.js'
import type { Storage } from '../storage/storage.js'
import type { BatchFile } from './batches.js'

type Original = NonNullable<BatchFile['original']>

/** Keeps source files as they came, byte for byte, each once. */
export class Originals {
  private readonly kept = new Map<string, Original>()

  constructor(
    private readonly storage: Storage,
    /** The path of a folder of their own. */
    private readonly folder: string,
    private readonly signal: AbortSignal,
  ) {}

  get paths(): string[] {
    return [...this.kept.values()].map(({ path }) => path)
  }

  async keep(file: SourceFile): Promise<Original> {
    const known = this.kept.get(file.path)
    if (known) return known
    const number = String(this.kept.size + 1).padStart(5, '0')
    // Of its name only what can't mean anything to a file system.
    const name = basename(file.remote ? file.name : file.path).replace(/[^\w.-]+/g, '_')
    const path = `${this.folder}/${number}-${name}`
    await this.storage.prepare(path)
    const hash = createHash('sha256')
    let bytes = 0
    const measured = new Transform({
      transform(chunk: Buffer, _, done) {
        hash.update(chunk)
        bytes += chunk.length
        done(null, chunk)
      },
    })
    const to = createWriteStream(localPath(this.storage.locate(path)))
    await pipeline(createReadStream(file.path), measured, to, { signal: this.signal })
    const original = { path, bytes, sha256: hash.digest('hex') }
    this.kept.set(file.path, original)
    return original
  }
}
