import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { ResultRow } from '../../../src/engine/engine.js'
import { type FilesOptions, files } from '../../../src/source/declare/files.js'
import { ingestFile } from '../../../src/source/files/ingest-file.js'
import { inspectFile } from '../../../src/source/files/inspect-file.js'
import { amount, sample } from '../../support/effort.js'
import { engineSession } from '../../support/engine.js'
import { temporaryFolder } from '../../support/project.js'
import { seed } from '../../support/seed.js'

/*
 * There are two ways into bronze: the engine's own reader, and the careful one. Which is taken
 * depends on the whole file, so a record must become the same row on both.
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

const ways = [
  ['quoted', {}],
  ['without quotes', { quote: null }],
  ['with other texts for NULL', { nulls: ['\\N', 'NULL'] }],
  ['between bars', { delimiter: '|' }],
  ['between two characters', { delimiter: '||' }],
  ['between characters of several bytes', { delimiter: '¦' }],
  ['behind two lines', { skip: 2 }],
  ['behind a line, without quotes', { skip: 1, quote: null }],
  [
    'with escapes, as PostgreSQL and MySQL write them',
    { quote: null, escape: '\\', nulls: ['\\N'] },
  ],
] as const

it.each(sample(ways, 3))(
  'a file gives the same rows however it is read: %s',
  async (_, options) => {
    await holdEqual(
      options,
      goodFields,
      fc
        .array(fc.constantFrom(...units), { minLength: 1, maxLength: 9 })
        .map((parts) => parts.join('')),
      undefined,
      amount(20, 90),
    )
  },
)

it('a file of numbers and days gives the same rows however it is read', async () => {
  const number = fc.constantFrom('7', '-12', '0', '')
  const day = fc.constantFrom('2024-02-29', '1999-12-31', '')
  // The last of them pass as values at first sight, and the engine can't read them.
  const odd = fc.constantFrom(
    '007',
    '-',
    '1e2',
    '5.0',
    '+1',
    '1,2,',
    '2024-1-1',
    '2023-02-29',
    '99999999999999999999',
  )
  const odds = fc.tuple(odd, odd).map((fields) => fields.join(','))
  expect(await holdEqual({}, fc.tuple(number, day), odds, undefined, RUNS)).toBeGreaterThan(
    RUNS / 2,
  )
})

it('a file of texts beside numbers gives the same rows however it is read', async () => {
  const some = [
    'a',
    'é',
    ' ',
    '\t',
    "'",
    '#',
    '\\',
    '\\N',
    'NULL',
    '--',
    '0',
    '\uFEFF',
    '1.5',
    '""',
  ]
  const words = fc.array(fc.constantFrom(...some), { maxLength: 5 }).map((parts) => parts.join(''))
  const price = fc.constantFrom('0.50', '-12.25', '')
  const moment = fc.constantFrom('2024-02-29 23:59:59', '')
  const odds = fc.tuple(words, words).map((fields) => fields.join('|'))
  const wanted = [
    ['DECIMAL(7,2)', price],
    ['TIMESTAMP', moment],
  ] as const
  const runs = amount(15, 60)
  for (const [type, value] of wanted)
    for (const quote of [null, '"']) {
      const options = { delimiter: '|', quote }
      const found = await holdEqual(
        options,
        fc.tuple(words, value),
        odds,
        new Map([['y', type]]),
        runs,
      )
      expect(found).toBeGreaterThan(runs / 4)
    }
})

const RUNS = amount(30, 150)

async function holdEqual(
  options: FilesOptions<'x' | 'y'>,
  goodFields: fc.Arbitrary<string[]>,
  line: fc.Arbitrary<string>,
  requested: ReadonlyMap<string, string> = new Map([
    ['x', 'BIGINT'],
    ['y', 'DATE'],
  ]),
  numRuns = RUNS,
): Promise<number> {
  const folder = await temporaryFolder()
  const path = join(folder, 'x.csv')
  const source = files(path, { columns: ['x', 'y'], ...options })
  let [native, byValues] = [0, 0]
  const read = async (plain: boolean, large: boolean): Promise<ResultRow[]> => {
    const { size, mtimeMs } = await stat(path)
    const file = { path, name: 'x.csv', size, modified: Math.floor(mtimeMs) }
    const valuesFrom = large ? 0 : Number.POSITIVE_INFINITY
    const inspection = await inspectFile(file, source, { requested, valuesFrom })
    if (plain && inspection.plain) native++
    if (plain && inspection.plain && inspection.values?.size) byValues++
    const location = `file://${join(folder, `${plain}.parquet`)}`
    const taken = await ingestFile({
      file,
      source,
      inspection: { ...inspection, plain: plain && inspection.plain },
      target: { session: session(), location, batch: 'b', requested, large },
    })
    const sql = session().files.batches([
      { location, ...taken, ...(taken.bare ? { origin: { batch: 'b', file: 'x.csv' } } : {}) },
    ])
    const rows = await session().rows(
      `SELECT _batch, _source_file, _source_line, _error, _raw, x, y FROM (${sql}) ORDER BY _source_line`,
    )
    expect(rows).toHaveLength(taken.rows)
    return rows
  }
  const good = goodFields.map((fields) => fields.join(source.delimiter))
  const before = fc.array(line, { minLength: source.skip ?? 0, maxLength: source.skip ?? 0 })
  const content = fc.tuple(
    fc.array(fc.oneof({ weight: 25, arbitrary: good }, line), { minLength: 1, maxLength: 5 }),
    fc.constantFrom('\n', '\r\n'),
    fc.boolean(),
    before,
  )
  await fc.assert(
    fc.asyncProperty(content, async ([lines, end, last, preamble]) => {
      // One record that fits, so that the layout is not called wrong as a whole.
      const delimiter = source.delimiter
      const all = [...preamble, `1${delimiter}`, ...lines]
      await writeFile(path, all.join(end) + (last ? end : ''))
      const carefully = await read(false, false)
      expect(await read(true, false)).toEqual(carefully)
      expect(await read(true, true)).toEqual(carefully)
    }),
    { numRuns, seed },
  )
  expect(native).toBeGreaterThan(numRuns / 5)
  return byValues
}
