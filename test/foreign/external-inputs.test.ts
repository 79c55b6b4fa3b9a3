import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { Project, repository } from '../support/project.js'
import { Served } from '../support/served.js'
import { withService } from '../support/services.js'
import { python, sparkJar } from './readers.js'

const definition = `
import { defineLake, external, gold, silver, sql, t, z } from 'moraine'
const scores = external('ml.scores', {
  columns: {
    id: t.bigint(),
    model: t.string(),
    score: t.double(),
    runs: t.bigint(),
    code: t.uuid(),
    at: t.string(),
    tags: t.list(t.string()),
    place: t.struct({ city: t.string(), zip: t.int() }),
  },
})
const known = silver('known', {
  from: scores,
  key: 'id',
  schema: z.object({
    id: t.bigint(),
    score: t.double(),
    code: t.uuid(),
    at: t.string(),
    zip: t.int(),
    tag: t.string(),
  }),
  select: { zip: sql\`place.zip\`, tag: sql\`tags[2]\` },
})
const sums = gold('sums', {
  query: sql\`select model, sum(score) as score, sum(runs) as runs from \${scores} group by model\`,
  incremental: { by: 'model' },
})
export default defineLake({ name: 'inputs', datasets: [known, sums] })
`

const TOKEN = 'open sesame'

withService('PyIceberg', [python], () => {
  it('keeps a table that silver and gold read, through appends, deletes and new columns', async () => {
    const project = await Project.create({ 'lake.ts': definition })
    const served = Served.start(project, ['--catalog'], { MORAINE_TOKEN: TOKEN })
    const { url } = await served.line(({ event }) => event === 'catalog')
    const engine = (doing: string) =>
      promisify(execFile)(python as string, [
        join(repository, 'test/foreign/inputs_pyiceberg.py'),
        String(url),
        TOKEN,
        doing,
      ])
    const planned = async () => {
      const { steps } = JSON.parse((await project.cli('plan', '--json')).stdout)
      return Object.fromEntries(
        steps.map((one: { dataset: string; action: string; reason: string }) => [
          one.dataset,
          `${one.action}: ${one.reason}`,
        ]),
      )
    }
    const sums = () => project.query('SELECT * FROM gold.sums ORDER BY model')

    expect(await planned()).toMatchObject({
      'gold.sums': 'error: ml.scores cannot be read: there is no such table in the lake yet',
    })
    await engine('create')
    expect(await planned()).toEqual({
      'silver.known': 'build: it is not built yet',
      'gold.sums': 'build: it is not built yet',
    })
    expect((await project.run()).outcome).toBe('done')
    expect(await sums()).toEqual([
      { model: 'a', score: 2, runs: '4' },
      { model: 'b', score: 3, runs: '6' },
    ])
    expect(
      await project.query('SELECT * EXCLUDE (_batch, _loaded_at) FROM silver.known WHERE id = 3'),
    ).toEqual([
      {
        id: 3n,
        score: 1.5,
        code: '00000000-0000-0000-0000-000000000003',
        at: '12:30:03.000005',
        zip: 3,
        tag: '3',
      },
    ])

    await engine('append')
    expect(await planned()).toEqual({
      'silver.known': 'build: ml.scores changed',
      'gold.sums': "build: ml.scores changed: only the affected values of 'model' are computed",
    })
    const record = await project.run()
    expect(record.steps.find(({ dataset }) => dataset === 'gold.sums')?.notes).toEqual([
      "1 of 'model' computed",
    ])
    await engine('delete')
    expect((await project.run()).outcome).toBe('done')
    expect(await sums()).toEqual([
      { model: 'a', score: 4.5, runs: '9' },
      { model: 'b', score: 1, runs: '2' },
    ])
    expect(await project.query('SELECT count(*) AS n FROM silver.known')).toEqual([{ n: 4n }])

    // What nobody here reads, and a tag, change no rows.
    await engine('add-column')
    expect(await planned()).toEqual({
      'silver.known': 'none: its inputs have not changed',
      'gold.sums': 'none: its inputs have not changed',
    })
    await engine('add-file')
    expect(await project.query('FROM ml.added ORDER BY id')).toEqual([
      { id: 1n, name: 'a' },
      { id: 2n, name: 'b' },
      { id: 3n, name: null },
    ])
    expect(await project.query("FROM ml.added WHERE name = 'b'")).toEqual([{ id: 2n, name: 'b' }])
    await engine('rename-column')
    expect(await planned()).toMatchObject({
      'gold.sums': "error: ml.scores cannot be read: it has no column 'score'",
    })
    expect(await served.stop()).toBe(0)
  })
})

