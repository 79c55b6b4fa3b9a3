import { rename, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { makePlan } from '../../../src/cli/planned.js'
import type { IcebergField, IcebergType } from '../../../src/iceberg/spec/types.js'
import { CommitLog } from '../../../src/log/log.js'
import { openLake } from '../../../src/query/open.js'
import type { StepWorker } from '../../../src/step/context.js'
import { OtherEngine } from '../../support/other-engine.js'
import { Project, step, temporaryFolder } from '../../support/project.js'
import { processesFor } from '../../support/workers.js'

const definition = (columns = '{ id: t.bigint(), score: t.double() }') => `
import { bronze, defineLake, external, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
export const scores = external('ml.scores', ${columns === '' ? '{}' : `{ columns: ${columns} }`})
const raw = bronze('orders', { from: files('in/*.csv') })
export const orders = silver('orders', {
  from: raw,
  key: 'id',
  select: { score: sql\`(select s.score from \${scores} as s where s.id = cast(i.id as bigint))\` },
  schema: z.object({ id: t.bigint(), score: t.double().nullable() }),
})
export const known = silver('known', {
  from: scores,
  key: 'id',
  schema: z.object({ id: t.bigint(), score: t.double().min(0) }),
})
export const best = gold('best', { query: sql\`select id, score from \${scores} where score >= 0.5\` })
export default defineLake({ name: 'inputs', datasets: [orders, known, best] })
`

const columns = [
  { name: 'id', type: { kind: 'bigint' } },
  { name: 'score', type: { kind: 'double' } },
] as const

async function planOf(project: Project) {
  const { storage } = project
  const lake = await project.load()
  const planned = await makePlan({ lake, storage, log: new CommitLog(storage) }, [], false)
  return Object.fromEntries(
    planned.stages.map(({ name, decision }) => [
      name,
      planned.problems[name]
        ? `error: ${(planned.problems[name] as Error).message}`
        : `${decision.action}: ${decision.reason}`,
    ]),
  )
}

async function projectWith(rows: string, text = definition()) {
  const project = await Project.create({ 'lake.ts': text, 'in/1.csv': 'id\n1\n2\n9\n' })
  const engine = new OtherEngine(project.storage)
  await engine.shape(columns)
  await engine.append(rows)
  return { project, engine }
}

const rowsOf = async (project: Project, table: string) =>
  (await project.query(`SELECT * EXCLUDE (_batch, _loaded_at) FROM ${table} ORDER BY 1`)).map(
    (row) => Object.values(row),
  )

/** Rows whose scores are half of their ids. */
const rows = (...ids: number[]) =>
  `SELECT * FROM (VALUES ${ids.map((id) => `(${id}, ${id / 2})`).join(', ')}) AS t(id, score)`

const nothing = {
  'silver.orders': 'none: its inputs have not changed',
  'silver.known': 'none: its inputs have not changed',
  'gold.best': 'none: its inputs have not changed',
}

const parts = `
import { defineLake, external, gold, sql, t } from 'moraine'
const scores = external('ml.scores', { columns: { id: t.bigint(), score: t.double() } })
export const sums = gold('sums', {
  query: sql\`select id % 3 as part, sum(score) as score from \${scores} group by 1\`,
  incremental: { by: 'part' },
})
export default defineLake({ name: 'inputs', datasets: [sums] })
`

describe('a table of another engine', () => {
  it('is an input of silver and gold, whose changes a plan sees', async () => {
    const { project, engine } = await projectWith(
      'SELECT * FROM (VALUES (1, 0.5), (2, 0.25)) AS t(id, score)',
    )
    expect((await project.run()).outcome).toBe('done')
    expect(await rowsOf(project, 'silver.orders')).toEqual([
      [1n, 0.5],
      [2n, 0.25],
      [9n, null],
    ])
    expect(await rowsOf(project, 'silver.known')).toEqual([
      [1n, 0.5],
      [2n, 0.25],
    ])
    expect(await project.query('FROM gold.best')).toEqual([{ id: 1n, score: 0.5 }])
    expect(await planOf(project)).toMatchObject({
      'silver.orders': 'none: its inputs have not changed',
      'gold.best': 'none: its inputs have not changed',
    })
    await engine.append('SELECT 9 AS id, 0.75 AS score')
    expect(await planOf(project)).toMatchObject({
      'silver.orders': expect.stringContaining('build: ml.scores changed'),
      'silver.known': 'build: ml.scores changed',
      'gold.best': 'build: ml.scores changed',
    })
    await engine.remove('id = 1')
    const record = await project.run()
    expect(step(record, 'gold.best').reason).toBe('ml.scores changed')
    expect(await rowsOf(project, 'silver.orders')).toEqual([
      [1n, null],
      [2n, 0.25],
      [9n, 0.75],
    ])
    expect(await project.query('FROM gold.best')).toEqual([{ id: 9n, score: 0.75 }])
    expect(await planOf(project)).toMatchObject({
      'gold.best': 'none: its inputs have not changed',
    })
  })

  it('is read once more after its rows have changed, and not after its files or properties have', async () => {
    const { project, engine } = await projectWith(rows(1, 2, 3))
    expect((await project.run()).outcome).toBe('done')
    await engine.change((before) => ({ ...before, properties: { owner: 'ada' } }))
    await engine.overwrite(rows(1, 2, 3), true)
    expect(await planOf(project)).toMatchObject(nothing)
    expect((await project.run()).steps.map(({ outcome }) => outcome)).toEqual(
      Array(4).fill('unchanged'),
    )
    await engine.overwrite(rows(2))
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('FROM gold.best')).toEqual([{ id: 2n, score: 1 }])
  })

  it('has its columns by their field ids, whatever they are called and added', async () => {
    const { project, engine } = await projectWith(rows(1, 2))
    await engine.shape([...columns, { name: 'label', type: { kind: 'string' } }])
    await engine.append("SELECT 3 AS id, 0.5 AS score, 'x' AS label")
    await engine.shape(
      [
        { name: 'label', type: { kind: 'string' } },
        { name: 'id', type: { kind: 'bigint' } },
        { name: 'points', type: { kind: 'double' } },
      ],
      { score: 'points' },
    )
    const text = definition('').replaceAll('s.score', 's.points')
    await project.write({
      'lake.ts': text
        .replace(
          "key: 'id',\n  schema: z.object({ id: t.bigint(), score: t.double().min(0) })",
          "key: 'id', select: { score: 'points' }, schema: z.object({ id: t.bigint(), score: t.double(), label: t.string().nullable() })",
        )
        .replace('select id, score from ${scores} where score >= 0.5', 'select * from ${scores}'),
    })
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('FROM gold.best ORDER BY id')).toEqual([
      { label: null, id: 1n, points: 0.5 },
      { label: null, id: 2n, points: 1 },
      { label: 'x', id: 3n, points: 0.5 },
    ])
    expect(await rowsOf(project, 'silver.known')).toEqual([
      [1n, 0.5, null],
      [2n, 1, null],
      [3n, 0.5, 'x'],
    ])
    // A new column makes another table of it, where nobody has declared what is read.
    await engine.shape([
      { name: 'id', type: { kind: 'bigint' } },
      { name: 'points', type: { kind: 'double' } },
    ])
    expect(await planOf(project)).toMatchObject({ 'gold.best': 'build: ml.scores changed' })
  })

  it('has types as wide as they are declared, and no column beside', async () => {
    const project = await Project.create({
      'lake.ts': definition('{ id: t.bigint(), score: t.double() }'),
      'in/1.csv': 'id\n1\n',
    })
    const engine = new OtherEngine(project.storage)
    await engine.shape([
      { name: 'secret', type: { kind: 'string' } },
      { name: 'id', type: { kind: 'int' } },
      { name: 'score', type: { kind: 'float' } },
    ])
    await engine.append("SELECT 'x' AS secret, 1 AS id, 0.5 AS score")
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('FROM gold.best')).toEqual([{ id: 1n, score: 0.5 }])
    const lake = openLake(await project.load(), { root: project.storage.folder })
    const [scores] = (await project.load()).externals
    expect(await lake.read(scores as never)).toEqual([{ id: 1n, score: 0.5 }])
    // Columns that are not declared may come and go.
    await engine.shape([
      { name: 'id', type: { kind: 'int' } },
      { name: 'score', type: { kind: 'float' } },
    ])
    expect(await planOf(project)).toMatchObject(nothing)
  })

  it('leaves out rows that are deleted by their values', async () => {
    const { project, engine } = await projectWith(rows(1, 2, 3))
    await engine.removeByValue('SELECT 2 AS id', [1])
    expect((await project.run()).outcome).toBe('done')
    expect((await rowsOf(project, 'silver.known')).map(([id]) => id)).toEqual([1n, 3n])
    expect(await project.query('SELECT id FROM ml.scores ORDER BY id')).toEqual([
      { id: 1n },
      { id: 3n },
    ])
  })

  it('leaves out what a job has changed by keys since, commit after commit', async () => {
    const { project, engine } = await projectWith(rows(0))
    // As Flink does: each commit deletes rows by their keys, and has their new values.
    for (let commit = 1; commit <= 6; commit++) {
      const ids = [commit % 3, 10 + commit]
      await engine.removeByValue(`SELECT unnest([${ids.join(', ')}]) AS id`, [1])
      await engine.append(rows(...ids))
      if (commit === 3) await engine.removeByValue('SELECT 0.0 AS score', [2])
    }
    expect((await project.run()).outcome).toBe('done')
    const left = [0, 1, 2, 11, 12, 13, 14, 15, 16]
    expect(await project.query('SELECT id FROM ml.scores ORDER BY id')).toEqual(
      left.map((id) => ({ id: BigInt(id) })),
    )
    expect((await rowsOf(project, 'silver.known')).map(([id]) => id)).toEqual(left.map(BigInt))
  })

  it('stays as it is when the lake is rolled back: what reads it is built on it again', async () => {
    const { project, engine } = await projectWith(rows(1))
    await project.run()
    const { number } = await project.state()
    await engine.append(rows(2))
    await project.run()
    await new CommitLog(project.storage).rollback(number, { author: 'ada', run: null })
    expect(await project.query('SELECT count(*) AS n FROM ml.scores')).toEqual([{ n: 2n }])
    expect(await project.query('SELECT count(*) AS n FROM gold.best')).toEqual([{ n: 1n }])
    expect(await planOf(project)).toMatchObject({ 'gold.best': 'build: ml.scores changed' })
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('SELECT count(*) AS n FROM gold.best')).toEqual([{ n: 2n }])
  })

  it('is read by queries, in whatever namespace, and as it was', async () => {
    const { project, engine } = await projectWith(rows(1, 2))
    const { number } = await project.state()
    await engine.append(rows(3))
    const nested = new OtherEngine(project.storage, 'Daily', ['ml', 'team'])
    await nested.shape(columns)
    await nested.append(rows(7))
    expect(await project.query('SELECT max(id) AS id FROM ML.scores WHERE id > 1')).toEqual([
      { id: 3n },
    ])
    expect(await project.query('SELECT max(id) AS id FROM ml.scores', number)).toEqual([{ id: 2n }])
    expect(
      await project.query(
        'SELECT s.id FROM "ml.team".daily AS d JOIN ml.scores AS s ON s.id = d.id - 4',
      ),
    ).toEqual([{ id: 3n }])
    await expect(project.query('FROM ml.team.daily')).rejects.toMatchObject({
      hint: expect.stringContaining('"ml.team".daily'),
    })
    await expect(project.query('FROM ml.score')).rejects.toMatchObject({
      message: expect.stringContaining('There is no table ml.score in this lake'),
      hint: 'Did you mean ml.scores?',
    })
    await expect(project.query('FROM information_schema.tables')).rejects.toMatchObject({
      kind: 'query',
    })
    await expect(project.query('FROM tombstones.orders')).rejects.toMatchObject({ kind: 'query' })
  })

  it('of which somebody asks too much is refused when the plan is made, and keeps nobody else from being built', async () => {
    const { project, engine } = await projectWith(rows(1))
    const other = `
const fine = gold('fine', { query: sql\`select count(*) as n from \${raw}\` })
`
    await project.write({
      'lake.ts': definition()
        .replace('export default', `${other}export default`)
        .replace('datasets: [', 'datasets: [fine, '),
    })
    const wrong = async (change: () => Promise<unknown>, why: string) => {
      await change()
      expect((await planOf(project))['gold.best']).toContain(
        `error: ml.scores cannot be read: ${why}`,
      )
    }
    await wrong(
      () => engine.shape([{ name: 'id', type: { kind: 'bigint' } }]),
      "it has no column 'score'",
    )
    await wrong(
      () => engine.shape([columns[0], { name: 'score', type: { kind: 'string' } }]),
      "its column 'score' is string, not double as declared",
    )
    const record = await project.run()
    expect(step(record, 'gold.best')).toMatchObject({
      outcome: 'failed',
      error: { kind: 'source', message: expect.stringContaining('not double as declared') },
    })
    expect(step(record, 'gold.fine').outcome).toBe('done')
    await engine.shape(columns)
    const lost = await engine.written(rows(2))
    await wrong(
      () => engine.add(lost.map((file) => ({ ...file, path: `file:///elsewhere/x.parquet` }))),
      'it has a file that does not lie below',
    )
  })

  it('is not read through links, by which an engine could show what the lake does not hold', async () => {
    const { project, engine } = await projectWith(rows(1), parts)
    expect((await project.run()).outcome).toBe('done')
    const outside = join(await temporaryFolder(), 'secret.parquet')
    const [file] = await engine.written(rows(2, 3))
    const path = (file?.path ?? '').replace('file://', '')
    await rename(path, outside)
    await symlink(outside, path)
    await engine.add(file ? [file] : [])
    const why = /ml\.scores cannot be read: external\/ml\/.*\.parquet is a link or a device/
    await expect(project.query('SELECT * FROM ml.scores')).rejects.toThrow(why)
    expect((await planOf(project))['gold.sums']).toMatch(why)
    expect((await project.run()).outcome).toBe('failed')
    expect(await project.query('FROM gold.sums')).toEqual([{ part: 1n, score: 0.5 }])
  })

  it('has files without field ids read by the names of its name mapping', async () => {
    const { project, engine } = await projectWith(rows(1, 2), parts)
    const days = () => project.query('SELECT * FROM ml.scores ORDER BY id')
    await engine.map({ id: ['id', 'number'], score: ['score', 'points', 'Score'] })
    await engine.addFile("SELECT 3.5::DOUBLE AS points, 7::INTEGER AS number, 'x' AS more")
    await engine.addFile('SELECT 8::BIGINT AS id')
    expect(await days()).toEqual([
      { id: 1n, score: 0.5 },
      { id: 2n, score: 1 },
      { id: 7n, score: 3.5 },
      { id: 8n, score: null },
    ])
    expect((await project.run()).outcome).toBe('done')
    const sums = () => project.query('FROM gold.sums ORDER BY part')
    expect(await sums()).toEqual([
      { part: 1n, score: 4 },
      { part: 2n, score: 1 },
    ])
    // By parts, in processes of workers, and beside files that have ids.
    await engine.addFile('SELECT 10::BIGINT AS number, 0.25::DOUBLE AS "SCORE"')
    await engine.append(rows(3))
    const [file, root] = ['lake.ts', 'lake'].map((name) => join(project.folder, name))
    const processes = await processesFor(file as string, root as string)
    onTestFinished(() => processes.close())
    const worker: StepWorker = (...step) => processes.carryOut(...step)
    expect(step(await project.run({ worker }), 'gold.sums').reason).toContain('affected values')
    expect(await sums()).toEqual([
      { part: 0n, score: 1.5 },
      { part: 1n, score: 4.25 },
      { part: 2n, score: 1 },
    ])
    // A name that is in no mapping is in no file: the files that have ids keep their values.
    await engine.map({ score: [] })
    expect((await days()).map(({ score }) => score)).toEqual([0.5, 1, 1.5, null, null, null])
    expect((await project.run()).outcome).toBe('done')
    expect((await sums())[1]).toEqual({ part: 1n, score: 0.5 })
  })

  it('has fields within columns read by the names of its name mapping', async () => {
    const { project, engine } = await projectWith(rows(1), definition(''))
    const text = { kind: 'string' } as const
    const geo = { kind: 'struct', fields: [{ name: 'lat', type: { kind: 'double' } }] } as const
    const place = [
      { name: 'zip', type: text },
      { name: 'geo', type: geo },
    ]
    const tag = { kind: 'struct', fields: [{ name: 'label', type: text }] } as const
    await engine.shape([
      ...columns,
      { name: 'place', type: { kind: 'struct', fields: place } },
      { name: 'tags', type: { kind: 'list', element: tag } },
      { name: 'by', type: { kind: 'map', key: text, value: geo } },
    ])
    await engine.append(
      `SELECT 2 AS id, 1.0 AS score, {'zip': '8000', 'geo': {'lat': 1.5}} AS place, [{'label': 'a'}] AS tags, MAP {'x': {'lat': 2.5}} AS "by"`,
    )
    const names: Record<string, string[]> = {
      zip: ['zip', 'plz'],
      lat: ['lat', 'y'],
      by: ['BY', 'nach'],
    }
    const mapped = (fields: readonly IcebergField[]): object[] =>
      fields.map(({ id, name, type }) => {
        return { 'field-id': id, names: names[name] ?? [name], ...within(type) }
      })
    const within = (type: IcebergType): { fields?: object[] } => {
      if (typeof type === 'string') return {}
      if (type.type === 'struct') return { fields: mapped(type.fields) }
      const part = (id: number, name: string, of: IcebergType) => {
        return { 'field-id': id, names: [name], ...within(of) }
      }
      return type.type === 'list'
        ? { fields: [part(type['element-id'], 'element', type.element)] }
        : {
            fields: [
              part(type['key-id'], 'key', type.key),
              part(type['value-id'], 'value', type.value),
            ],
          }
    }
    await engine.change((before) => {
      const now = before.schemas.find((one) => one['schema-id'] === before['current-schema-id'])
      const mapping = JSON.stringify(mapped(now?.fields ?? []))
      return { ...before, properties: { 'schema.name-mapping.default': mapping } }
    })
    // By other names, with fewer fields and with more, of narrower types, and NULL at each depth.
    await engine.addFile(
      `SELECT 3 AS id, {'PLZ': '9000', 'more': 1, 'geo': {'y': 2::FLOAT}} AS place, [{'label': 'b', 'n': 1}, NULL, {'label': NULL, 'n': 2}] AS tags, MAP {'k': {'lat': 7::INTEGER}, 'n': NULL} AS nach`,
    )
    await engine.addFile("SELECT 4 AS id, {'zip': 'x'} AS place, [{'n': 1}] AS tags")
    await engine.addFile('SELECT 5 AS id, NULL::STRUCT(plz VARCHAR, geo STRUCT(y DOUBLE)) AS place')
    await engine.addFile("SELECT 6 AS id, {'plz': NULL, 'geo': NULL::STRUCT(y DOUBLE)} AS place")
    expect(await project.query('SELECT * EXCLUDE score FROM ml.scores ORDER BY id')).toEqual([
      { id: 1n, place: null, tags: null, by: null },
      {
        ...{ id: 2n, place: { zip: '8000', geo: { lat: 1.5 } }, tags: [{ label: 'a' }] },
        by: "{'x': {'lat': 2.5}}",
      },
      {
        ...{ id: 3n, place: { zip: '9000', geo: { lat: 2 } } },
        ...{ tags: [{ label: 'b' }, null, { label: null }], by: "{'k': {'lat': 7}, 'n': NULL}" },
      },
      { id: 4n, place: { zip: 'x', geo: null }, tags: [{ label: null }], by: null },
      { id: 5n, place: null, tags: null, by: null },
      { id: 6n, place: { zip: null, geo: null }, tags: null, by: null },
    ])
  })

  it.each([
    [
      'format version 3',
      (engine: OtherEngine) =>
        engine.change((before) => ({ ...before, 'format-version': 3 as 2, 'next-row-id': 0 })),
      'its format is version 3',
    ],
    [
      'a name mapping that is none',
      (engine: OtherEngine) =>
        engine.change((before) => ({
          ...before,
          properties: { 'schema.name-mapping.default': '{"a":1}' },
        })),
      'its property schema.name-mapping.default is not a name mapping',
    ],
    [
      'names of a mapping that stand for two columns',
      (engine: OtherEngine) => engine.map({ id: ['id', 'Score'] }),
      'its property schema.name-mapping.default is not a name mapping',
    ],
    [
      'rows deleted by a column that is not declared',
      async (engine: OtherEngine) => {
        await engine.shape([...columns, { name: 'label', type: { kind: 'string' } }])
        await engine.removeByValue("SELECT 'x' AS label", [3])
      },
      "deleted by their values of 'label'",
    ],
    [
      'files in ORC',
      async (engine: OtherEngine) =>
        engine.add((await engine.written(rows(2))).map((file) => ({ ...file, format: 'ORC' }))),
      'it has files of the format ORC',
    ],
    ['a name that is not there', (engine: OtherEngine) => engine.drop(), 'there is no such table'],
  ])('with %s is refused when the plan is made', async (_, change, why) => {
    const { project, engine } = await projectWith(rows(1))
    await change(engine)
    expect((await planOf(project))['gold.best']).toContain(`error: ml.scores cannot be read: `)
    expect((await planOf(project))['gold.best']).toContain(why)
    const { code, stdout, stderr } = await project.cli('plan')
    expect(code).toBe(1)
    expect(stdout).toContain('a table of another engine cannot be read, see below')
    expect(stderr).toContain(why)
    expect(stderr).toContain('lake.ts:4')
  })

  it('whose fields within columns have other names in older files is refused', async () => {
    const { project, engine } = await projectWith(rows(1), definition(''))
    const place = { kind: 'struct', fields: [{ name: 'plz', type: { kind: 'string' } }] } as const
    await engine.shape([...columns, { name: 'place', type: place }])
    await engine.change((before) => {
      const now = before.schemas.find((one) => one['schema-id'] === before['current-schema-id'])
      const renamed = JSON.parse(JSON.stringify(now).replace('plz', 'zip'))
      const schemas = [...before.schemas, { ...renamed, 'schema-id': 9 }]
      return { ...before, schemas, 'current-schema-id': 9 }
    })
    expect((await planOf(project))['gold.best']).toContain("'plz' is now called 'zip'")
    // Who declares what is read has nothing to do with it.
    await project.write({ 'lake.ts': definition() })
    expect((await project.run()).outcome).toBe('done')
  })

  it('that was renamed or dropped since is told so, with its new name', async () => {
    const { project, engine } = await projectWith(rows(1))
    await project.run()
    await engine.rename('points')
    const { stderr } = await project.cli('plan')
    expect(stderr).toContain('ml.scores cannot be read: it does not exist any more')
    expect(stderr).toContain('It was renamed to ml.points: change the name in lake.ts.')
    // What was built of it is still there.
    expect(await project.query('SELECT count(*) AS n FROM gold.best')).toEqual([{ n: 1n }])
    const status = await project.cli('status')
    expect(status.stdout).toContain('does not exist any more')
    await project.write({ 'lake.ts': definition().replace("'ml.scores'", "'ml.points'") })
    expect((await project.run()).outcome).toBe('done')
  })

  it('is read by steps that another process carries out', async () => {
    const { project, engine } = await projectWith(rows(1, 2, 3), parts)
    const root = project.storage.folder
    const definedIn = join(project.folder, 'lake.ts')
    const processes = await processesFor(definedIn, root)
    const worker: StepWorker = (...step) => processes.carryOut(...step)
    onTestFinished(() => processes.close())
    expect(step(await project.run({ worker }), 'gold.sums').outcome).toBe('done')
    await engine.remove('id = 3')
    await engine.append(rows(4))
    const changed = step(await project.run({ worker }), 'gold.sums')
    expect(changed.notes).toEqual(["2 of 'part' computed"])
    expect(await project.query('FROM gold.sums ORDER BY part')).toEqual([
      { part: 1n, score: 2.5 },
      { part: 2n, score: 1 },
    ])
  })

  it('has rows of a test in the place of its own', async () => {
    const { project } = await projectWith(rows(1))
    await project.write({
      'best.tests.ts': `
import { datasetTest, given } from 'moraine/testing'
import { best, scores } from './lake.js'
export default [
  datasetTest('low scores are left out', best, {
    given: [given(scores, [{ id: 1n, score: 0.4 }, { id: 2n, score: 0.6 }])],
    expect: [{ id: 2n, score: 0.6 }],
  }),
]
`,
    })
    const { code, stdout, stderr } = await project.cli('test')
    expect([code, stdout + stderr]).toEqual([0, expect.stringContaining('1 test passed')])
  })

  it('is shown with what reads it', async () => {
    const { project } = await projectWith(rows(1, 2))
    await project.run()
    const { stdout } = await project.cli('catalog', 'ml.scores', '--json')
    expect(JSON.parse(stdout)).toMatchObject([
      {
        name: 'ml.scores',
        tier: 'external',
        rows: 2,
        to: ['silver.orders', 'silver.known', 'gold.best'],
        columns: [
          {
            name: 'id',
            to: [
              { table: 'silver.known', column: 'id' },
              { table: 'gold.best', column: 'id' },
            ],
          },
          { name: 'score' },
        ],
      },
    ])
    const orders = JSON.parse((await project.cli('catalog', 'silver.orders', '--json')).stdout)
    expect(orders[0].from).toEqual(['bronze.orders', 'ml.scores'])
    expect((await project.cli('run', 'ml.scores')).stderr).toContain(
      'For the datasets that need it: ml.scores+',
    )
    const only = await project.cli('plan', 'ml.scores+', '--json')
    expect(JSON.parse(only.stdout).steps.map((one: { dataset: string }) => one.dataset)).toEqual([
      'silver.orders',
      'silver.known',
      'gold.best',
    ])
  })
})

