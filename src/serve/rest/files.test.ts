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

describe('a metadata file', () => {
  const of = (size: number) => ({ x: 'x'.repeat(size * MiB) })

  it('is not written with more than the limit, but to have fewer snapshots than before', async () => {
    const { storage, files } = await lake(0)
    const folder = 'external/ml/t/metadata'
    const first = await files.write(folder, of(63), 'a')
    const more = files.write(folder, of(64), 'b', first.metadata)
    await expect(more).rejects.toThrow(
      'The metadata in memory:///lake/external/ml/t/metadata would have 65 MiB, more than the limit of 64 MiB. Nothing was changed. Expire old snapshots of the table (expire_snapshots; if it is defined in lake.ts: moraine vacuum), or remove properties',
    )
    // An earlier version of Moraine has written it.
    const large = `${folder}/00001-x.metadata.json`
    await storage.write(large, Buffer.from(JSON.stringify(of(80))))
    await expect(files.write(folder, of(81), 'c', large)).rejects.toThrow('would have 82 MiB')
    expect((await files.write(folder, of(70), 'd', large)).metadata).toBe(
      `${folder}/00002-d.metadata.json`,
    )
  })

  it('of another catalog is not read if it has more', async () => {
    const { storage, files } = await lake(65, 'large')
    storage.reads = []
    await expect(files.unknown('large')).rejects.toThrow(
      'large has 66 MiB, more than the limit of 64 MiB for a metadata file. Expire old snapshots of the table in the catalog that it is in, and register its newest metadata file',
    )
    expect(storage.reads).toEqual([])
  })
})
