import { execFile } from 'node:child_process'
import { mkdir, readFile, realpath, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { openLake } from '../../../src/index.js'
import { moraine, Project, repository, step, temporaryFolder } from '../../support/project.js'

const head = `import { bronze, check, defineLake, gold, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
`
const raw = "const raw = bronze('orders', { from: files('in/*.csv') })\n"
const orders = `const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.bigint(), amount: t.int() }),
  key: 'id',
})
`

function lake(rest: string, datasets: string): string {
  return `${head}${raw}${orders}${rest}\nexport default defineLake({ name: 'shop', datasets: [${datasets}] })\n`
}

const csv = { 'in/1.csv': 'id,amount\n1,10\n2,20\n' }
const withTypo = "const sums = gold('sums', { query: sql`select sum(amonut) as s from ${orders}` })"

describe('SQL that is new', () => {
  it('is bound before a run does anything', async () => {
    const project = await Project.create({ 'lake.ts': lake(withTypo, 'orders, sums'), ...csv })
    const run = await project.run()
    expect(run.outcome).toBe('failed')
    expect(run.steps).toEqual([])
    expect(run.error).toMatchObject({
      kind: 'definition',
      problems: [
        {
          message: expect.stringContaining('"amonut" not found'),
          hint: 'Did you mean amount?',
          place: { line: 9, near: 'amonut' },
        },
      ],
    })
    expect((await project.state()).number).toBe(0)
  })

  it('that waits for the columns of a file is bound before a table is built', async () => {
    const select = orders.replace('  schema', '  select: { amount: sql`amuont::int` },\n  schema')
    const broken = `${head}${raw}${select}
export default defineLake({ name: 'shop', datasets: [orders] })`
    const project = await Project.create({ 'lake.ts': broken, ...csv })
    const plan = await project.cli('plan')
    expect(plan.stdout).toContain(
      'The SQL of silver.orders will be checked once bronze.orders has data',
    )
    expect(plan.code).toBe(0)
    const run = await project.run()
    expect(run.error?.problems?.[0]?.message).toContain('"amuont" not found')
    const state = await project.state()
    expect(Object.keys(state.batches)).toEqual(['bronze.orders'])
    expect(state.tables).toEqual({})
    // Now that nothing more is about to arrive, the plan is certain.
    expect((await project.cli('plan')).code).toBe(2)
    // A file that brings the column makes it right, whichever came first.
    await project.write({ 'in/2.csv': 'id,amount,amuont\n3,0,30\n' })
    const maybe = await project.cli('plan')
    expect(maybe.stderr).toContain('Unless newly ingested rows of bronze.orders change it')
    await project.write({ 'lake.ts': broken.replace('amuont::int', 'amount::int') })
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('select sum(amount) as s from silver.orders')).toEqual([{ s: 30n }])
  })

  it('is bound for what was built, too, once what it reads has changed', async () => {
    const sums = "const sums = gold('sums', { query: sql`select sum(amount) as s from ${orders}` })"
    const project = await Project.create({ 'lake.ts': lake(sums, 'orders, sums'), ...csv })
    expect((await project.run()).outcome).toBe('done')
    const renamed = lake(sums, 'orders, sums').replace(
      'amount: t.int()',
      "total: t.int() }), select: { total: 'amount'",
    )
    await project.write({ 'lake.ts': renamed.replace("'amount' }),", "'amount' },") })
    const run = await project.run()
    expect(run.error?.problems?.[0]?.message).toContain('gold.sums')
    expect((await project.query('from silver.orders order by id'))[0]).toHaveProperty('amount')
  })

  it('of checks and warnings is bound although the table stays', async () => {
    const checks = (condition: string) =>
      lake('', 'orders').replace(
        "  key: 'id',",
        `  key: 'id',
  rules: [rule('cheap', sql\`${condition}\`, { severity: 'warn' })],
  checks: [check.sql('none', sql\`select * from this_table where not (${condition})\`)],`,
      )
    const project = await Project.create({ 'lake.ts': checks('amount < 100'), ...csv })
    expect((await project.run()).outcome).toBe('done')
    await project.write({ 'lake.ts': checks('amont < 100') })
    const run = await project.run()
    expect(run.steps).toEqual([])
    expect(run.error?.problems).toHaveLength(2)
  })

  it('leaves no trace in the engine that later steps could read', async () => {
    const all = `const all = gold('all', { query: sql\`with silver as (select 1 as one) select * from silver, \${orders}\` })`
    const project = await Project.create({ 'lake.ts': lake(all, 'orders, all'), ...csv })
    expect(step(await project.run(), 'gold.all').rows).toBe(2)
  })
})

describe('a plan', () => {
  it('says how many rows are read again where something is looked up', async () => {
    const people = `const people = silver('people', {
  from: bronze('people', { from: files('people/*.csv', { columns: ['id'] }) }),
  schema: z.object({ id: t.bigint() }),
  key: 'id',
})
`
    const looking = orders.replace(
      "  key: 'id',",
      "  key: 'id',\n  rules: [rule('is known', sql`id in (select id from ${people})`)],",
    )
    const project = await Project.create({
      'lake.ts': `${head}${raw}${people}${looking}\nexport default defineLake({ name: 'shop', datasets: [orders] })`,
      'people/1.csv': '1\n2\n',
      ...csv,
    })
    expect((await project.run()).outcome).toBe('done')
    await project.write({ 'people/2.csv': '3\n' })
    const said = 'which it uses as a lookup: all 2 rows of bronze.orders are read again'
    expect((await project.cli('plan')).stdout).toContain(`silver.people will change, ${said}`)
    const run = await project.run()
    expect(step(run, 'silver.orders').reason).toBe(`silver.people changed, ${said}`)
  })
})

