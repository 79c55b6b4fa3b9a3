import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { engineSession } from '../../support/engine.js'
import { Project, step } from '../../support/project.js'

const session = engineSession()

const lake = (source: string) => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files, inbox } from 'moraine/sources'
const raw = bronze('points', { from: ${source} })
const nested = silver('points', {
  from: raw,
  schema: z.object({
    id: t.int(),
    pos: t.struct({ lat: t.double(), alt: t.decimal(38, 20), n: t.bigint() }),
    path: t.list(t.double()),
    big: t.decimal(38, 0),
    tags: t.json(),
  }),
  key: 'id',
})
export default defineLake({ name: 'points', datasets: [nested] })
`

/** Numbers as Python writes them, and longer ones. */
const first =
  '{"id":1,"pos":{"lat":32.38327648331624,"alt":0.12345678901234567891,"n":9007199254740993},"path":[1.5,2.0000000000000004,1e-07],"big":123456789012345678901234567890,"tags":{"v":[52.520006599999988,"52.520006599999988",18446744073709551616]}}'
const second = '{"id":2,"pos":{"lat":1,"alt":1,"n":1},"path":[],"big":1,"tags":[1.5]}'

describe('numbers inside of JSON', () => {
  it.each([
    ['JSON lines', "files('in/a.jsonl')", 'in/a.jsonl', `${first}\n${second}\n`],
    [
      'a document',
      "files('in/a.json', { rows: 'data' })",
      'in/a.json',
      `{"data":[${first},${second}]}`,
    ],
    ['an inbox', 'inbox()', 'lake/bronze/landing/points/a.jsonl', `${first}\n${second}\n`],
  ])('stay numbers with all of their digits: %s', async (_, source, path, text) => {
    const project = await Project.create({ 'lake.ts': lake(source), [path]: text })
    const record = await project.run()
    expect(record.steps.map(({ error }) => error?.message)).toEqual([undefined, undefined])
    const rows = await project.query('SELECT * FROM silver.points ORDER BY id')
    expect(rows).toMatchObject([
      {
        pos: { lat: 32.38327648331624, alt: '0.12345678901234567891', n: 9007199254740993n },
        path: [1.5, 2.0000000000000004, 1e-7],
        big: '123456789012345678901234567890',
        tags: '{"v":[52.520006599999988,"52.520006599999988",18446744073709551616]}',
      },
      { pos: { lat: 1, alt: '1.00000000000000000000', n: 1n }, path: [], tags: '[1.5]' },
    ])
  })
})

it('a list of Parquet with NaN is discarded for that value, and its other rows are kept', async () => {
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('t', { from: files('in/*.parquet') })
const rows = silver('t', { from: raw, schema: z.object({ id: t.int(), temps: t.list(t.double()) }) })
const any = silver('any', { from: raw, schema: z.object({ id: t.int(), temps: t.json() }) })
export default defineLake({ name: 't', datasets: [rows, any] })
`,
    'in/x': '',
  })
  const path = join(project.folder, 'in/t.parquet')
  await session().run(
    `COPY (SELECT * FROM (VALUES (1, [1.5, 'nan'::DOUBLE]), (2, [2.5::DOUBLE]), (3, ['-inf'::DOUBLE])) AS v(id, temps)) TO '${path}'`,
  )
  const record = await project.run()
  expect(step(record, 'silver.t')).toMatchObject({ counts: { kept: 1, discarded: 2 } })
  const reasons = await project.query('SELECT reasons FROM discarded.t ORDER BY _source_line')
  expect(reasons.map(({ reasons }) => (reasons as string[])[0])).toEqual([
    'temps.1: Invalid input: expected number, received string',
    'temps.0: Invalid input: expected number, received string',
  ])
  expect(await project.query('SELECT temps FROM silver.any ORDER BY id')).toEqual([
    { temps: '[1.5,"nan"]' },
    { temps: '[2.5]' },
    { temps: '["-inf"]' },
  ])
})

it('blank lines of JSON lines are no rows, and lines keep their numbers', async () => {
  const lines = ['', '{"id":1}', '   ', '{"id":2', '', '\t', '{"id":3}', '', '']
  for (const lineEnd of ['\n', '\r\n']) {
    const project = await Project.create({
      'lake.ts': `
import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'
export default defineLake({ name: 't', datasets: [bronze('t', { from: files('in/*.jsonl') })] })
`,
      'in/blank.jsonl': lines.join(lineEnd),
      'in/spaces.jsonl': ['{"id":1}', '   ', '{"id":2}'].join(lineEnd),
    })
    await project.run()
    const rows = await project.query(
      'SELECT _source_line, id, _raw FROM bronze.t ORDER BY _source_file, _source_line',
    )
    expect(rows.map((row) => [Number(row._source_line), row.id, row._raw])).toEqual([
      [2, '1', null],
      [4, null, '{"id":2'],
      [7, '3', null],
      [1, '1', null],
      [3, '2', null],
    ])
  }
})
