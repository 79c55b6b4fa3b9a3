import { expect, it } from 'vitest'
import { foldersOfLake, markOf, mayBeOfLake, writtenByLakes } from './lakes.js'

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

it('a lake whose mark is not among the keys is asked for where they may be its own', () => {
  const keys = ['lake/silver/orders/data/1.parquet', 'lake/sales/1.csv', 'lake/sil']
  expect(mayBeOfLake(keys, 'lake/')).toBe(true)
  expect(mayBeOfLake(keys.slice(1), 'lake/')).toBe(false)
  expect(mayBeOfLake(['silver'], '')).toBe(true)
  expect(markOf('lake/')).toBe('lake/_moraine/')
  expect(keys.filter(writtenByLakes(keys))).toEqual([])
  expect(keys.filter(writtenByLakes(keys, ['lake/']))).toEqual([keys[0]])
})
