import { describe, expect, it } from 'vitest'
import {
  folderValues,
  isInNoData,
  isNoData,
  refuseTwoValues,
  skippedName,
  skippedNote,
} from './folders.js'

describe('folders that are values', () => {
  it.each([
    ['out/store=007/city=S%C3%A3o%20Paulo/part-0.parquet', { store: '007', city: 'São Paulo' }],
    ['s3://b/out/city=a%2Fb/x=/p.csv', { city: 'a/b', x: '' }],
    ['store=__HIVE_DEFAULT_PARTITION__/city=Rome/p.csv', { store: null, city: 'Rome' }],
    ['a=b=c/a%20b=1/_d=2/p.csv', { a: 'b=c', 'a b': '1', x_d: '2' }],
    ['100%=%zz%E9%2F/p=1.csv', { '100%': '%zz%E9/' }],
    ['=x/plain/p.csv', {}],
  ])('%s', (path, values) => {
    expect(Object.fromEntries(folderValues(path))).toEqual(values)
  })

  it('give a column one value', () => {
    for (const path of ['y=1/m=2/a.csv', 'y=1/b/y=1/a.csv', 'Y=1/y=1/a.csv', 'y=1.csv/y=2'])
      expect(() => refuseTwoValues(path), path).not.toThrow()
    for (const [path, said] of [
      ['year=2025/b/year=2026/a.csv', "its column year two values: '2025' and '2026'"],
      ['Year=2025/year=2026/a.csv', "its column year two values: '2025' and '2026'"],
      ['y=1/y=__HIVE_DEFAULT_PARTITION__/a.csv', "its column y two values: '1' and NULL"],
    ] as const)
      expect(() => refuseTwoValues(path)).toThrow(said)
  })

  it('hold no data where jobs keep their own', () => {
    const none = [
      '_SUCCESS',
      '_temporary/0/a.csv',
      'a=1/.a.csv.crc',
      '.hidden/a.csv',
      '_delta_log/0.json',
    ]
    expect([...none, 'a=1/b.csv', '_day=5/b.csv', 'b_c/d.csv'].map(isNoData)).toEqual([
      ...none.map(() => true),
      false,
      false,
      false,
    ])
    // What a pattern names is meant.
    expect(isInNoData('_old/a.csv', '_old/*.csv')).toBe(false)
    expect(isInNoData('_old/a.csv', '**/*.csv')).toBe(true)
    expect(isInNoData('in/_a.csv', '**/*.csv')).toBe(false)
  })

  it('are told where somebody may have meant them as data, and counted', () => {
    const told = ['_foo.csv', 'a/__proto__.csv', '_b/x.csv', '_b/', '_committed.csv']
    const markers = ['_SUCCESS', 'a/_temporary/0/a.csv', '_committed_1', '_started_1', '.a/_b.csv']
    expect(told.map(skippedName)).toEqual([
      '_foo.csv',
      'a/__proto__.csv',
      '_b/',
      '_b/',
      '_committed.csv',
    ])
    expect(markers.map(skippedName)).toEqual(markers.map(() => undefined))
    expect(skippedNote([])).toEqual([])
    expect(skippedNote(['_b/', '_b/'])).toEqual([
      '1 folder is skipped because its name starts with _: _b/ (to read it, give the path to files())',
    ])
    expect(skippedNote(['_a', '_b/', '_c', '_d'])).toEqual([
      '3 files and 1 folder are skipped because their names start with _: _a, _b/, _c, … (to read them, give the path to files())',
    ])
  })
})
