import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { amount } from '../../../test/support/effort.js'
import { engineSession } from '../../../test/support/engine.js'
import { temporaryFolder } from '../../../test/support/project.js'
import { seed } from '../../../test/support/seed.js'
import { quoteText } from '../../define/sql/sql.js'
import { keepRecords } from './encode.js'

const session = engineSession()

const requested = new Map([
  ['id', 'BIGINT'],
  ['price', 'DECIMAL(9,2)'],
  ['day', 'DATE'],
  ['stamp', 'TIMESTAMP'],
])

const usual = ['17', '12.50', '2024-02-29', '2024-02-29 10:11:12', 'words']

/** What casts bend, or the engine alone takes for a value. */
const hostile = fc.oneof(
  fc.constantFrom(
    ...[
      '',
      ' 5',
      '+5',
      '05',
      '-0',
      '5.',
      '5.4',
      '1e2',
      '0x1F',
      '1_000',
      '9223372036854775808',
      'NaN',
    ],
    ...[
      '12.5',
      '.50',
      '-0.00',
      '12.505',
      '1e3',
      'infinity',
      '-infinity',
      '2024-02-30',
      '0044-03-15 (BC)',
    ],
    ...[
      '12345-01-01',
      '2024-2-9',
      '2024-02-29T10:11:12',
      '2024-02-29 10:11:12.5',
      '\uFEFF1',
      'é',
      '|',
    ],
    ...usual,
  ),
  fc.string({ maxLength: 6 }),
)
const text = fc.option(
  hostile.filter((t) => !t.includes('\0')),
  { freq: 6 },
)

it('texts come back as they were, whether they are kept as values or not', async () => {
  const folder = await temporaryFolder()
  let [files, nonCanonical] = [0, 0]
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(text, text, text, text, text), { maxLength: 8 }),
      fc.subarray([...requested], { minLength: 1 }),
      fc.boolean(),
      async (odd, some, whole) => {
        const row = usual.map((t) => (whole && t === '12.50' ? '12' : t))
        const rows = [...Array.from({ length: 160 }, () => row), ...odd]
        const values = rows.map((row, i) => {
          const texts = row.map((t) => (t === null ? 'NULL' : quoteText(t)))
          return `(${i}, ${texts.map((t) => `CAST(${t} AS VARCHAR)`).join(', ')})`
        })
        const columns = ['id', 'price', 'day', 'stamp', 'words']
        const relation = `(SELECT * EXCLUDE i, NULL::VARCHAR AS _error, NULL::VARCHAR AS _raw
        FROM (VALUES ${values.join(', ')}) AS v(i, ${columns.join(', ')}) ORDER BY i)`
        const location = `file://${join(folder, `${files++}.parquet`)}`
        const lineage = [`'b' AS _batch`, `'f' AS _source_file`]
        const kept = await keepRecords(
          session(),
          { relation, columns, lineage, location },
          new Map(some),
        )
        // Prices without cents are whole numbers: only these give back their texts.
        const typed = some.map(([n, type]) => [n, whole && n === 'price' ? 'INTEGER' : type])
        expect(kept.values).toEqual(Object.fromEntries(typed))
        nonCanonical += kept.nonCanonical ?? 0
        const [bent] = await session().rows(
          `SELECT count(*) AS n FROM read_parquet(${quoteText(location.slice('file://'.length))}) WHERE _raw_values IS NOT NULL`,
        )
        expect(kept.nonCanonical).toBe(Number(bent?.n))
        const sql = session().files.batches([{ location, ...kept, firstLine: 1 }])
        expect(
          await session().texts(`SELECT ${columns.join(', ')} FROM (${sql}) ORDER BY _source_line`),
        ).toEqual(columns.map((_, c) => rows.map((row) => row[c])))
      },
    ),
    { numRuns: amount(10, 60), seed },
  )
  expect(nonCanonical).toBeGreaterThan(amount(10, 60))
})
