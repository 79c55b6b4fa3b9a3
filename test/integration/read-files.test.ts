import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { ResultRow } from '../../src/engine/engine.js'
import { files } from '../../src/source/index.js'
import { inspectFile, takeFile } from '../../src/source/read-files.js'
import { engineSession } from '../support/engine.js'
import { temporaryFolder } from '../support/project.js'
import { seed } from '../support/seed.js'

/*
 * There are two ways into bronze: the engine's own reader, and the careful one. Which is taken depends on
 * the whole file, so a record must become the same row on both.
 */

const session = engineSession()

const units = [
  'a',
  'é',
  ' ',
  '\t',
  '"',
  '"',
  '""',
  ',',
  ',',
  '|',
  "'",
  '#',
  '\\',
  '\\N',
  'NULL',
  '0',
]
const line = fc
  .array(fc.constantFrom(...units), { minLength: 1, maxLength: 9 })
  .map((parts) => parts.join(''))
const goodField = fc.constantFrom(
  'a',
  'b c',
  '',
  '"x"',
  '"y,z"',
  '"say""hi"""',
  '""',
  '\\N',
  "it's",
  '"#"',
)
const goodFields = fc.array(goodField, { minLength: 2, maxLength: 2 })

it.each([
  ['quoted', {}],
  ['without quotes', { quote: null }],
  ['with other texts for NULL', { nulls: ['\\N', 'NULL'] }],
  ['between bars', { delimiter: '|' }],
] as const)('a file gives the same rows however it is read: %s', async (_, options) => {
  const folder = await temporaryFolder()
  const path = join(folder, 'x.csv')
  const source = files(path, { columns: ['x', 'y'], ...options })
  const wanted = new Map([
    ['x', 'BIGINT'],
    ['y', 'DATE'],
  ])
  let native = 0
  const read = async (plain: boolean, large: boolean): Promise<ResultRow[]> => {
    const { size, mtimeMs } = await stat(path)
    const file = { path, name: 'x.csv', size, modified: Math.floor(mtimeMs) }
    const inspection = await inspectFile(file, source)
    if (plain && inspection.plain) native++
    const location = `file://${join(folder, `${plain}.parquet`)}`
    const taken = await takeFile(
      file,
      source,
      { ...inspection, plain: plain && inspection.plain },
      { session: session(), location, batch: 'b', wanted, large },
    )
    const sql = session().batches([
      { location, ...taken, ...(taken.bare ? { origin: { batch: 'b', file: 'x.csv' } } : {}) },
    ])
    const rows = await session().rows(
      `SELECT _batch, _source_file, _source_line, _error, _raw, x, y FROM (${sql}) ORDER BY _source_line`,
    )
    expect(rows).toHaveLength(taken.rows)
    return rows
  }
  const good = goodFields.map((fields) => fields.join(source.delimiter))
  const content = fc.tuple(
    fc.array(fc.oneof({ weight: 25, arbitrary: good }, line), { minLength: 1, maxLength: 5 }),
    fc.constantFrom('\n', '\r\n'),
    fc.boolean(),
  )
  await fc.assert(
    fc.asyncProperty(content, async ([lines, end, last]) => {
      // One record that fits, so that the layout is not called wrong as a whole.
      const delimiter = source.delimiter
      await writeFile(path, [`1${delimiter}2`, ...lines].join(end) + (last ? end : ''))
      const carefully = await read(false, false)
      expect(await read(true, false)).toEqual(carefully)
      expect(await read(true, true)).toEqual(carefully)
    }),
    { numRuns: 150, seed },
  )
  expect(native).toBeGreaterThan(30)
})
