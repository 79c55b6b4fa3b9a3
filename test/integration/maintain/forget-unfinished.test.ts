import { join } from 'node:path'
import { expect, it } from 'vitest'
import { OtherEngine } from '../../support/other-engine.js'
import { Project } from '../../support/project.js'
import { tracesOf } from '../../support/traces.js'

/* The first commit of `forget` is there, and what is made of the rows could not be built. */

const day = 86_400_000
const dateOf = (ago: number) => new Date(Date.now() - ago * day).toISOString().slice(0, 10)

const lakeOf = (checks: string) => `
import { bronze, check, defineLake, gold, silver, sql, t, z } from 'moraine'
import { inbox } from 'moraine/sources'
const raw = bronze('visits', { from: inbox(), archive: true, keep: '30d' })
const visits = silver('visits', {
  from: raw, key: 'n', identifies: ['id'], keep: { for: '100 days', by: 'day' },
  schema: z.object({ n: t.int(), id: z.string(), day: t.date() }),
})
const daily = gold('daily', {
  query: sql\`select day, min(id) as first, count(*) as n from \${visits} group by day\`,
  incremental: { by: 'day' }, checks: [${checks}],
})
export default defineLake({ name: 'shop', datasets: [visits, daily] })
`

it('stays unfinished for all to see, and nothing expires until it is finished', async () => {
  const full = "check.sql('all there', sql`select 1 from this_table having sum(n) < 5`)"
  const project = await Project.create({
    'lake.ts': lakeOf(full),
    'lake/bronze/landing/visits/1.csv': `n,id,day\n1,ada-4711,${dateOf(70)}\n2,bob-1,${dateOf(70)}\n3,bob-1,${dateOf(1)}\n`,
    'lake/bronze/landing/visits/2.csv': `n,id,day\n4,bob-1,${dateOf(2)}\n5,bob-1,${dateOf(3)}\n`,
  })
  expect((await project.run()).outcome).toBe('done')
  const lake = join(project.folder, 'lake')
  const ada = ['ada-4711']
  const forget = () => project.cli('forget', 'visits', '--where', "id = 'ada-4711'", '--yes')
  const refused = await forget()
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringContaining('gold.daily could not be built without them'),
  ])
  expect((await project.cli('status')).stdout).toMatch(
    /Rows are being forgotten by .* earlier states still have them, and nothing expires/,
  )
  expect((await project.cli('verify')).stdout).toContain('are being forgotten by')

  // Forty days later rows and batches were to expire, and with them what gold is made of.
  const later = () => new Date(Date.now() + 40 * day)
  const ran = await project.run({ select: ['bronze.visits', 'silver.visits'], now: later })
  expect([ran.outcome, ran.commits]).toEqual(['done', []])
  expect(await project.query('select n from silver.visits order by 1')).toHaveLength(4)

  await project.write({ 'lake.ts': lakeOf('') })
  const done = await forget()
  expect([done.stderr, done.code]).toEqual(['', 0])
  expect(await tracesOf(lake, ada)).toEqual([])
  expect((await project.cli('verify', '--deep')).stdout).toContain('were forgotten by')
  expect((await project.cli('status')).stdout).not.toContain('being forgotten')
  expect((await project.run({ now: later })).outcome).toBe('done')
  expect(await project.query('select n from silver.visits order by 1')).toEqual([
    { n: 3 },
    { n: 4 },
    { n: 5 },
  ])
  expect((await project.query('select first, n from gold.daily')).length).toBe(4)
  expect(await tracesOf(lake, ada)).toEqual([])
})

it('removes archived files of a dataset that was dropped meanwhile', async () => {
  const definition = lakeOf(
    "check.sql('all there', sql`select 1 from this_table having sum(n) < 2`)",
  )
  const project = await Project.create({
    'lake.ts': definition,
    'lake/bronze/landing/visits/1.csv': `n,id,day\n1,ada-4711,${dateOf(1)}\n2,bob-1,${dateOf(1)}\n`,
  })
  expect((await project.run()).outcome).toBe('done')
  const forget = () => project.cli('forget', 'people', '--key', 'ada-4711', '--yes')
  await project.cli('forget', 'visits', '--key', '1', '--yes')
  const other = `
import { bronze, defineLake, silver, z } from 'moraine'
import { files } from 'moraine/sources'
export default defineLake({ name: 'shop', datasets: [silver('people', { from: bronze('people', { from: files('people.csv') }), key: 'id', schema: z.object({ id: z.string() }) })] })
`
  await project.write({ 'lake.ts': other, 'people.csv': 'id\nbob-1\n' })
  const kept = await forget()
  expect(kept.stderr).toMatch(/is no longer in lake\.ts/)
  for (const name of ['gold.daily', 'silver.visits', 'bronze.visits'])
    expect((await project.cli('drop', name)).stderr).toBe('')
  await project.run()
  const done = await project.cli('forget', 'people', '--key', 'bob-1', '--yes')
  expect([done.stderr, done.code]).toEqual(['', 0])
  expect(await tracesOf(join(project.folder, 'lake'), ['ada-4711', 'bob-1'])).toEqual([])
})

it('does not begin where it is known that what is made of the rows could not be built', async () => {
  const lake = (least: number) => `
import { bronze, defineLake, external, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const scores = external('ml.scores', { columns: { id: z.string(), score: t.double() } })
const people = silver('people', { from: bronze('people', { from: files('people.csv') }), key: 'id', schema: z.object({ id: z.string() }) })
const best = gold('best', { query: sql\`select p.id from \${people} as p join \${scores} as s on s.id = p.id where score > ${least}\` })
export default defineLake({ name: 'shop', datasets: [people, best] })
`
  const project = await Project.create({
    'lake.ts': lake(0),
    'people.csv': 'id\nada-4711\nbob-1\n',
  })
  const engine = new OtherEngine(project.storage)
  await engine.shape([
    { name: 'id', type: { kind: 'string' } },
    { name: 'score', type: { kind: 'double' } },
  ])
  await engine.append("SELECT 'ada-4711' AS id, 1::DOUBLE AS score")
  expect((await project.run()).outcome).toBe('done')
  await project.write({ 'lake.ts': lake(0.5) })
  expect((await project.run()).outcome).toBe('done')
  const refusedAs = async (why: RegExp) => {
    const { number } = await project.state()
    for (const more of [[], ['--yes']]) {
      const refused = await project.cli('forget', 'people', '--key', 'ada-4711', ...more)
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(why)])
    }
    expect((await project.state()).number).toBe(number)
  }
  await project.write({ 'lake.ts': lake(0) })
  await refusedAs(
    /gold\.best could not be built without the rows: lake\.ts defines gold\.best as of/,
  )
  await project.write({ 'lake.ts': lake(0.5) })
  const { external } = await project.state()
  const key = 'ml\u001fscores'
  const scores = external?.relations[key] as never
  await project.commit({ external: { namespaces: {}, relations: { [key]: null } } })
  await refusedAs(/gold\.best could not be built without the rows: ml\.scores cannot be read/)
  await project.commit({ external: { namespaces: {}, relations: { [key]: scores } } })
  const done = await project.cli('forget', 'people', '--key', 'ada-4711', '--yes')
  expect([done.stderr, done.code]).toEqual(['', 0])
  expect(done.stdout).toContain('ml.scores')
  expect(await project.query('select * from gold.best')).toEqual([])
})
