import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Caller } from '../../../query/service/request.js'
import { MemoryStorage } from '../../../storage/memory.js'
import { LakeFiles } from './lake-files.js'

const SIZE = 9_000_000
const caller = { rights: { may: () => true } } as unknown as Caller

it('reads the bytes that are asked for, a few megabytes at a time', async () => {
  const storage = new MemoryStorage()
  const written = randomBytes(SIZE)
  await storage.write('silver/sales/data/a.parquet', written)
  const table = { metadata: 'silver/sales/metadata/1.json' }
  const head = async () => ({ tables: { 'silver.sales': table }, external: {} })
  const files = new LakeFiles(storage, { head } as never)
  const file = await files.open(caller, 'silver/sales/data/a.parquet')
  if (!file) throw new Error('it is not shown')
  expect(file.size).toBe(SIZE)
  const from = fc.integer({ min: 0, max: SIZE - 1 })
  await fc.assert(
    fc.asyncProperty(from, fc.oneof(fc.constant(1), fc.nat(SIZE)), async (first, more) => {
      const to = Math.min(SIZE - 1, first + more)
      const parts: Uint8Array[] = []
      for await (const part of file.read(first, to)) parts.push(part)
      expect(Buffer.concat(parts).equals(written.subarray(first, to + 1))).toBe(true)
      expect(Math.max(...parts.map(({ length }) => length))).toBeLessThanOrEqual(4 << 20)
    }),
    { numRuns: 20, examples: [[0, SIZE]] },
  )
})
