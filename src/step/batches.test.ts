import { expect, it } from 'vitest'
import type { BatchPointer } from '../log/commit.js'
import { MemoryStorage } from '../storage/memory.js'
import { Batches, type KnownFile } from './batches.js'

it('knows the newest version of every file, by an index and the few batches since', async () => {
  const storage = new MemoryStorage()
  const writer = new Batches(storage)
  const pointers: BatchPointer[] = []
  const known = new Map<string, KnownFile>()
  let index: { path: string; through: number } | undefined
  for (let number = 1; number <= 150; number++) {
    // Every tenth batch brings another version of a file that was there before.
    const name = `${number % 10 === 0 ? number - 5 : number}.csv`
    const file = { name, size: number, modified: number, sha256: `hash ${number}` }
    known.set(name, file)
    const manifest = `bronze/a/${number}.json`
    await storage.write(manifest, new TextEncoder().encode(JSON.stringify({ files: [file] })))
    pointers.push({
      dataset: 'bronze.a',
      number,
      batch: String(number),
      manifest,
      rows: 1,
      bytes: 1,
    })
    const place = { path: `bronze/a/index/${number}.json`, through: number }
    index = await writer.index(known, place, index)
  }
  expect(index?.through).toBe(144)
  const reads: string[] = []
  const read = storage.read.bind(storage)
  storage.read = (path) => {
    reads.push(path)
    return read(path)
  }
  const found = await new Batches(storage).knownFiles(pointers, index)
  expect([...found].sort()).toEqual([...known].sort())
  expect(reads.length).toBe(1 + 150 - 144)
  expect(await new Batches(storage).knownFiles(pointers, undefined)).toEqual(found)
})
