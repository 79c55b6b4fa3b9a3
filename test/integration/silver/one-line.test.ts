import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { executeStep } from '../../../src/run/execute-step.js'
import { inParts } from '../../../src/run/split/in-parts.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { rowsOfLake } from '../../support/lake-rows.js'
import { Project, step } from '../../support/project.js'

/** Rows of JSON and XML may stand on one line: their line does not tell them apart. */

type Row = { id: string; n: number }

const xml = (rows: readonly Row[]) =>
  `<rows>${rows.map(({ id, n }) => `<row><id>${id}</id><n>${n}</n></row>`).join('')}</rows>`
const kinds: [kind: string, (rows: readonly Row[]) => string][] = [
  ['json', (rows) => JSON.stringify(rows)],
  ['xml', xml],
]
const schemas = ['id: z.string().min(2), n: z.string()', 'id: z.string().min(2), n: t.int()']
const cases = kinds.flatMap(([kind, of]) => schemas.map((schema) => [kind, schema, of] as const))

describe('rows of one line', () => {
  it.each(cases)(
    'of %s are discarded, superseded and kept one by one, as %s',
    async (kind, schema, of) => {
      const project = await Project.create({
        'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const x = silver('x', { from: bronze('x', { from: files('in') }), key: 'id', cursor: 'n', schema: z.object({ ${schema} }) })
export default defineLake({ name: 'lines', datasets: [x] })
`,
        [`in/1.${kind}`]: of([
          { id: 'aa', n: 1 },
          { id: 'b', n: 1 },
          { id: 'cc', n: 3 },
          { id: 'cc', n: 2 },
          { id: 'dd', n: 1 },
          { id: 'dd', n: 1 },
        ]),
      })
      const first = await project.run()
      expect(step(first, 'silver.x')?.error?.message).toBeUndefined()
      expect(step(first, 'silver.x')?.counts).toMatchObject({
        in: 6,
        kept: 3,
        discarded: 1,
        superseded: 2,
      })
      await project.write({
        [`in/2.${kind}`]: of([
          { id: 'aa', n: 5 },
          { id: 'e', n: 1 },
          { id: 'ff', n: 1 },
          { id: 'ff', n: 1 },
        ]),
      })
      const second = await project.run()
      expect(step(second, 'silver.x')?.error?.message).toBeUndefined()
      const found = await project.query('select id, n from silver.x order by id')
      expect(found.map(({ id, n }) => `${id} ${n}`)).toEqual(['aa 5', 'cc 3', 'dd 1', 'ff 1'])
      expect(await project.query('select raw from discarded.x')).toHaveLength(2)
    },
  )

  it('are told apart beside a file of lines, and those of lines after them', async () => {
    const ROWS = 60_000
    const csv = (n: number, others: readonly string[]) =>
      ['id,n', ...Array.from({ length: ROWS }, (_, i) => `k${i},${n}`), ...others, ''].join('\n')
    const project = await Project.create({
      'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const x = silver('x', { from: bronze('x', { from: files('in') }), key: 'id', cursor: 'n', schema: z.object({ id: z.string().min(2), n: t.int() }) })
export default defineLake({ name: 'lines', datasets: [x] })
`,
      'in/1.json': JSON.stringify([
        { id: 'a', n: 1 },
        { id: 'k0', n: 7 },
        { id: 'k0', n: 6 },
      ]),
      'in/2.csv': csv(1, ['b,1', 'k1,3', 'k1,2']),
    })
    const counts = (record: Awaited<ReturnType<Project['run']>>) => step(record, 'silver.x')?.counts
    expect(counts(await project.run())).toMatchObject({
      in: ROWS + 6,
      kept: ROWS,
      discarded: 2,
      superseded: 4,
    })
    await project.write({ 'in/3.csv': csv(5, ['c,1', 'k1,8', 'k1,8']) })
    expect(counts(await project.run())).toMatchObject({ in: ROWS + 3, discarded: 1 })
    const found = await project.query(
      "select id, n from silver.x where n <> 5 or id = 'k2' order by id",
    )
    expect(found.map(({ id, n }) => `${id} ${n}`)).toEqual(['k0 7', 'k1 8', 'k2 5'])
    const [{ n } = { n: 0 }] = await project.query('select count(*) as n from silver.x')
    expect(Number(n)).toBe(ROWS)
  })
})

it('the latest row of a key on one line is the same where parts are computed side by side', async () => {
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const x = silver('x', { from: bronze('x', { from: files('in') }), key: 'id', schema: z.object({ id: z.string(), n: t.int() }) })
export default defineLake({ name: 'lines', datasets: [x] })
`,
    'in/1.json': JSON.stringify([9, 1, 2, 3, 4, 5, 6, 7].map((n) => ({ id: 'a', n }))),
  })
  await project.run({ select: ['bronze.x'] })
  const copy = join(project.folder, 'in-parts')
  await cp(join(project.folder, 'lake'), copy, { recursive: true })
  await project.run()
  const sizes = { rows: 1, keys: 1000, rangeRows: 2 }
  const parts = await project.runOn(new LocalStorage(copy), {
    worker: inParts(4, executeStep, sizes),
  })
  expect(step(parts, 'silver.x')?.error?.message).toBeUndefined()
  expect(await rowsOfLake(copy)).toEqual(await rowsOfLake(join(project.folder, 'lake')))
})

it('rows of one line that an environment reads in the place of others are told apart', async () => {
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const x = silver('x', { from: bronze('x', { from: files('in/*.csv') }), key: 'id', cursor: 'n', schema: z.object({ id: z.string().min(2), n: t.int() }) })
export default defineLake({ name: 'lines', datasets: [x], environments: { dev: { branch: 'dev', sources: { 'bronze.x': files('dev/*.json') } } } })
`,
    'in/1.csv': 'id,n\naa,1\n',
    'dev/1.json':
      '[{"id":"b","n":1},{"id":"cc","n":3},{"id":"cc","n":2},{"id":"dd","n":1},{"id":"dd","n":1}]',
  })
  await project.run()
  expect(await project.cli('run', '--env', 'dev')).toMatchObject({ code: 0 })
  const asked = 'select id, n from silver.x order by all'
  const { stdout } = await project.cli('query', asked, '--json', '--branch', 'dev')
  expect(JSON.parse(stdout)).toEqual([
    { id: 'cc', n: 3 },
    { id: 'dd', n: 1 },
  ])
})