describe('what a definition logs', () => {
  it('stands beside the JSON that is asked for', async () => {
    const project = await Project.create({
      'lake.ts': `${lake('', 'orders')}console.log('loaded')\nconsole.table([1])\n`,
      ...csv,
    })
    for (const args of [['run'], ['plan'], ['query', 'from silver.orders']]) {
      const { stdout, stderr } = await project.cli('--json', ...args)
      expect(() => JSON.parse(stdout)).not.toThrow()
      if (args[0] !== 'query') expect(stderr).toContain('loaded')
    }
  })
})

describe('a new lake', () => {
  it('depends on what made it', async () => {
    const folder = join(await temporaryFolder(), 'my-lake')
    expect((await moraine(['init', folder])).code).toBe(0)
    const { dependencies } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    expect(dependencies.moraine).toMatch(/^file:/)
    const target = resolve(folder, dependencies.moraine.slice('file:'.length))
    expect(await realpath(target)).toBe(await realpath(repository))
  })

  it('is made in a package that has nothing yet, which stays as it is', async () => {
    const project = await Project.create({
      'package.json': '{"name":"mine","type":"commonjs","dependencies":{"zod":"^4.0.0"}}',
      'package-lock.json': '{}',
      '.gitignore': 'secret\n',
      'node_modules/zod/package.json': '{}',
    })
    expect((await project.cli('init', '.')).code).toBe(0)
    const found = JSON.parse(await readFile(join(project.folder, 'package.json'), 'utf8'))
    expect(found).toMatchObject({ name: 'mine', type: 'commonjs', dependencies: { zod: '^4.0.0' } })
    expect(found.dependencies.moraine).toMatch(/^file:/)
    expect(await readFile(join(project.folder, '.gitignore'), 'utf8')).toBe('secret\n')
    expect((await project.cli('run')).code).toBe(0)
  })

  it('is not made among files of others', async () => {
    const project = await Project.create({ 'notes.txt': 'mine' })
    const { code, stderr } = await project.cli('init', '.')
    expect(code).toBe(2)
    expect(stderr).toContain('is not empty: it contains notes.txt')
  })
})

describe('a program', () => {
  it.each(['read.ts', 'read.mts'])('reads a lake in a package of CommonJS: %s', async (file) => {
    const project = await Project.create({
      'lake.ts': lake('', 'orders').replace('const orders', 'export const orders'),
      'package.json': '{"type":"commonjs"}',
      [file]: `import { openLake } from 'moraine'
import shop, { orders } from './lake.js'
openLake(shop).then(async (lake) => console.log(JSON.stringify(await lake.read(orders, { columns: ['amount'] }))))`,
      ...csv,
    })
    await mkdir(join(project.folder, 'node_modules'))
    await symlink(repository, join(project.folder, 'node_modules/moraine'))
    await project.run()
    const tsx = pathToFileURL(join(repository, 'node_modules/tsx/dist/loader.mjs')).href
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', tsx, file], {
      cwd: project.folder,
    })
    expect(JSON.parse(stdout)).toEqual([{ amount: 10 }, { amount: 20 }])
  })

  it('is told what is no lake, and what is no option', async () => {
    const project = await Project.create({ 'lake.ts': lake('', 'orders'), ...csv })
    const shop = await project.load()
    await expect(openLake({} as never)).rejects.toThrow('openLake needs a lake, not an object')
    await expect(openLake(shop, { rot: 'x' } as never)).rejects.toThrow("no option 'rot'")
    const opened = await openLake(shop, { root: join(project.folder, 'lake') })
    const [orders] = shop.datasets as [never]
    await expect(opened.read(orders, { where: 'id = 1' } as never)).rejects.toThrow(
      "where must be SQL, written as sql`…`, not the string 'id = 1'",
    )
  })
})

describe('a unit test of a dataset', () => {
  it('refuses columns that an input does not have', async () => {
    const project = await Project.create({
      'lake.ts': lake(
        'export const sums = gold("sums", { query: sql`select sum(amount) as s from ${orders}` })',
        'orders, sums',
      ).replace('const orders', 'export const orders'),
      'lake.tests.ts': `import { datasetTest, given } from 'moraine/testing'
import { orders, sums } from './lake.js'
export default [datasetTest('adds', sums, { given: [given(orders, [{ amuont: 1 }] as any)], expect: [{ s: null }] as any })]`,
      ...csv,
    })
    const { code, stdout } = await project.cli('test')
    expect(code).toBe(1)
    expect(stdout).toContain("silver.orders has no column 'amuont', for which values are given")
    expect(stdout).toContain("Did you mean 'amount'?")
  })
})

describe('commands', () => {
  it('refuse rules and points that the lake does not have', async () => {
    const project = await Project.create({ 'lake.ts': lake('', 'orders'), ...csv })
    await project.cli('run')
    const rule = await project.cli('discarded', 'orders', '--rule', 'amuont')
    expect([rule.code, rule.stderr]).toEqual([2, expect.stringContaining("Did you mean 'amount'?")])
    expect((await project.cli('discarded', 'orders', '--rule', 'amount')).code).toBe(0)
    expect((await project.cli('replay', 'orders', '--rule', 'nope')).code).toBe(2)
    const early = await project.cli('query', '--at', '2020-01-01', 'from silver.orders')
    expect(early.stderr).toContain('The lake had no commits yet at 2020-01-01')
    const back = await project.cli('rollback', '--to', '0')
    expect(back.stdout).toContain('the lake is back to its state before its first commit: empty')
  })

  it('list the options that all of them take', async () => {
    const { stdout } = await moraine(['history', '--help'])
    for (const option of ['--json', '--root <url>', '-C, --directory <dir>'])
      expect(stdout).toContain(option)
  })
})
