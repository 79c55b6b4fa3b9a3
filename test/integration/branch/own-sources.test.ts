import { createHash } from 'node:crypto'
import { readFile, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { deleteBranch, renameBranch } from '../../../src/log/branch/named.js'
import { CommitLog } from '../../../src/log/log.js'
import { verifyLake } from '../../../src/log/verify/verify.js'
import { vacuum } from '../../../src/maintain/vacuum.js'
import { api } from '../../support/api.js'
import { amount, drawn } from '../../support/effort.js'
import { killed, pointsOf } from '../../support/kills.js'
import { Project } from '../../support/project.js'
import { csv, lakeFile, onBranch, shop } from './shop.js'

/*
 * An environment reads datasets from elsewhere than main: the first rows of their source, or files
 * of their own. They are kept apart, and nothing that is built of them is ever published.
 */

/** The definition with what an environment reads. */
const withSources = (sources: string, where = "branch: 'dev'") => {
  const [file] = Object.values(lakeFile()) as [string]
  const environments = `environments: { dev: { ${where}, sources: ${sources} } }`
  return { 'lake.ts': file.replace("name: 'shop',", `name: 'shop', ${environments},`) }
}

const sample = withSources("{ 'bronze.orders': { sample: 2 } }")
const ownFiles = withSources("{ 'bronze.orders': files('data/dev/*.csv') }")

const status = async (project: Project, ...args: string[]) => {
  const asked = 'select * from gold.by_status order by status'
  const { stdout, stderr } = await project.cli('query', asked, '--json', ...args)
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}

const problems = async ({ storage }: Project) =>
  (await verifyLake(storage, new CommitLog(storage))).problems

/** What the lake's own folders hold, byte for byte, by path. */
async function contents({ storage }: Project): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const folder of [
    'bronze/',
    'silver/',
    'gold/',
    'discarded/',
    'archive/',
    '_moraine/log/main/',
  ])
    for (const { path } of await storage.list(folder)) {
      const bytes = await storage.read(path)
      found.set(path, createHash('sha256').update(bytes).digest('hex'))
    }
  return found
}

/** Main as far as runs on branches could change it: all but what branches are called. */
async function main(project: Project) {
  const { tables, batches, offsets, watermarks } = await project.state()
  return { tables, batches, offsets, watermarks }
}

const branchState = async (project: Project) => (await onBranch(project, 'dev')).log.head()

