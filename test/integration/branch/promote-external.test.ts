import { expect, it } from 'vitest'
import { OtherEngine } from '../../support/other-engine.js'
import { Project, step } from '../../support/project.js'

/* What a branch was built from may be a table that another engine goes on writing. */

const lake = (least: number, more = '') => `
import { defineLake, external, gold, sql, t } from 'moraine'
const scores = external('ml.scores', { columns: { id: t.bigint(), score: t.double() } })
const best = gold('best', { query: sql\`select id from \${scores} where score >= ${least}\` })
export default defineLake({ name: 'scores', ${more} datasets: [best] })
`

const rows = (...ids: number[]) =>
  `SELECT * FROM (VALUES ${ids.map((id) => `(${id}, ${id / 2})`).join(', ')}) AS t(id, score)`

async function scored(text: string) {
  const project = await Project.create({ 'lake.ts': text })
  const engine = new OtherEngine(project.storage)
  await engine.shape([
    { name: 'id', type: { kind: 'bigint' } },
    { name: 'score', type: { kind: 'double' } },
  ])
  await engine.append(rows(1, 2, 3))
  expect((await project.run()).outcome).toBe('done')
  return { project, engine }
}

const best = async (project: Project) =>
  (await project.query('select id from gold.best order by id')).map(({ id }) => Number(id))

it('a branch is not published over rows that another engine has written since the review', async () => {
  const { project, engine } = await scored(lake(1))
  expect((await project.cli('branch', 'create', 'dev')).code).toBe(0)
  await project.write({ 'lake.ts': lake(1.5) })
  expect((await project.cli('run', '--branch', 'dev')).code).toBe(0)
  // The same rows in other files, and with other columns, are those that were reviewed.
  await engine.overwrite(rows(1, 2, 3), true)
  await engine.shape([
    { name: 'id', type: { kind: 'bigint' } },
    { name: 'score', type: { kind: 'double' } },
    { name: 'label', type: { kind: 'string' } },
  ])
  expect((await project.cli('branch', 'show', 'dev')).stdout).not.toContain('by now')

  await engine.append("SELECT 4 AS id, 2 AS score, 'new' AS label")
  const before = await project.state()
  const why = 'ml.scores, a table of another engine, has other rows or columns by now'
  expect((await project.cli('branch', 'show', 'dev')).stdout).toContain(why)
  const refused = await project.cli('promote', 'dev')
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining(why)])
  expect((await project.state()).number).toBe(before.number)

  const done = await project.cli('promote', 'dev', '--refresh')
  expect([done.stderr, done.code]).toEqual(['', 0])
  expect(await best(project)).toEqual([3, 4])
  expect(step(await project.run(), 'gold.best').outcome).toBe('unchanged')
})

it('nor where the table is gone; what waits for a review is, and says what is behind', async () => {
  const { project, engine } = await scored(lake(1))
  await project.cli('branch', 'create', 'dev')
  await project.write({ 'lake.ts': lake(1.5) })
  expect((await project.cli('run', '--branch', 'dev')).code).toBe(0)
  await project.commit({ external: { relations: { 'ml\u001fscores': null } } as never })
  expect((await project.cli('promote', 'dev')).stderr).toContain(
    'ml.scores, a table of another engine, does not exist any more',
  )

  const waiting = await scored(lake(1))
  await waiting.project.write({ 'lake.ts': lake(1.5, "publish: 'review',") })
  expect((await waiting.project.run()).outcome).toBe('done')
  await waiting.engine.append(rows(4))
  const published = await waiting.project.cli('promote', 'review')
  expect([published.stderr, published.code]).toEqual(['', 0])
  expect(published.stdout).toContain('out of date until the next run: gold.best')
  expect(await best(waiting.project)).toEqual([3])
  expect(engine.name).toBe('scores')
})
