import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Granted, grantsIn } from '../../../define/access/principal.js'
import { rightsOf } from '../../../define/access/rights.js'
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

it('tells nothing of where tables lie that a caller may not query', async () => {
  const tables = {
    'silver.sales': { metadata: 'silver/sales/metadata/1.json' },
    'gold.daily': { metadata: 'gold/daily/metadata/1.json' },
  }
  const relations = {
    'ml\u001fsecret': { kind: 'table', metadata: 'external/ml/secret/metadata/1.json' },
  }
  const head = async () => ({ tables, external: { namespaces: {}, relations } })
  const files = new LakeFiles(new MemoryStorage(), { head } as never)
  const under = async (read: Granted[], prefixes: string[]) => {
    const one = { rights: rightsOf(grantsIn('test', read), []) } as Caller
    const found = await Promise.all(prefixes.map((prefix) => files.hasFilesUnder(one, prefix)))
    return prefixes.filter((_, i) => found[i])
  }
  const hidden = ['silver/s', 'silver/sales/data/', 'external/ml/s', 'silver/sax']
  const own = ['', 'gold/d', 'gold/daily/', 'gold/daily/data/a.parquet']
  expect(await under(['gold.daily'], [...own, ...hidden, 'gold/da_'])).toEqual(own)
  expect(await under(['*'], [...own, ...hidden])).toEqual([...own, ...hidden.slice(0, -1)])
})
