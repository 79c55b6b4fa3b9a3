import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
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

  /** Keeps a file also when it is elsewhere, or could not be unpacked. */
  async keepAny(file: SourceFile): Promise<Original> {
    const { remote } = file
    if (!remote) return this.keep(file)
    const folder = await mkdtemp(join(tmpdir(), 'moraine-object-'))
    try {
      const path = join(folder, 'object')
      await remote.download(path, this.signal)
      return await this.keep({ ...file, path })
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  /** Makes them read-only, where they are files of this machine. */
  async protect(): Promise<void> {
    for (const path of this.paths) {
      const location = this.storage.locate(path)
      if (location.startsWith('file://')) await chmod(localPath(location), 0o444)
    }
  }

  async keep(file: SourceFile): Promise<Original> {
    const of = file.remote ? file.name : file.path
    const known = this.kept.get(of)
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
    this.kept.set(of, original)
    return original
  }
}
