import fc from 'fast-check'
import { expect, it } from 'vitest'
import { amount } from '../../../test/support/effort.js'
import { engineSession } from '../../../test/support/engine.js'
import { seed } from '../../../test/support/seed.js'
import { quoteText } from '../../define/sql/sql.js'
import type { Machine } from './value-machine.js'
import { machineFor, ValueTexts, valueColumns } from './value-texts.js'

const session = engineSession()

const types = [
  'SMALLINT',
  'INTEGER',
  'BIGINT',
  'DECIMAL(7,2)',
  'DECIMAL(12,0)',
  'DECIMAL(3,3)',
  'DATE',
  'TIMESTAMP',
  'BOOLEAN',
  'DOUBLE',
  'VARCHAR',
]

const number = fc.bigInt({ min: -(10n ** 19n), max: 10n ** 19n }).map(String)
const near = fc.constantFrom(
  ...[
    '',
    '0',
    '-0',
    '00',
    '5',
    '-5',
    '+5',
    '05',
    ' 5',
    '5 ',
    '5.',
    '.5',
    '1e2',
    '0x1F',
    '1_0',
    '-',
  ],
  ...[
    '0.00',
    '-0.00',
    '-0.01',
    '12.50',
    '12.5',
    '12.505',
    '99999.99',
    '100000.00',
    '01.00',
    '0.125',
  ],
  ...[
    '2024-02-29',
    '2023-02-29',
    '2024-13-01',
    '2024-00-10',
    '0044-03-15',
    '12024-01-01',
    '2024-1-1',
  ],
  ...['2024-02-29 10:11:12', '2024-02-29 24:00:00', '2024-02-29 10:11', '2024-02-29T10:11:12'],
  ...['2024-02-29 10:11:12.5', 'infinity', 'true', 'false', 'True', 't', 'é', '\uFEFF1', 'NaN'],
)
/** Texts made of what texts of values are made of. */
const alike = fc
  .array(fc.constantFrom('-', '.', ':', ' ', '0', '1', '2', '3', '9', 'e', 'true'), {
    maxLength: 7,
  })
  .map((parts) => parts.join(''))
const text = fc.oneof(number, near, near, alike)
const usual: Record<string, string[]> = {
  SMALLINT: ['0', '-12', '9999'],
  INTEGER: ['0', '123456789', '-7'],
  BIGINT: ['123456789012345678', '-1'],
  'DECIMAL(7,2)': ['0.00', '-0.01', '99999.99'],
  'DECIMAL(12,0)': ['999999999999', '-5'],
  'DECIMAL(3,3)': ['.125', '0.125'],
  DATE: ['2024-02-29', '1000-01-01', '2023-02-29'],
  TIMESTAMP: ['9999-12-31 23:59:59', '2024-06-30 00:00:00'],
  BOOLEAN: ['true', 'false'],
  DOUBLE: ['1.5', '1e100'],
  VARCHAR: ['words'],
}

const table = fc.array(fc.constantFrom(...types), { minLength: 1, maxLength: 5 }).chain((columns) =>
  fc.record({
    columns: fc.constant(columns),
    rows: fc.array(
      fc.tuple(
        ...columns.map((type) =>
          fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...(usual[type] ?? [])) }, text),
        ),
      ),
      { minLength: 1, maxLength: 3 },
    ),
  }),
)

/** Goes through a text in pieces. */
function look(
  columns: readonly string[],
  content: string,
  { delimiter = '|', skip = 0, pieces = [] as number[] } = {},
) {
  const named = columns.map((type, i) => ({ name: `c${i}`, type }))
  const layout = { columns: named, delimiter: delimiter.charCodeAt(0), skip }
  const machine = machineFor(layout) as Machine
  const texts = new ValueTexts(machine, skip)
  const bytes = Buffer.from(content)
  let at = 0
  for (const piece of pieces) {
    texts.take(bytes.subarray(at, at + piece))
    at = Math.min(at + piece, bytes.length)
  }
  texts.take(bytes.subarray(at))
  return valueColumns(layout, machine, [texts.result()])
}

