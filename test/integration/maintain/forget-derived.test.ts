import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Project } from '../../support/project.js'
import { tracesOf } from '../../support/traces.js'

/* What is made of a person's rows by other ways than a copy: and what was made and never seen. */

const lakeOf = ({ checks = '', note = "sql`'v1'`" } = {}) => `
import { bronze, check, defineLake, duckdbFile, gold, history, lookup, silver, sql, t, warehouse, z } from 'moraine'
import { files } from 'moraine/sources'
const from = (name) => bronze(name, { from: files(name + '/*.csv') })
export const people = silver('people', {
  from: from('people'), key: 'id', cursor: 'v', history: true, deleteWhen: sql\`op = 'D'\`, partitionBy: ['id'],
  schema: z.object({ id: z.string(), name: z.string(), v: t.int() }), checks: [${checks}],
})
export const vips = silver('vips', {
  from: people, key: 'id', cursor: 'v', history: true,
  schema: z.object({ id: z.string(), name: z.string(), v: t.int(), note: z.string() }), select: { note: ${note} },
})
export const orders = silver('orders', {
  from: from('orders'), key: 'n', cursor: 'n', history: true,
  schema: z.object({ n: t.int(), name: z.string().nullable() }), select: { name: lookup(people, 'name', 'person') },
})
const each = gold('each', { query: sql\`select id, max(name) as name, count(*) as n from \${people} group by id\`, incremental: { by: 'id' }, partitionBy: ['id'] })
const past = gold('past', { query: sql\`select name, count(*) as n from \${history(people)} group by name\` })
export default defineLake({
  name: 'made', datasets: [people, vips, orders, each, past],
  exports: [warehouse(duckdbFile('warehouse.duckdb'), { tables: [each], schema: 'reports' })],
})
`
const files = {
  'people/1.csv': 'id,name,v,op\nada-4711,Ada Lovelace,1,\nbob-1,Bob,1,\neve-2,Eve Moore,1,\n',
  'orders/1.csv': 'n,person\n1,ada-4711\n2,bob-1\n3,eve-2\n',
}
const ada = ['ada-4711', 'Ada Lovelace', 'Lady Ada']
const eve = ['eve-2', 'Eve Moore']

it('removes a person from what is looked up, made of tables, tried on branches, and never published', async () => {
  const project = await Project.create({ 'lake.ts': lakeOf(), ...files })
  const workers = await project.cli('run', '--engine', 'workers:2')
  expect([workers.stderr, workers.code]).toEqual(['', 0])
  await project.write({
    'people/2.csv': 'id,name,v,op\nada-4711,Lady Ada,2,\neve-2,,3,D\n',
    'orders/2.csv': 'n,person\n4,ada-4711\n',
  })
  expect((await project.cli('run', '--engine', 'workers:2')).code).toBe(0)

  await mkdir(join(project.folder, 'lake-dev/sample-1000'), { recursive: true })
  // A branch with tables of its own, which is deleted.
  await project.cli('branch', 'create', 'dev')
  await project.write({ 'lake.ts': lakeOf({ note: "sql`'v2'`" }) })
  expect((await project.cli('run', '--branch', 'dev')).code).toBe(0)
  await project.cli('branch', 'delete', 'dev')

  // A run whose check does not hold: what it built can be looked at.
  const checks = "check.sql('none', sql`select 1 from this_table where name = 'Bobby'`)"
  await project.write({
    'lake.ts': lakeOf({ checks }),
    'people/3.csv': 'id,name,v,op\nada-4711,Lady Ada,5,\nbob-1,Bobby,5,\n',
  })
  const { run, outcome } = await project.run()
  expect(outcome).not.toBe('done')
  const unpublished = ['query', '--run', run, 'select name from silver.people order by 1']
  expect((await project.cli(...unpublished)).stdout).toContain('Bobby')
  await rm(join(project.folder, 'people/3.csv'))
  await project.write({ 'lake.ts': lakeOf() })
  expect((await project.run()).outcome).toBe('done')

  const before = await tracesOf(join(project.folder, 'lake'), [...ada, ...eve])
  for (const place of [
    'history/vips',
    'history/orders',
    'deleted/people',
    'tombstones/people',
    'gold/each',
  ])
    expect([place, before.some((found) => found.startsWith(place))]).toEqual([place, true])
  for (const key of ['ada-4711', 'eve-2']) {
    const dry = JSON.parse((await project.cli('--json', 'forget', 'people', '--key', key)).stdout)
    expect(dry.elsewhere.exports).toEqual(['duckdb: each'])
    expect(dry.elsewhere.kept).toEqual([
      'lake-dev: samples of all rows, for moraine dev: remove it',
    ])
    const told = await project.cli('--json', 'forget', 'people', '--key', key, '--yes')
    expect([key, told.stderr, told.code]).toEqual([key, '', 0])
    const done = JSON.parse(told.stdout)
    expect([done.rows, done.files]).toEqual([dry.rows, dry.files])
  }
  // Orders only look a name up: nothing says that they are theirs.
  const left = (await tracesOf(join(project.folder, 'lake'), [...ada, ...eve])).filter(
    (found) => !/^bronze\/orders\/.*: (ada-4711|eve-2)$/.test(found),
  )
  expect(left).toEqual([])
  expect(await project.query('select n, name from silver.orders order by n')).toEqual([
    { n: 1, name: null },
    { n: 2, name: 'Bobby' },
    { n: 3, name: null },
    { n: 4, name: null },
  ])
  expect((await project.cli(...unpublished)).stderr).toContain('has no unpublished tables')
  const verified = await project.cli('verify', '--deep')
  expect([verified.stderr, verified.code]).toEqual(['', 0])
  expect((await project.run()).outcome).toBe('done')
})