describe('discarded rows of one line', () => {
  const lake = (most: number) => `
import { bronze, defineLake, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const x = silver('x', { from: bronze('x', { from: files('in') }), schema: z.object({ id: z.string(), n: t.int() }), rules: [rule('small', sql\`n < ${most}\`)] })
export default defineLake({ name: 'lines', datasets: [x] })
`
  const found = async (project: Project) =>
    (await project.query('select id from silver.x order by id')).map(({ id }) => id)

  it.each([
    ['a row that is fine', '{"id":"a","n":1},{"id":"b","n":9}', ['a'], ['a', 'b']],
    ['one that stays discarded', '{"id":"b","n":9},{"id":"c","n":12}', [], ['b']],
  ])('are not replayed beside %s', async (_, rows, before, after) => {
    const project = await Project.create({ 'lake.ts': lake(5), 'in/1.json': `[${rows}]` })
    await project.run()
    await project.write({ 'lake.ts': lake(10) })
    const { code, stdout } = await project.cli('replay', 'silver.x')
    expect(stdout).toContain('share lines of their files with other rows')
    expect(stdout).toContain('moraine run silver.x --full')
    expect(code).not.toBe(0)
    expect(await found(project)).toEqual(before)
    await project.run()
    expect(await found(project)).toEqual(after)
  })

  it('are replayed where each has a line', async () => {
    const project = await Project.create({
      'lake.ts': lake(5),
      'in/1.json': '[{"id":"a","n":1},\n{"id":"b","n":9},\n{"id":"c","n":2}]',
    })
    await project.run()
    await project.write({ 'lake.ts': lake(10) })
    expect(await project.cli('replay', 'silver.x')).toMatchObject({ code: 0 })
    expect(await found(project)).toEqual(['a', 'b', 'c'])
  })
})

describe('versions of one line', () => {
  it.each([[[1, 2]], [[2, 1]]])('of one time are those of the table: %j', async (values) => {
    const project = await Project.create({
      'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const x = silver('x', { from: bronze('x', { from: files('in') }), key: 'id', cursor: 'at', history: true, schema: z.object({ id: z.string(), at: t.int(), n: t.int() }) })
export default defineLake({ name: 'lines', datasets: [x] })
`,
      'in/1.json': JSON.stringify(values.map((n) => ({ id: 'a', at: 1, n }))),
    })
    expect(step(await project.run(), 'silver.x')?.error?.message).toBeUndefined()
    const [row] = await project.query('select n from silver.x')
    expect(await project.query('select n from history.x')).toEqual([row])
  })
})

it('of batches from before a source had lines are told apart by what was recorded of them', async () => {
  const lake = (source: string, schema = 'n: t.int()') => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const x = silver('x', { from: bronze('x', { from: ${source} }), key: 'id', schema: z.object({ id: z.string().min(2), ${schema} }) })
export default defineLake({ name: 'lines', datasets: [x] })
`
  const project = await Project.create({
    'lake.ts': lake("files('in/*.json', { format: 'json' })"),
    'in/1.json': JSON.stringify([
      { id: 'aa', n: 1 },
      { id: 'aa', n: 2 },
      { id: 'b', n: 3 },
      { id: 'cc', n: 4 },
    ]),
  })
  const counts = { in: 4, kept: 2, discarded: 1, superseded: 1 }
  expect(step(await project.run(), 'silver.x').counts).toMatchObject(counts)
  const lines = "files('in/*.jsonl', { format: 'jsonl' })"
  const later = [
    { id: 'cc', n: 5 },
    { id: 'dd', n: 6 },
  ]
  await project.write({
    'lake.ts': lake(lines, 'n: t.int().min(0)'),
    'in/2.jsonl': later.map((row) => `${JSON.stringify(row)}\n`).join('\n'),
  })
  await project.run({ select: ['bronze.x'] })
  const copy = join(project.folder, 'in-parts')
  await cp(join(project.folder, 'lake'), copy, { recursive: true })
  const all = { in: 6, kept: 3, discarded: 1, superseded: 2 }
  const whole = step(await project.run(), 'silver.x')
  expect([whole.error, whole.counts]).toEqual([undefined, expect.objectContaining(all)])
  const sizes = { rows: 1, keys: 1000, rangeRows: 1 }
  const parts = await project.runOn(new LocalStorage(copy), {
    worker: inParts(4, executeStep, sizes),
  })
  expect(step(parts, 'silver.x').counts).toMatchObject(all)
  expect(await rowsOfLake(copy)).toEqual(await rowsOfLake(join(project.folder, 'lake')))
  expect(await project.query('select id, n from silver.x order by id')).toEqual([
    { id: 'aa', n: 2 },
    { id: 'cc', n: 5 },
    { id: 'dd', n: 6 },
  ])
  const forgotten = await project.cli('forget', 'x', '--key', 'aa', '--yes')
  expect([forgotten.stderr, forgotten.code]).toEqual(['', 0])
  const after = step(await project.run({ full: true }), 'silver.x')
  expect([after.error, after.counts]).toEqual([undefined, expect.objectContaining({ kept: 2 })])
})
