import { describe, expect, it } from 'vitest'
import { makePlan } from '../../../src/cli/planned.js'
import { CommitLog } from '../../../src/log/log.js'
import { OtherEngine } from '../../support/other-engine.js'
import { Project, step } from '../../support/project.js'

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
})
