import { expect, it } from 'vitest'
import { foldersOfLake, writtenByLakes } from './lakes.js'

it('what a lake has written is told from what lies beside it, in folders and buckets', () => {
  expect(foldersOfLake(['_moraine', 'silver', 'in', 'gold'])).toEqual(['silver', 'gold'])
  expect(foldersOfLake(['silver', 'in', 'gold'])).toEqual([])
  const keys = [
    ...['silver/a.parquet', 'b/_moraine/log/main/1.json', 'b/silver/a.parquet', 'b/in/a.parquet'],
    ...['b/c/silver/a.parquet', 'not_moraine/x', 'gold/a.parquet', 'd/_moraine/x', 'd/gold/x'],
  ]
  expect(keys.filter(writtenByLakes(keys))).toEqual(['b/silver/a.parquet', 'd/gold/x'])
  const odd = [
    'old_moraine/_moraine/log/1.json',
    'old_moraine/archive/a/files/1.csv',
    'archive/1.csv',
  ]
  expect(odd.filter(writtenByLakes(odd))).toEqual(['old_moraine/archive/a/files/1.csv'])
  const bare = ['_moraine/log/main/1.json', 'silver/a.parquet', 'in/silver/a.parquet']
  expect(bare.filter(writtenByLakes(bare))).toEqual(['silver/a.parquet'])
})
