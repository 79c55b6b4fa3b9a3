import { sha256 } from './checksum.js'
import type { Storage } from './storage.js'

const FOLDER = '_moraine/checksums/'
const known = new WeakMap<Storage, MovedChecksums>()

/**
 * Checksums that stand beside the files that should hold them: of a table's metadata in a lake that
 * was copied, whose log says what they were before, and of files of earlier versions, once they
 * were recorded. Objects there are written once, and say their own.
 */
export class MovedChecksums {
  private read: Promise<ReadonlyMap<string, string>> | undefined

  private constructor(private readonly storage: Storage) {}

  static of(storage: Storage): MovedChecksums {
    const found = known.get(storage) ?? new MovedChecksums(storage)
    known.set(storage, found)
    return found
  }

  async get(path: string): Promise<string | undefined> {
    return (await this.all()).get(path)
  }

  /** All of them, by path; what is damaged of them is left out. */
  all(): Promise<ReadonlyMap<string, string>> {
    this.read ??= this.readAll().then(
      ({ sums }) => sums,
      (error) => {
        // It may pass: the next one reads them again.
        this.read = undefined
        throw error
      },
    )
    return this.read
  }

  /** Paths of the objects that hold them which are damaged. */
  async damaged(): Promise<string[]> {
    return (await this.readAll()).damaged
  }

  /** @param name one that was never used before. */
  async add(name: string, sums: ReadonlyMap<string, string>): Promise<void> {
    const body = JSON.stringify(Object.fromEntries(sums))
    const head = JSON.stringify({ format: 1, sha256: sha256(body) })
    await this.storage.createIfAbsent(
      `${FOLDER}${name}.json`,
      new TextEncoder().encode(`${head}\n${body}\n`),
    )
    this.read = undefined
  }

  private async readAll() {
    const sums = new Map<string, string>()
    const damaged: string[] = []
    for (const { path } of await this.storage.list(FOLDER)) {
      const found = parse(await this.storage.read(path))
      if (found) for (const [of, sum] of Object.entries(found)) sums.set(of, sum)
      else damaged.push(path)
    }
    return { sums, damaged }
  }
}

function parse(bytes: Uint8Array): Record<string, string> | undefined {
  const text = new TextDecoder().decode(bytes)
  const [head = '', body = ''] = text.split('\n')
  const isWhole = text === `${JSON.stringify({ format: 1, sha256: sha256(body) })}\n${body}\n`
  return isWhole && head ? JSON.parse(body) : undefined
}