withService('Spark', [python, sparkJar], () => {
  it('keeps a table with deletes beside its rows, and partitions and columns that have changed', async () => {
    const project = await Project.create({
      'lake.ts': `
import { defineLake, external, gold, sql, t } from 'moraine'
const scores = external('ml.scores', { columns: { id: t.bigint(), points: t.double(), day: t.date(), label: t.string() } })
export default defineLake({
  name: 'inputs',
  datasets: [gold('all_scores', { query: sql\`select * from \${scores}\` })],
})
`,
    })
    const served = Served.start(project, ['--catalog'], { MORAINE_TOKEN: TOKEN })
    const { url } = await served.line(({ event }) => event === 'catalog')
    await promisify(execFile)(python as string, [
      join(repository, 'test/foreign/sql_spark.py'),
      sparkJar as string,
      String(url),
      TOKEN,
      'CREATE NAMESPACE lake.ml',
      `CREATE TABLE lake.ml.scores (id INT, score FLOAT, day DATE) USING iceberg PARTITIONED BY (day)
       TBLPROPERTIES ('format-version' = '2', 'write.delete.mode' = 'merge-on-read', 'write.update.mode' = 'merge-on-read', 'write.merge.mode' = 'merge-on-read')`,
      `INSERT INTO lake.ml.scores SELECT /*+ COALESCE(1) */ * FROM VALUES
       (1, 0.5, DATE '2026-01-01'), (2, 1.0, DATE '2026-01-01'), (3, 1.5, DATE '2026-01-02'), (4, 2.0, DATE '2026-01-02') AS t(id, score, day)`,
      'DELETE FROM lake.ml.scores WHERE id = 2',
      'ALTER TABLE lake.ml.scores ALTER COLUMN id TYPE BIGINT',
      'ALTER TABLE lake.ml.scores ALTER COLUMN score TYPE DOUBLE',
      'ALTER TABLE lake.ml.scores RENAME COLUMN score TO points',
      'ALTER TABLE lake.ml.scores ADD COLUMN label STRING',
      'ALTER TABLE lake.ml.scores REPLACE PARTITION FIELD day WITH bucket(4, id)',
      `MERGE INTO lake.ml.scores AS t USING (SELECT 3L AS id, 9.5D AS points UNION ALL SELECT 5L, 2.5D) AS s ON t.id = s.id
       WHEN MATCHED THEN UPDATE SET points = s.points, label = 'x'
       WHEN NOT MATCHED THEN INSERT (id, points, day, label) VALUES (s.id, s.points, DATE '2026-01-03', NULL)`,
    ])
    const files = (await project.storage.list('external/')).map(({ path }) => path)
    expect(files.filter((path) => path.endsWith('-deletes.parquet'))).not.toEqual([])
    expect((await project.run()).outcome).toBe('done')
    const expected = [
      { id: 1n, points: 0.5, day: '2026-01-01', label: null },
      { id: 3n, points: 9.5, day: '2026-01-02', label: 'x' },
      { id: 4n, points: 2, day: '2026-01-02', label: null },
      { id: 5n, points: 2.5, day: '2026-01-03', label: null },
    ]
    expect(await project.query('FROM gold.all_scores ORDER BY id')).toEqual(expected)
    // Bounds of before a column was widened are bounds still.
    expect(
      await project.query(
        "FROM ml.scores WHERE points >= 0.5 AND id < 4 AND day < '2026-01-03' ORDER BY id",
      ),
    ).toMatchObject([{ id: 1n }, { id: 3n }])
    expect(await project.query('SELECT id FROM ml.scores WHERE id = 4')).toEqual([{ id: 4n }])
    expect(await served.stop()).toBe(0)
  })
})
