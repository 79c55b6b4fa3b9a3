import { expect, it } from 'vitest'
import { type PartitionParts, partitionValues } from './partitions.js'

/** A table with partitions by day, of which there are so many. */
const withDays = (days: number) => {
  const metadata = {
    'default-spec-id': 0,
    'partition-specs': [{ 'spec-id': 0, fields: [{ transform: 'identity', 'source-id': 1 }] }],
    schemas: [{ fields: [{ id: 1, name: 'day' }] }],
  }
  const query = async ({ maxRows }: { maxRows: number }) => {
    const rows = Array.from({ length: Math.min(days, maxRows) }, (_, i) => [String(i)])
    return { rows: [rows], [Symbol.asyncDispose]: async () => {} }
  }
  const access = {
    identifier: async () => ({ namespace: ['ml'], name: 'scores' }),
    metadata: async () => metadata,
  }
  return { service: { query }, access } as unknown as PartitionParts
}
const columns = [{ name: 'day', type: 'VARCHAR' }]
const scores = { schema: 'ml', name: 'scores', kind: 'table', columns } as never
const ada = { name: 'ada' } as never

it('lists all partitions of a table, or says that there are too many', async () => {
  expect(await partitionValues(withDays(3), ada, scores, '')).toEqual([['0'], ['1'], ['2']])
  expect(await partitionValues(withDays(100_000), ada, scores, '')).toHaveLength(100_000)
  await expect(partitionValues(withDays(100_001), ada, scores, '')).rejects.toThrow(
    'ml.scores has more than 100000 partitions: choose some with Expression',
  )
})
