import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { Project, repository } from '../support/project.js'
import { Served } from '../support/served.js'
import { withService } from '../support/services.js'
import { python, sparkJar } from './readers.js'

const definition = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const sales = bronze('sales', { from: files('in/orders-*.csv') })
const seen = bronze('seen', { from: files('in/visits-*.csv') })
const orders = silver('orders', {
  from: sales, key: 'id', schema: z.object({ id: t.int(), 'unit price': t.decimal(9, 2) }),
})
const visits = silver('visits', {
  from: seen, key: 'id', writes: 'allow', schema: z.object({ id: t.int(), note: t.string().optional() }),
})
const totals = gold('totals', { query: sql\`select count(*) as n, sum("unit price") as total from \${orders}\` })
const notes = gold('notes', { query: sql\`select id, note from \${visits}\` })
export default defineLake({ name: 'managed', datasets: [totals, notes] })
`

const TOKEN = 'open sesame'

/** Forty orders, one of which a second batch has changed, and three visits. */
async function lake(): Promise<Project> {
  const many = Array.from({ length: 40 }, (_, i) => `${i + 10},1.50`).join('\n')
  const project = await Project.create({
    'lake.ts': definition,
    'in/orders-1.csv': `id,unit price\n${many}\n`,
    'in/visits-1.csv': 'id,note\n1,a\n2,b\n3,c\n',
  })
  expect((await project.run()).outcome).toBe('done')
  await project.write({ 'in/orders-2.csv': 'id,unit price\n10,2.50\n' })
  expect((await project.run({ rewriteUpTo: 0 })).outcome).toBe('done')
  return project
}

async function served(project: Project): Promise<string> {
  const server = Served.start(project, ['--catalog'], { MORAINE_TOKEN: TOKEN })
  const { url } = await server.line(({ event }) => event === 'catalog')
  return String(url)
}

async function tell(script: string, ...args: string[]) {
  const path = join(repository, 'test/foreign', script)
  const { stdout } = await promisify(execFile)(python as string, [path, ...args])
  return JSON.parse(stdout.slice(stdout.indexOf('{"')))
}

/** Why and what else, as each client shows it; all of them show the catalog's own words. */
const REASONS: Readonly<Record<string, string>> = {
  append: 'Cannot append to silver.orders: its rows are computed from its inputs',
  insert: 'Cannot append to silver.orders: its rows are computed from its inputs',
  column: 'Cannot change the columns of silver.orders: lake.ts defines them',
  partition: 'Cannot change the partitions of silver.orders: lake.ts defines them',
  order: 'Cannot change the sort order of silver.orders',
  property: 'Cannot change the properties of silver.orders: lake.ts defines it',
  format: 'Cannot upgrade the format of silver.orders',
  branch: 'Cannot create or change the branch dev of silver.orders',
  back: 'moraine rollback',
  drop: 'Cannot drop silver.orders: lake.ts defines it',
  // Spark refuses these itself, by the property that the catalog does not let it change.
  expire: 'GC is disabled',
  orphans: 'GC is disabled',
  purge: 'GC is disabled',
  rename: 'Cannot rename silver.orders: lake.ts defines it',
  create: 'its tables are defined in lake.ts',
  'visits column': 'Cannot change the columns of silver.visits',
}

function expectReasons(refused: Record<string, string | null>) {
  for (const [name, said] of Object.entries(refused))
    expect([name, said]).toEqual([name, expect.stringContaining(REASONS[name] ?? 'silver.orders')])
}

/** What must hold once engines have worked on the lake. */
async function goesOn(project: Project) {
  const first = await project.run({ rewriteUpTo: 0 })
  expect(first.steps.map(({ dataset, outcome }) => [dataset, outcome])).toContainEqual([
    'gold.totals',
    'unchanged',
  ])
  expect(first.outcome).toBe('done')
  await project.write({
    'in/orders-3.csv': 'id,unit price\n11,3.50\n50,1.00\n',
    'in/visits-2.csv': 'id,note\n3,later\n20,late\n',
  })
  expect((await project.run({ rewriteUpTo: 0 })).outcome).toBe('done')
  expect(await project.query('select * from gold.totals')).toEqual([{ n: 41n, total: '64.00' }])
  expect((await project.cli('verify', '--deep')).code).toBe(0)
}

withService('PyIceberg', [python], () => {
  it('tags tables of the lake, keeps statistics, and writes where it may', async () => {
    const project = await lake()
    const { refused, ...seen } = await tell('managed_pyiceberg.py', await served(project), TOKEN)
    expect(seen).toEqual({
      refs: ['day', 'main'],
      statistics: [true],
      visits: [
        [1, 'a'],
        [2, 'b'],
        [3, 'c'],
        [6, 'overwritten'],
        [7, 'merged'],
      ],
    })
    expectReasons(refused)
    await goesOn(project)
    expect(await project.query('select id, note from gold.notes order by id')).toEqual([
      { id: 1, note: 'a' },
      { id: 2, note: 'b' },
      { id: 3, note: 'later' },
      { id: 6, note: 'overwritten' },
      { id: 7, note: 'merged' },
      { id: 20, note: 'late' },
    ])
  })
})

withService('Spark', [python, sparkJar], () => {
  it('tags and compacts tables of the lake, merges where it may, and says why not', async () => {
    const project = await lake()
    const url = await served(project)
    const { refused, ...seen } = await tell('managed_spark.py', sparkJar as string, url, TOKEN)
    expect(seen).toMatchObject({
      before: 3,
      rewritten: 2,
      rows: 40,
      tagged: 40,
      statistics: expect.stringContaining('/silver/orders/metadata/'),
      visits: [
        [1, 'seen'],
        [3, 'changed'],
        [9, 'new'],
        [10, 'inserted'],
      ],
    })
    expectReasons(refused)
    const history = await project.cli('history')
    expect(history.stdout).toContain('rewrite 2 files of silver.orders as 1 (spark)')
    expect(history.stdout).toMatch(
      /adopt \d+ added and \d+ removed rows of silver\.visits \(spark\)/,
    )
    await goesOn(project)
    expect(await project.query('select id, note from gold.notes order by id')).toEqual([
      { id: 1, note: 'seen' },
      { id: 3, note: 'later' },
      { id: 9, note: 'new' },
      { id: 10, note: 'inserted' },
      { id: 20, note: 'late' },
    ])
  })
})
