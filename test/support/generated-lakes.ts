import fc from 'fast-check'
import { anyText, oddTexts } from './odd-texts.js'
import type { Files } from './project.js'

/*
 * Lakes of many datasets, each with a schema and rows that nobody would think of: checks in SQL and
 * in JavaScript, keys, histories, rules, and texts that are read otherwise by almost any two
 * programs.
 */

/** A silver dataset, and the files of its source. */
export interface GeneratedDataset {
  /** Its options, as code. */
  options: string
  /** The files of each run. */
  runs: string[][]
}

const few = fc.integer({ min: 0, max: 6 })
const number = fc.integer({ min: -20, max: 40 })

const textCheck = fc.oneof(
  fc.constantFrom(
    '.trim()',
    '.toLowerCase()',
    '.toUpperCase()',
    '.lowercase()',
    '.uppercase()',
    String.raw`.regex(/^\d+$/)`,
    '.regex(/[a-f]/i)',
    String.raw`.regex(/\s/)`,
    String.raw`.regex(/\bа?\w*\b$/)`,
    String.raw`.regex(/^\p{L}*$/u)`,
    '.regex(/^(?=.*a)/)',
    ".includes('a')",
    ".startsWith(' ')",
    ".endsWith('1')",
    ".refine((text) => text.length % 2 === 0, 'odd')",
    ".superRefine((text, context) => { if (text.includes('@')) context.addIssue({ code: 'custom', message: 'has @' }) })",
  ),
  few.map((n) => `.min(${n})`),
  few.map((n) => `.max(${n})`),
  few.map((n) => `.length(${n})`),
)
const reversed = ".transform((text) => [...text].reverse().join('')).pipe(z.string())"

const numberChecks = (write: (n: number) => string) =>
  fc.array(
    fc.oneof(
      number.map((n) => `.min(${write(n)})`),
      number.map((n) => `.max(${write(n)})`),
      number.map((n) => `.gt(${write(n)})`),
      number.map((n) => `.lt(${write(n)})`),
      fc.constant(".refine((value) => Number(value) !== 7, 'seven')"),
    ),
    { maxLength: 3 },
  )
const numbers = (base: string, write: (n: number) => string) =>
  numberChecks(write).map((checks) => base + checks.join(''))

const base = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(fc.array(textCheck, { maxLength: 3 }), fc.constantFrom('', '', '', reversed))
      .map(([checks, end]) => `z.string()${checks.join('')}${end}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'z.email()',
      'z.url()',
      'z.uuid()',
      "z.enum(['a', 'A', '12', ' '])",
      "z.literal('1')",
      't.boolean()',
    ),
  },
  { weight: 2, arbitrary: numbers('t.int()', String) },
  { weight: 1, arbitrary: numbers('t.bigint()', (n) => `${n}n`) },
  { weight: 1, arbitrary: numbers('t.double()', String) },
  {
    weight: 2,
    arbitrary: fc.constantFrom('t.decimal(9, 2)', 't.decimal(38, 9)', 't.date()', 't.timestamp()'),
  },
)
const column = fc
  .tuple(base, fc.constantFrom('', '', '.optional()', '.nullable()', '.nullish()', '.readonly()'))
  .map((parts) => parts.join(''))

const text = fc.oneof(
  fc.constantFrom(
    ...oddTexts,
    '12.345',
    '2026-02-30',
    '2026-01-01',
    '0000-01-01',
    '2026-01-01T24:00:00',
    '2026-01-01 10:00:00.1234567',
    'a\nb',
    '"',
    'a\u2028',
  ),
  { weight: 5, arbitrary: anyText },
)
const id = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 0, max: 9 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('x', '+5', '007', ' 3 ', '1.0') },
)
const day = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('2026-01-01', '2026-01-02', '2026-02-03') },
  { weight: 1, arbitrary: fc.constantFrom('soon', '2026-02-30') },
)

const COLUMNS = 4
const row = fc
  .tuple(
    id,
    day,
    fc.array(fc.option(text, { freq: 9 }), { minLength: COLUMNS, maxLength: COLUMNS }),
  )
  .map(([one, at, others]) => [one, at, ...others].map(field).join(','))

/** Quoted: one that is not is NULL where it is empty. */
const field = (value: string | null) =>
  value === null ? '' : `"${value.toWellFormed().replaceAll('\0', '').replaceAll('"', '""')}"`

const csv = fc
  .array(row, { minLength: 3, maxLength: 15 })
  .map((rows) => ['id,at,c0,c1,c2,c3', ...rows, ''].join('\n'))

/** Which rows say that their key is gone: a few, whatever the columns are; all are texts here. */
const deletions = [
  'try_cast(id as bigint) % 4 = 2',
  `"at" = '2026-01-02' and id < '6'`,
  'c0 is null',
  "id = '3' or (length(c1) > 4 and id > '5')",
]

const options = fc
  .record({
    columns: fc.array(column, { minLength: COLUMNS, maxLength: COLUMNS }),
    key: fc.boolean(),
    cursor: fc.boolean(),
    history: fc.boolean(),
    removes: fc.boolean(),
    deletes: fc.option(fc.constantFrom(...deletions), { freq: 2 }),
    refined: fc.boolean(),
    rule: fc.boolean(),
  })
  .map(({ columns, key, cursor, history, removes, deletes, refined, rule }) =>
    [
      `schema: z.object({ id: t.bigint(), at: t.date(), ${columns.map((one, i) => `c${i}: ${one}`).join(', ')} })${refined ? ".refine((row) => row.id !== 3n, 'three')" : ''}`,
      ...(key ? ["key: 'id'"] : []),
      ...(key && cursor ? ["cursor: 'at'"] : []),
      ...(key && cursor && history ? ['history: true'] : []),
      ...(key && cursor && removes ? ["onInvalidUpdate: 'remove'"] : []),
      ...(key && deletes ? [`deleteWhen: sql\`${deletes}\``] : []),
      ...(rule ? ["rules: [rule('not four', sql`id <> 4`)]"] : []),
    ].join(', '),
  )

const dataset: fc.Arbitrary<GeneratedDataset> = fc.record({
  options,
  runs: fc.tuple(
    fc.array(csv, { minLength: 2, maxLength: 3 }),
    fc.array(csv, { minLength: 1, maxLength: 2 }),
  ),
})

/** So many of them, always the same for a seed. */
export const generatedDatasets = (count: number, seed: number): GeneratedDataset[] =>
  fc.sample(dataset, { numRuns: count, seed })

/** A lake with all of them. */
export const definitionOf = (datasets: readonly GeneratedDataset[]): string => `
import { bronze, defineLake, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const of = (i: number) => bronze('d' + i, { from: files('in/' + i + '/*.csv') })
export default defineLake({ name: 'generated', datasets: [
${datasets.map(({ options }, i) => `  silver('d${i}', { from: of(${i}), ${options} }),`).join('\n')}
] })
`

/** The files that arrive for a run. */
export const arriving = (datasets: readonly GeneratedDataset[], run: number): Files =>
  Object.fromEntries(
    datasets.flatMap(({ runs }, i) =>
      (runs[run] ?? []).map((text, j) => [`in/${i}/${run}-${j}.csv`, text]),
    ),
  )