describe('gold that is kept up to date by parts of a table of another engine', () => {
  const sums = (project: Project) => project.query('FROM gold.sums ORDER BY part')

  it('computes what appended and deleted rows touch, and all where that is not certain', async () => {
    const { project, engine } = await projectWith(rows(1, 2, 3, 4), parts)
    await project.run()
    await engine.append(rows(5))
    expect(await planOf(project)).toEqual({
      'gold.sums': "build: ml.scores changed: only the affected values of 'part' are computed",
    })
    const appended = step(await project.run(), 'gold.sums')
    expect(appended.notes).toEqual(["1 of 'part' computed"])
    await engine.remove('id = 4')
    expect(step(await project.run(), 'gold.sums').notes).toEqual(["1 of 'part' computed"])
    expect(await sums(project)).toEqual([
      { part: 0n, score: 1.5 },
      { part: 1n, score: 0.5 },
      { part: 2n, score: 3.5 },
    ])
    // The same name is another column: files that stayed have other values now.
    await engine.shape(
      [
        { name: 'id', type: { kind: 'bigint' } },
        { name: 'old', type: { kind: 'double' } },
        { name: 'score', type: { kind: 'double' } },
      ],
      { score: 'old' },
    )
    await engine.append('SELECT 7 AS id, 0 AS old, 9 AS score')
    expect(step(await project.run(), 'gold.sums').notes).toBeUndefined()
    expect(await sums(project)).toEqual([
      { part: 0n, score: null },
      { part: 1n, score: 9 },
      { part: 2n, score: null },
    ])
    // What was read last is gone.
    const seen = (await project.state()).offsets['gold.sums']?.['ml.scores']
    await engine.append('SELECT 8 AS id, 0 AS old, 1 AS score')
    await project.storage.remove(String(seen))
    expect(step(await project.run(), 'gold.sums').notes).toBeUndefined()
    expect((await sums(project))[2]).toEqual({ part: 2n, score: 1 })
  })
})
