import { expect, it } from 'vitest'
import { LocalStorage } from '../storage/local.js'
import { MemoryStorage } from '../storage/memory.js'
import { foreignFolder, foreignPath } from './foreign-path.js'

const table = {
  folder: 'external/ml/scores',
  metadata: { location: '/old/lake/external/ml/scores' },
}

it.each([
  ['file:///data/lake/external/ml/x.parquet', 'external/ml/x.parquet'],
  ['file:/data/lake/external//ml/./x.parquet', 'external/ml/x.parquet'],
  ['/data/lake/external/ml/x.parquet', 'external/ml/x.parquet'],
  // Where the lake lay when it was written.
  ['file:///old/lake/external/ml/scores/data/x.parquet', 'external/ml/scores/data/x.parquet'],
  ['file:///data/lake/silver/orders/data/x.parquet', undefined],
  ['file:///data/lake/external/../silver/orders/x.parquet', undefined],
  ['file:///data/lake/external/../../x.parquet', undefined],
  ['file:///old/lake/silver/orders/x.parquet', undefined],
  ['file:///etc/passwd', undefined],
  ['s3://bucket/external/x.parquet', undefined],
  ['external/ml/x.parquet', undefined],
])('finds %j among what other engines keep, or nowhere', (location, path) => {
  expect(foreignPath(new LocalStorage('/data/lake'), table, location)).toBe(path)
})

it('takes no name of a bucket for another', () => {
  const at = (location: string) => foreignPath(new MemoryStorage(), table, location)
  expect(at('memory:///lake/external/ml/x')).toBe('external/ml/x')
  expect(at('memory:///lake/external/../silver/x')).toBeUndefined()
  expect(at('memory:///lake/external//x')).toBeUndefined()
})

it.each([
  [
    'external/ml/scores/metadata/1.json',
    'file:/data/lake/external/ml/scores/',
    'external/ml/scores',
  ],
  ['external/ml/apart/1.json', '/data/lake/external/ml/scores', 'external/ml/scores'],
  // Where the lake lay when it was written.
  ['external/ml/scores/metadata/1.json', '/old/lake/external/ml/scores', 'external/ml/scores'],
  ['external/ml/apart/1.json', '/old/lake/external/ml/scores', undefined],
  ['external/_elsewhere/1/metadata/1.json', 's3://bucket/ml/scores', undefined],
])(
  'finds the folder of a table with metadata at %j and the location %j',
  (file, location, folder) => {
    expect(foreignFolder(new LocalStorage('/data/lake'), file, location)).toBe(folder)
  },
)
