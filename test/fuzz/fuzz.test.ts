import fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import { amount } from '../support/effort.js'
import { seed } from '../support/seed.js'
import { mutated } from './mutate.js'
import { all, closeAll, seedsOf, type Target } from './targets.js'

afterAll(closeAll)

const files = new Set(['avro', 'excel', 'gzip', 'parquet', 'zip', 'zstd'])

it.each(Object.keys(all))('%s: bytes that may be anything are read or refused', async (name) => {
  const { read, isRefusal } = all[name] as Target
  const seeds = await seedsOf(name)
  const holds = async (bytes: Buffer) => {
    try {
      await read(bytes)
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
  }
  for (const bytes of seeds) await holds(bytes)
  const numRuns = files.has(name) ? amount(20, 150) : amount(80, 400)
  await fc.assert(fc.asyncProperty(mutated(seeds), holds), { seed, numRuns })
  expect(seeds.length).toBeGreaterThan(0)
})
