import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bronze, silver, t, z } from '../../../src/index.js'
import { files } from '../../../src/source/index.js'
import { expectDataset, given } from '../../../src/testing/index.js'
import { amount } from '../../support/effort.js'
import { Project } from '../../support/project.js'
import { seed } from '../../support/seed.js'

/*
 * Large files keep numbers and times as values. What silver makes of them, and what it says of rows
 * that it discards, is the same as with texts.
 */

const definition = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('raw', { from: files('in/*.csv') })
const things = silver('things', {
  from: raw,
  key: ['id'],
  select: { twice: sql\`i.price || i.price\`, renamed: 'size' },
  schema: z.object({
    id: t.bigint(),
    price: t.decimal(9, 2).min(0).optional(),
    day: t.date().nullable(),
    stamp: t.timestamp().default('2000-01-01 00:00:00'),
    renamed: t.int().max(100),
    words: z.string(),
    twice: z.string().nullable(),
  }),
})
export default defineLake({ name: 'values', datasets: [things] })
`

const value = (usual: string[], odd: string[]) =>
  fc.oneof({ weight: 40, arbitrary: fc.constantFrom(...usual) }, fc.constantFrom(...odd))
const odd = [
  '',
  '05',
  '+5',
  ' 5',
  '1e2',
  '5.4',
  'x',
  '"x"',
  '2024-02-30',
  'infinity',
  '-0.00',
  '99999999999999999999',
]
const cents = ['1.50', '0.00', '-1.00', '12.34']
// The last is a whole number, and too large for the price.
const whole = ['1', '0', '-1', '12', '9999999', '12345678']
const line = (prices: string[]) =>
  fc.tuple(
    fc.nat(60).map(String),
    value(prices, odd),
    value(['2024-01-01', '2020-02-29', ''], odd),
    value(['2024-01-01 00:00:00', '1969-12-31 23:59:59'], odd),
    value(['1', '2', '300'], odd),
    value(['word', 'more words', '7'], odd),
  )
const lines = (prices: string[]) =>
  fc.array(fc.oneof({ weight: 60, arbitrary: line(prices) }, fc.constant(['a', 'b'])), {
    minLength: 20,
    maxLength: 60,
  })
const content = fc.oneof(lines(cents), lines(whole))

it('values and texts make the same rows', async () => {
  let kept = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(content, { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      async (all, mixed) => {
        const answers = await Promise.all(
          [0, Number.POSITIVE_INFINITY].map(async (valuesFrom) => {
            const project = await Project.create({ 'lake.ts': definition })
            for (const [i, lines] of all.entries()) {
              const text = [
                'id,price,day,stamp,size,words',
                ...lines.map((fields) => fields.join(',')),
              ]
              await project.write({ [`in/${i}.csv`]: `${text.join('\n')}\n` })
              // Files of both kinds in one table.
              const from = mixed && i === 1 ? Number.POSITIVE_INFINITY : valuesFrom
              const record = await project.run({ valuesFrom: from })
              expect(record.outcome).toBe('done')
            }
            const again = await project.run({ full: true })
            expect(again.outcome).toBe('done')
            const batches = Object.values((await project.state()).batches).flat()
            for (const { manifest } of batches) {
              const { files } = JSON.parse(
                new TextDecoder().decode(await project.storage.read(manifest)),
              )
              if (files[0].nonCanonical > 0) kept++
            }
            return project.reading(async (rows) => [
              await rows('SELECT * EXCLUDE (_loaded_at, _batch) FROM silver.things ORDER BY id'),
              await rows(`SELECT reasons, raw, _source_file, _source_line, _stale FROM discarded.things
              ORDER BY _source_file, _source_line`),
            ])
          }),
        )
        expect(answers[0]).toEqual(answers[1])
      },
    ),
    { numRuns: amount(2, 8), seed },
  )
  expect(kept).toBeGreaterThan(amount(0, 3))
})

it('rows of several inputs are told apart, though they stand at the same place of each', async () => {
  const input = (name: string) =>
    bronze(name, { from: files(`${name}.csv`, { columns: ['id', 'n'] }) })
  const [first, second] = [input('first'), input('second')]
  const both = silver('both', {
    from: [first, second],
    schema: z.object({ id: t.int(), n: t.int() }),
    key: 'id',
  })
  await expectDataset(both, {
    given: [given(first, [{ id: '1', n: 'x' }]), given(second, [{ id: '2', n: '2' }])],
    expect: [{ id: 2, n: 2 }],
    discarded: ['n: not an int'],
  })
})

it('numbers that SQL computes are finite, as those that are read from texts', async () => {
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const shares = silver('shares', {
  from: bronze('raw', { from: files('in/*.csv') }),
  select: { share: sql\`cast(part as double) / cast(whole as double)\`, single: sql\`cast(part as float)\` },
  schema: z.object({ id: t.int(), share: t.double().nullable(), single: z.number() }),
  key: 'id',
})
const roots = gold('roots', { query: sql\`select id, case id when 1 then 'nan'::double else share end as x from \${shares}\` })
const again = silver('again', { from: roots, schema: z.object({ id: t.int(), x: t.double() }) })
export default defineLake({ name: 'finite', datasets: [again] })
`,
    'in/1.csv': 'id,part,whole\n1,1,2\n2,0,0\n3,1,0\n4,,1\n5,inf,1\n6,3,4\n',
  })
  expect((await project.run()).error).toBeUndefined()
  const rows = (sql: string) => project.query(sql)
  expect(await rows('select id, share, single from silver.shares order by id')).toEqual([
    { id: 1, share: 0.5, single: 1 },
    { id: 6, share: 0.75, single: 3 },
  ])
  expect(
    await rows('select _source_line as line, reasons from discarded.shares order by 1'),
  ).toEqual([
    { line: 3n, reasons: ['share: not a double'] },
    { line: 4n, reasons: ['share: not a double'] },
    { line: 5n, reasons: ['single: required, but it is missing'] },
    { line: 6n, reasons: ['share: not a double', 'single: not a double'] },
  ])
  expect(await rows('select id, x from silver.again')).toEqual([{ id: 6, x: 0.75 }])
  expect(await rows('select reasons from discarded.again')).toEqual([
    { reasons: ['x: not a double'] },
  ])
})