describe('a branch with a sample', () => {
  it('has the first rows alone, and builds all that reads them of these', async () => {
    const project = await shop({
      'data/2.csv': csv([
        [4, 'paid', '40.00'],
        [5, 'open', '50.00'],
      ]),
    })
    const before = await main(project)
    const files = await contents(project)
    await project.write(sample)
    await project.cli('branch', 'create', 'dev')
    const planned = await project.cli('plan', '--env', 'dev')
    expect(planned.stdout).toMatch(/its rows here are the first 2 rows of its source/)
    expect(planned.stdout).toMatch(/build +silver\.orders +it is not built yet/)

    const run = await project.cli('run', '--env', 'dev')
    expect([run.code, run.stderr]).toEqual([0, ''])
    expect(await status(project, '--env', 'dev')).toEqual([
      { status: 'paid', n: 2, amount: '30.00' },
    ])
    const { batches, tables, ownSources } = await branchState(project)
    expect(batches['bronze.orders']?.map(({ number, rows }) => [number, rows])).toEqual([[1, 2]])
    expect(tables['silver.orders']?.counts).toMatchObject({ in: 2, kept: 2 })
    expect(ownSources?.['bronze.orders']).toMatchObject({ sample: 2 })

    // It is read once, also where the source has more.
    await project.write({ 'data/3.csv': csv([[6, 'paid', '60.00']]) })
    const again = await project.cli('run', '--env', 'dev', '--json')
    expect(JSON.parse(again.stdout).steps.map(({ outcome }: any) => outcome)).toEqual(
      Array(3).fill('unchanged'),
    )
    expect(again.stdout).toMatch(/a sample of 2 rows was read before/)
    const told = await project.cli('status', '--env', 'dev', '--check')
    expect(told.stdout).toMatch(/its rows here come from the first 2 rows of its source/)

    // Main has what it had, and goes on with the files that it has not read.
    expect(await main(project)).toEqual(before)
    const now = await contents(project)
    for (const [path, sum] of files) expect(now.get(path)).toBe(sum)
    expect(await problems(project)).toEqual([])
    const record = await project.run()
    expect(record.steps[0]).toMatchObject({ dataset: 'bronze.orders', rows: 1 })
    expect((await status(project)).map(({ n }: any) => n)).toEqual([1, 5])
    expect(await status(project, '--branch', 'dev')).toHaveLength(1)
  })

  it('asks an API for no more pages than it has rows of', async () => {
    const { url, asked } = await api((_, { searchParams }) => {
      const page = Number(searchParams.get('page'))
      return page > 9
        ? []
        : [1, 2].map((n) => ({ order_id: page * 2 + n, status: 'paid', amount: '1.00' }))
    })
    const [file] = Object.values(sample) as [string]
    const project = await Project.create({
      'lake.ts': file
        .replace("files('data/*.csv')", `http('${url}/orders', { paging: { page: 'page' } })`)
        .replace('import { files }', 'import { http }')
        .replace('sample: 2', 'sample: 3'),
    })
    await project.run()
    expect(await status(project)).toMatchObject([{ n: 18 }])
    const before = await main(project)
    asked.splice(0)
    const run = await project.cli('run', '--env', 'dev')
    expect([run.code, run.stderr]).toEqual([0, ''])
    expect(await status(project, '--env', 'dev')).toMatchObject([{ n: 3 }])
    expect(asked.length).toBeLessThan(4)
    asked.splice(0)
    expect((await project.cli('run', '--env', 'dev')).code).toBe(0)
    expect(asked).toEqual([])
    expect(await main(project)).toEqual(before)
  })

  it('is never published, however it is asked for', async () => {
    const project = await shop()
    await project.write(sample)
    await project.cli('run', '--env', 'dev')
    const before = await project.state()
    for (const args of [['dev'], ['dev', '--keep'], ['dev', '--refresh']]) {
      const { code, stderr } = await project.cli('promote', ...args)
      expect([args, code]).toEqual([args, 2])
      expect(stderr).toMatch(/bronze\.orders comes from the first 2 rows of its source/)
      expect(stderr).toMatch(/Nothing was published/)
    }
    const compared = await project.cli('diff', 'dev')
    expect(compared.stdout).toMatch(/they cannot be published/i)
    const shown = JSON.parse((await project.cli('branch', 'show', 'dev', '--json')).stdout)
    expect(shown).toMatchObject({ ownSources: [{ dataset: 'bronze.orders', rows: 2 }], moved: [] })
    const reviewed = await project.cli('review', 'dev')
    expect(reviewed.code).toBe(3)
    expect(reviewed.stdout).not.toMatch(/Publish exactly this/)
    expect(await project.state()).toEqual(before)

    // Nor by another name, be it that of the branch which runs publish from.
    await renameBranch(new CommitLog(project.storage), 'dev', 'review', {
      author: 'ada',
      run: null,
    })
    const refused = await project.cli('promote', 'review')
    expect([refused.code, refused.stdout]).toEqual([2, ''])
    expect((await project.state()).tables).toEqual(before.tables)
  })

  it('leaves nothing behind once it is deleted, and vacuum has run', async () => {
    const project = await shop()
    await project.write(sample)
    const files = await contents(project)
    await project.cli('run', '--env', 'dev')
    const log = new CommitLog(project.storage)
    const at = new Date(Date.now() + 86_400_000)
    const info = { author: 'ada', run: null }
    const removing = { grace: 0, remove: true, info, now: () => at }
    const data = async () =>
      [...(await contents(project)).keys()].filter((path) => !path.startsWith('_moraine/'))
    await vacuum(log, project.storage, removing)
    // While it lives, so do its rows.
    expect(await status(project, '--branch', 'dev')).toHaveLength(1)
    expect(await problems(project)).toEqual([])
    await deleteBranch(log, 'dev', info)
    await vacuum(log, project.storage, removing)
    const known = await data()
    for (const path of known) expect(files.has(path)).toBe(true)
    expect(await status(project)).toHaveLength(1)
    expect(await problems(project)).toEqual([])
  })
})