it('columns that are found give back every text, or the engine refuses them', async () => {
  let found = 0
  await fc.assert(
    fc.asyncProperty(table, async ({ columns, rows }) => {
      const content = rows.map((row) => `${row.join('|')}\n`).join('')
      const exact = look(columns, content)
      for (const [name, type] of exact ?? []) {
        const i = Number(name.slice(1))
        expect(type).toBe(columns[i])
        for (const row of rows) {
          const [given = ''] = row.slice(i)
          if (given === '') continue
          const [[back]] = (await session().texts(
            `SELECT CAST(TRY_CAST(${quoteText(given)} AS ${type}) AS VARCHAR)`,
          )) as [[string | null]]
          expect([given, null]).toContain(back)
          found++
        }
      }
    }),
    { numRuns: amount(50, 400), seed },
  )
  expect(found).toBeGreaterThan(amount(60, 500))
})

it('what the engine writes values as is found', async () => {
  const sql = `SELECT CAST(n AS SMALLINT) % 10000, CAST(n * 12345 AS INTEGER), n * 123456789012, CAST(n / 8.0 AS DECIMAL(7,2)),
      CAST(n AS DECIMAL(12,0)), DATE '1970-01-01' + CAST(n AS INTEGER), TIMESTAMP '1999-12-31 23:59:59' + to_seconds(n * 12345),
      n % 2 = 0 FROM (SELECT range - 5000 AS n FROM range(10000))`
  const columns = await session().texts(`SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (${sql})`)
  const lines = columns[0]?.map((_, row) => columns.map((column) => column[row]).join('|')) ?? []
  const wanted = types.filter((type) => !/3,3|DOUBLE|VARCHAR/.test(type))
  const found = look(wanted, lines.join('\n'))
  expect([...(found?.values() ?? [])]).toEqual(wanted)
})

it('finds the same however the text comes in pieces, and wherever in it the odd field is', () => {
  const columns = ['BIGINT', 'VARCHAR', 'DECIMAL(7,2)']
  fc.assert(
    fc.property(
      fc.nat(4000),
      fc.option(fc.constantFrom('x|a|1.00', '1|a|x', '1|a|1.', '-|a|1.00', '1|a', '1|a|1.00|x')),
      fc.constantFrom('\n', '\r\n'),
      fc.boolean(),
      fc.array(fc.nat(60_000), { maxLength: 4 }),
      fc.constantFrom('', '|', '||'),
      (at, odd, end, last, pieces, extra) => {
        const lines = Array.from(
          { length: 4001 },
          (_, i) => `${i}|words of it|${i % 90}.25${extra}`,
        )
        if (odd !== null) lines[at] = odd
        const content = `head|er\n${lines.join(end)}${last ? end : ''}`
        const expected =
          odd === null
            ? ['c0', 'c2']
            : odd.split('|').length !== 3
              ? undefined
              : /^\d+\|/.test(odd)
                ? ['c0']
                : ['c2']
        const found = look(columns, content, { skip: 1, pieces })
        expect(found && [...found.keys()]).toEqual(expected)
      },
    ),
    { numRuns: amount(25, 150), seed },
  )
})

it('a delimiter that values have in their texts ends them', () => {
  expect(look(['BIGINT', 'BIGINT'], '1-2\n3-4\n', { delimiter: '-' })?.size).toBe(2)
  expect(look(['DATE', 'BIGINT'], '2024-01-01-4\n', { delimiter: '-' })).toBeUndefined()
  expect(look(['DECIMAL(7,2)', 'BIGINT'], '1.25\n', { delimiter: '.' })?.size).toBe(1)
})

it('lines may be longer than what is taken at once, and end anywhere in it', () => {
  const long = `1|${'x'.repeat(70_000)}|2.50`
  for (const lines of [[long], [long, long], [long, '1||', long], ['1||'.padEnd(40_000), long]])
    for (const end of ['', '\n']) {
      const found = look(['BIGINT', 'VARCHAR', 'DECIMAL(7,2)'], lines.join('\n') + end)
      expect([...(found?.keys() ?? [])]).toEqual(
        lines.includes(long) && lines[0] === long ? ['c0', 'c2'] : ['c0'],
      )
    }
})

it('a byte order mark is no part of the first field', () => {
  expect(look(['BIGINT'], '\uFEFF1\n2\n')?.size).toBe(1)
  expect(look(['BIGINT'], '1\n\uFEFF2\n')?.size).toBe(0)
})

it('gives up where there are more columns than it can keep at hand', () => {
  const many = Array.from({ length: 2000 }, (_, i) => ({ name: `c${i}`, type: 'BIGINT' }))
  expect(machineFor({ columns: many, delimiter: 124, skip: 0 })).toBeUndefined()
  expect(
    look(
      Array.from({ length: 300 }, () => 'BIGINT'),
      '1|'.repeat(300),
    )?.size,
  ).toBe(300)
})
