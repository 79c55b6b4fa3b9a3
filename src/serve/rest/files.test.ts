import { describe, expect, it } from 'vitest'
import { MemoryStorage } from '../../storage/memory.js'
import { MetadataFiles } from './files.js'

/** Counts what is read, and can hold back what says that a file is there. */
class CountingStorage extends MemoryStorage {
  reads: string[] = []
  held: Promise<void> | undefined

  override async read(path: string): Promise<Uint8Array> {
    this.reads.push(path)
    return super.read(path)
  }

  override async stat(path: string) {
    await this.held
    return super.stat(path)
  }
}

const MiB = 2 ** 20

/** Metadata files of some MiB each. */
async function lake(size: number, ...names: string[]) {
  const storage = new CountingStorage()
  for (const name of names)
    await storage.write(name, Buffer.from(JSON.stringify({ name, x: 'x'.repeat(size * MiB) })))
  return { storage, files: new MetadataFiles(storage) }
}

describe('metadata that are asked for again', () => {
  it('are kept, also where several have loaded them first at the same time', async () => {
    const names = ['a', 'b', 'c']
    const { storage, files } = await lake(7, ...names)
    for (const metadata of names)
      await Promise.all(Array.from({ length: 8 }, () => files.asText({ metadata })))
    storage.reads = []
    for (const metadata of names) await files.asText({ metadata })
    expect(storage.reads).toEqual([])
  })

  it('are not kept in place of others without being counted', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `${i}`)
    const { storage, files } = await lake(7, ...names)
    // Each is asked for while those that come after it have it removed.
    for (const metadata of names) {
      await files.asText({ metadata })
      let go = () => {}
      storage.held = new Promise((done) => {
        go = done
      })
      const again = files.asText({ metadata })
      storage.held = undefined
      for (const other of names) if (other !== metadata) await files.asText({ metadata: other })
      go()
      await again
    }
    storage.reads = []
    for (const metadata of names) await files.asText({ metadata })
    // 32 MiB are room for four of them.
    expect(storage.reads.length).toBeGreaterThanOrEqual(4)
  })
})