describe('a branch with files of its own', () => {
  it('takes in new ones, keeps its rows at a refresh, and begins anew from others', async () => {
    const project = await shop({
      'data/dev/1.csv': csv([[91, 'open', '1.00']]),
      'data/other/1.csv': csv([[81, 'lost', '3.00']]),
      ...ownFiles,
    })
    await project.cli('run', '--env', 'dev')
    await project.write({ 'data/dev/2.csv': csv([[92, 'open', '2.00']]) })
    const second = JSON.parse((await project.cli('run', '--env', 'dev', '--json')).stdout)
    expect(second.steps[0]).toMatchObject({ dataset: 'bronze.orders', rows: 1 })
    const own = [{ status: 'open', n: 2, amount: '3.00' }]
    expect(await status(project, '--env', 'dev')).toEqual(own)

    // Without the environment nothing is read, and its rows stay.
    await project.write({ 'data/dev/3.csv': csv([[93, 'open', '4.00']]) })
    const without = await project.cli('run', '--branch', 'dev', '--json')
    expect(without.stdout).toMatch(/its rows here are those of data\/dev/)
    expect(await status(project, '--branch', 'dev')).toEqual(own)

    // Main goes on by itself; the branch keeps its rows when it starts at main's newest state.
    await project.write({ 'data/9.csv': csv([[9, 'paid', '90.00']]) })
    await project.run()
    const refreshed = JSON.parse((await project.cli('branch', 'refresh', 'dev', '--json')).stdout)
    expect(refreshed.kept).toEqual(expect.arrayContaining(['silver.orders', 'gold.by_status']))
    expect(await status(project, '--branch', 'dev')).toEqual(own)
    expect((await project.cli('promote', 'dev')).code).toBe(2)
    const third = JSON.parse((await project.cli('run', '--env', 'dev', '--json')).stdout)
    expect(third.steps[0]).toMatchObject({ rows: 1 })
    expect(await status(project, '--env', 'dev')).toEqual([
      { status: 'open', n: 3, amount: '7.00' },
    ])
    expect(await problems(project)).toEqual([])

    // From elsewhere it begins anew.
    await project.write(withSources("{ 'bronze.orders': files('data/other/*.csv') }"))
    expect((await project.cli('run', '--env', 'dev')).code).toBe(0)
    expect(await status(project, '--env', 'dev')).toEqual([
      { status: 'lost', n: 1, amount: '3.00' },
    ])
    expect((await status(project)).map(({ n }: any) => n)).toEqual([4])

    // Rows of one source never come behind those of another one.
    const { forkedAt } = (await onBranch(project, 'dev')).log
    const back = await project.cli('rollback', '--branch', 'dev', '--to', String(forkedAt))
    expect(back.stderr).toMatch(/--undo-intake/)
    expect(await problems(project)).toEqual([])
  })

  it('is read into main by nobody, whatever is said beside', async () => {
    const project = await shop({ 'data/dev/1.csv': csv([[91, 'open', '1.00']]), ...ownFiles })
    const before = await main(project)
    expect((await project.cli('run', '--env', 'dev', '--branch', 'main')).code).toBe(0)
    expect(await main(project)).toEqual(before)
    await project.write(withSources("{ 'bronze.orders': files('data/dev/*.csv') }", "root: 'lake'"))
    const same = await project.cli('run', '--env', 'dev')
    expect(same.stderr).toMatch(/its root is that of lake\.ts/)
    // Another lake has rows of the other source alone.
    await project.write(
      withSources("{ 'bronze.orders': files('data/dev/*.csv') }", "root: 'beside'"),
    )
    expect((await project.cli('run', '--env', 'dev')).code).toBe(0)
    expect(await status(project, '--env', 'dev')).toEqual([
      { status: 'open', n: 1, amount: '1.00' },
    ])
    expect(await main(project)).toEqual(before)
  })

  it('exports nothing where it is another lake: warehouses have the rows of this one', async () => {
    const definition = `
import { bronze, defineLake, folder, gold, sql, warehouse } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('data/*.csv') })
const all = gold('all_orders', { query: sql\`select id from \${raw}\` })
export default defineLake({
  name: 'shop',
  datasets: [all],
  environments: { dev: { root: 'beside', sources: { 'bronze.orders': { sample: 1 } } } },
  exports: [warehouse(folder('out'), { tables: [all] })],
})`
    const project = await Project.create({
      'lake.ts': definition,
      'data/1.csv': 'id\n1\n2\n3\n',
    })
    const exported = async () =>
      JSON.parse(await readFile(join(project.folder, 'out/all_orders/_latest.json'), 'utf8'))
    await project.cli('run')
    expect((await exported()).moraine).toMatchObject({ number: 1, rows: 3 })
    expect((await project.cli('run', '--env', 'dev')).code).toBe(0)
    expect((await exported()).moraine).toMatchObject({ number: 1, rows: 3 })
    const { stderr } = await project.cli('export', '--env', 'dev')
    expect(stderr).toContain("Environment 'dev' has sources of its own, and exports nothing")
  })

  it('is to be deleted, and not published, before rows are forgotten', async () => {
    const project = await shop()
    await project.write(withSources("{ 'bronze.orders': { sample: 1 } }"))
    expect((await project.cli('run', '--env', 'dev')).code).toBe(0)
    const { stdout, stderr } = await project.cli('forget', 'orders', '--key', '1')
    expect(stdout).toMatch(/silver\.orders +1 row/)
    expect(stderr).toContain('Branch dev has states of the lake with these rows')
    expect(stderr).toContain(
      "from other sources than main's. Delete it first: moraine branch delete dev",
    )
  })

  it('exports what another lake has only where its environment says so', async () => {
    const definition = (prod = '') => `
import { bronze, defineLake, folder, gold, sql, warehouse } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('data/*.csv') })
const all = gold('all_orders', { query: sql\`select id from \${raw}\` })
export default defineLake({
  name: 'shop',
  datasets: [all],
  environments: { prod: { root: 'prod'${prod} }, here: { root: './lake/' } },
  exports: [warehouse(folder('out'), { tables: [all] })],
})`
    const project = await Project.create({ 'lake.ts': definition(), 'data/1.csv': 'id\n1\n2\n' })
    const latest = join(project.folder, 'out/all_orders/_latest.json')
    const left = "Environment 'prod' has a root of its own, and exports nothing"
    const run = await project.cli('run', '--env', 'prod')
    expect([run.code, run.stderr]).toEqual([0, ''])
    expect(run.stdout).toContain(`${left}. If warehouses should have its tables, add exports: true`)
    expect((await project.cli('plan', '--env', 'prod')).stdout).toContain(left)
    const refused = await project.cli('export', '--env', 'prod')
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(left)])
    await expect(readFile(latest)).rejects.toThrow('ENOENT')
    // What a root of the same lake is called changes nothing.
    const here = await project.cli('run', '--env', 'here')
    expect(here.stdout).toContain('gold.all_orders → folder: all_orders  2 rows (first export)')
    await rm(join(project.folder, 'out'), { recursive: true })
    await project.write({ 'lake.ts': definition(', exports: true'), 'data/2.csv': 'id\n3\n' })
    const said = await project.cli('run', '--env', 'prod')
    expect(said.stdout).toContain('3 rows (first export)')
    expect(said.stdout).not.toContain('exports nothing')
  })

  it('comes into no main, however its root is written, nor into that of another environment', async () => {
    const project = await shop({ 'data/dev/1.csv': csv([[91, 'open', '1.00']]) })
    await symlink(join(project.folder, 'lake'), join(project.folder, 'link'))
    const before = await main(project)
    const refused = async (where: string, said: RegExp, beside = '') => {
      const [file] = Object.values(
        withSources("{ 'bronze.orders': files('data/dev/*.csv') }", where),
      ) as [string]
      await project.write({
        'lake.ts': file.replace('environments: {', `environments: { ${beside}`),
      })
      const { code, stderr } = await project.cli('run', '--env', 'dev')
      expect([where, code]).toEqual([where, 2])
      expect(stderr).toMatch(said)
      expect(await main(project)).toEqual(before)
    }
    const ofMain = /Environment 'dev' has sources, but its root is that of lake\.ts/
    await refused(`root: 'file://${project.folder}/lake'`, ofMain)
    await refused("root: 'link'", ofMain)
    await refused("root: 'lake/'", ofMain)
    const ofProd = /its root is that of environment 'prod'/
    await refused("root: 'prod'", ofProd, "prod: { root: './prod/' },")
    await refused("branch: () => 'main'", /neither a branch nor a root/)
    await refused("branch: 'main'", /neither a branch nor a root/)
  })

  it('empties no inbox beside, whose files main would never have', async () => {
    const project = await Project.create({
      'lake.ts': `
        import { bronze, defineLake, silver, t, z } from 'moraine'
        import { files, inbox } from 'moraine/sources'
        const raw = bronze('orders', { from: inbox({ path: 'drop', settle: '0ms' }) })
        const orders = silver('orders', { from: raw, schema: z.object({ id: t.int() }) })
        const towns = bronze('towns', { from: files('data/*.csv') })
        const sources = { 'bronze.towns': files('data/dev/*.csv') }
        const environments = { dev: { root: 'beside', sources } }
        export default defineLake({ name: 'shop', environments, datasets: [orders, towns] })
      `,
      'drop/1.csv': 'id\n1\n',
      'data/1.csv': 'name\nOslo\n',
      'data/dev/1.csv': 'name\nX\nY\n',
      'beside/bronze/landing/orders/1.csv': 'id\n7\n8\n9\n',
    })
    const rows = async (...args: string[]) =>
      JSON.parse((await project.cli('run', '--json', ...args)).stdout).steps.map(
        ({ dataset, rows: n }: any) => [dataset, n],
      )
    expect(await rows('--env', 'dev')).toContainEqual(['bronze.orders', 3])
    expect(await rows()).toContainEqual(['bronze.orders', 1])
  })

  it('is not saved as a query of main', async () => {
    const project = await shop(sample)
    const before = await main(project)
    expect((await project.cli('run', '--env', 'dev')).code).toBe(0)
    const query = 'select status from gold.by_status'
    const saved = await project.cli('query', '--env', 'dev', query, '--save-as', 'gold.saved')
    expect([saved.code, saved.stdout]).toEqual([2, ''])
    expect(saved.stderr).toMatch(/for main alone, and not for branch dev/)
    expect(await main(project)).toEqual(before)
  })

  it('is read where another root is said, too', async () => {
    const project = await shop({ 'data/dev/1.csv': csv([[91, 'open', '1.00']]) })
    const before = await main(project)
    const own = "{ 'bronze.orders': files('data/dev/*.csv') }"
    await project.write(withSources(own, "root: 'beside'"))
    const root = ['--env', 'dev', '--root', join(project.folder, 'elsewhere')]
    expect((await project.cli('run', ...root)).code).toBe(0)
    expect(await status(project, ...root)).toEqual([{ status: 'open', n: 1, amount: '1.00' }])
    expect(await main(project)).toEqual(before)
  })

  it('is told as mistakes of lake.ts where it names what is not there', async () => {
    const project = await shop()
    const said = async (sources: string, where?: string) => {
      await project.write(withSources(sources, where))
      const { code, stderr } = await project.cli('plan')
      expect(code).toBe(2)
      return stderr
    }
    expect(await said("{ 'bronze.order': { sample: 5 } }")).toMatch(/Did you mean 'bronze.orders'/)
    expect(await said("{ 'silver.orders': { sample: 5 } }")).toMatch(/reads no source of its own/)
    expect(await said("{ 'bronze.orders': { sample: 0 } }")).toMatch(/must be a number of rows/)
    expect(await said("{ 'bronze.orders': 'data' }")).toMatch(/must be a source/)
    expect(await said("{ 'bronze.orders': { sample: 5 } }", "ttl: '1d'")).toMatch(
      /neither a branch nor a root/,
    )
  })
})

describe('a run on such a branch that is killed', () => {
  it('leaves main as it was, and the next one completes the branch', async () => {
    const project = await shop({
      'data/dev/1.csv': csv([[91, 'open', '1.00']]),
      ...ownFiles,
    })
    const root = join(project.folder, 'lake')
    const before = await main(project)
    const command = ['run', '--env', 'dev']
    const points = drawn(await pointsOf(project, root, { command }), amount(3, 8, 24))
    for (const at of points) {
      await project.cli('branch', 'delete', 'dev')
      await killed(project, root, `${at % 2 ? 'before' : 'after'}:${at}`, { command })
      expect(await main(project)).toEqual(before)
      expect(await problems(project)).toEqual([])
      expect((await project.cli(...command)).code).toBe(0)
      expect(await status(project, '--env', 'dev')).toEqual([
        { status: 'open', n: 1, amount: '1.00' },
      ])
    }
    expect(await main(project)).toEqual(before)
  })
})
