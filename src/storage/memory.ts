import { MoraineError } from '../errors.js'
import { sha256 } from './checksum.js'
import { checkPath } from './paths.js'
import { missing } from './remedy.js'
import type { Storage, StoredObject } from './storage.js'

/** A storage in memory, for tests of what needs no engine. */
export class MemoryStorage implements Storage {
  readonly url = 'memory:///lake'
  readonly objects = new Map<string, Uint8Array>()
  private readonly times = new Map<string, number>()

  async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    if (this.objects.has(checkPath(path))) return false
    this.objects.set(path, Uint8Array.from(bytes))
    this.times.set(path, Date.now())
    return true
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    if (!(await this.createIfAbsent(path, bytes)))
      throw new MoraineError('storage', `${path} already exists; objects are never overwritten`)
  }

  async read(path: string): Promise<Uint8Array> {
    const bytes = this.objects.get(checkPath(path))
    if (!bytes) throw missing(path)
    return Uint8Array.from(bytes)
  }

  async readIfPresent(path: string): Promise<Uint8Array | undefined> {
    const bytes = this.objects.get(checkPath(path))
    return bytes && Uint8Array.from(bytes)
  }

  async range(path: string, from: number, length: number): Promise<Uint8Array> {
    return (await this.read(path)).subarray(from, from + length)
  }

  async stat(path: string): Promise<StoredObject | undefined> {
    const bytes = this.objects.get(checkPath(path))
    return bytes && { path, size: bytes.length, modified: this.times.get(path) ?? 0 }
  }

  async digest(path: string): Promise<string | undefined> {
    const bytes = this.objects.get(checkPath(path))
    return bytes && sha256(bytes)
  }

  async list(prefix: string): Promise<StoredObject[]> {
    return [...this.objects]
      .filter(([path]) => path.startsWith(prefix))
      .map(([path, bytes]) => ({
        path,
        size: bytes.length,
        modified: this.times.get(path) ?? 0,
      }))
      .sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  async entries(prefix: string): Promise<StoredObject[]> {
    const found = await this.list(prefix)
    return found.filter(({ path }) => !path.slice(prefix.length).includes('/'))
  }

  async folders(prefix: string): Promise<string[]> {
    const below = [...this.objects.keys()].filter((path) => path.startsWith(prefix))
    const names = below.flatMap((path) => /^([^/]+)\//.exec(path.slice(prefix.length))?.[1] ?? [])
    return [...new Set(names)].sort()
  }

  async remove(path: string): Promise<void> {
    this.objects.delete(checkPath(path))
  }

  locate(path: string): string {
    return `${this.url}/${checkPath(path)}`
  }

  async prepare(): Promise<void> {}

  async seal(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const sums = new Map<string, string>()
    for (const path of paths) sums.set(path, sha256(await this.read(path)))
    return sums
  }

  async restore(path: string, bytes: Uint8Array): Promise<void> {
    this.objects.delete(checkPath(path))
    await this.write(path, bytes)
  }

  async protect(): Promise<void> {}
}
