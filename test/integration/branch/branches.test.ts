import { describe, expect, it } from 'vitest'
import { Lakehouse } from '../../../src/load/lakehouse.js'
import { createBranch, deleteBranch, namedBranch } from '../../../src/log/branch/named.js'
import { CommitLog } from '../../../src/log/log.js'
import { verifyLake } from '../../../src/log/verify/verify.js'
import { type Vacuumed, vacuum } from '../../../src/maintain/vacuum.js'
import { moraine, type Project } from '../../support/project.js'
import { change, csv, lakeFile, onBranch, shop } from './shop.js'

/*
 * A branch of the whole lake: what is built there shares all files with main that its definition
 * leaves as they are, and nobody else sees it.
 */

const author = { author: 'ada', run: null }
const info = { ...author, message: 'test' }

const problems = async ({ storage }: Project) =>
  (await verifyLake(storage, new CommitLog(storage))).problems

describe('a branch', () => {
  it('is built by a changed definition from tables of main, which stays as it is', async () => {
    const project = await shop()
    expect((await project.cli('branch', 'create', 'dev')).code).toBe(0)
    const before = await project.state()
    await project.write(change({ minimum: 20 }))

    const planned = await project.cli('plan', '--branch', 'dev', '--json')
    const { steps } = JSON.parse(planned.stdout)
    expect(steps.map(({ dataset, action }: any) => [dataset, action])).toEqual([
      ['bronze.orders', 'none'],
      ['silver.orders', 'none'],
      ['gold.by_status', 'build'],
    ])
    expect((await project.cli('plan', '--branch', 'dev', '--exit-code')).code).toBe(2)
    const run = await project.cli('run', '--branch', 'dev')
    expect((await project.cli('plan', '--branch', 'dev', '--exit-code')).code).toBe(0)
    expect(run.stdout).toMatch(/commit \d+ of branch dev/)

    const main = await project.state()
    expect(main.tables).toEqual(before.tables)
    const branch = await onBranch(project, 'dev')
    const head = await branch.log.head()
    expect(head.tables['silver.orders']).toEqual(main.tables['silver.orders'])
    expect(head.tables['gold.by_status']).not.toEqual(main.tables['gold.by_status'])
    expect(head.batches).toEqual(main.batches)
    const rows = async (...args: string[]) =>
      JSON.parse((await project.cli('query', 'from gold.by_status', '--json', ...args)).stdout)
    expect(await rows()).toEqual([{ status: 'paid', n: 3, amount: '60.00' }])
    expect(await rows('--branch', 'dev')).toEqual([{ status: 'paid', n: 2, amount: '50.00' }])
    expect(await problems(project)).toEqual([])
  })

  it('reads no source: new files are for main, and for branches after a refresh', async () => {
    const project = await shop()
    await project.cli('branch', 'create', 'dev')
    await project.write({ ...change({ minimum: 20 }), 'data/2.csv': csv([[4, 'paid', '40.00']]) })
    const on = await project.cli('run', '--branch', 'dev', '--json')
    const [bronze] = JSON.parse(on.stdout).steps
    expect(bronze.reason).toMatch(/sources are read on main/)
    expect((await project.state()).batches['bronze.orders']).toHaveLength(1)
    const refused = await project.cli('run', '--branch', 'dev', '--reread', 'orders')
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/Sources are read on main/)

    await project.write(lakeFile())
    await project.run()
    const moved = JSON.parse((await project.cli('branch', 'show', 'dev', '--json')).stdout)
    expect(moved.moved.map(({ by }: any) => by)).toContain('silver.orders')
    const refreshed = JSON.parse((await project.cli('branch', 'refresh', 'dev', '--json')).stdout)
    expect(refreshed.kept).toEqual(['gold.by_status'])
    await project.write(change({ minimum: 20 }))
    expect((await project.cli('run', '--branch', 'dev')).code).toBe(0)
    const rows = await project.cli('query', 'from gold.by_status', '--json', '--branch', 'dev')
    expect(JSON.parse(rows.stdout)).toEqual([{ status: 'paid', n: 3, amount: '90.00' }])
  })

  it('says that it cannot show how files are read differently', async () => {
    const project = await shop()
    await project.cli('branch', 'create', 'dev')
    const semicolons = String(lakeFile()['lake.ts']).replace(
      "files('data/*.csv')",
      "files('data/*.csv', { delimiter: ';' })",
    )
    await project.write({ 'lake.ts': semicolons })
    const said =
      /bronze\.orders: its definition reads files differently now, which a branch cannot show/
    const run = await project.cli('run', '--branch', 'dev')
    expect(run.stdout + run.stderr).toMatch(/reads files differently now, which a branch cannot/)
    expect((await project.cli('diff', 'dev')).stdout).toMatch(said)
    expect((await project.cli('diff', 'dev', '--markdown')).stdout).toMatch(/⚠ bronze/)
    const { notes } = JSON.parse((await project.cli('diff', 'dev', '--json')).stdout)
    expect(notes).toEqual([expect.stringMatching(said)])
    await project.write(lakeFile())
    expect((await project.cli('diff', 'dev')).stdout).not.toMatch(/differently/)
  })

  it('leaves no trace in what is told of main: its commits, its profiles, its checks', async () => {
    const project = await shop()
    await project.cli('branch', 'create', 'dev')
    for (const minimum of [5, 10, 15, 20]) {
      await project.write(change({ minimum }))
      expect((await project.cli('run', '--branch', 'dev')).code).toBe(0)
    }
    // Commits of a branch have numbers that main does not have yet.
    expect((await project.state()).number).toBe(3)
    const verified = await project.cli('verify')
    expect([verified.code, verified.stderr]).toEqual([0, ''])
    const profile = JSON.parse((await project.cli('profile', 'by_status', '--json')).stdout)
    const tried = JSON.parse(
      (await project.cli('profile', 'by_status', '--json', '--branch', 'dev')).stdout,
    )
    expect(tried.started > profile.started).toBe(true)
    expect((await project.cli('repair')).code).toBe(0)
  })

  it('is refused to commands that are for main alone, whoever says it', async () => {
    const project = await shop()
    await project.cli('branch', 'create', 'dev')
    for (const name of ['export', 'optimize', 'vacuum']) {
      const { code, stderr } = await project.cli(name, '--branch', 'dev')
      expect([name, code]).toEqual([name, 2])
      expect(stderr).toMatch(/main alone|takes no --branch/)
    }
    const unknown = await project.cli('query', 'select 1', '--branch', 'nightly')
    expect(unknown.stderr).toMatch(/There is no branch nightly/)
    expect(unknown.stderr).toMatch(/There are: dev/)
    for (const args of [['query', 'select 1'], ['run'], ['diff'], ['diff', 'gold.by_status']]) {
      const byVariable = await moraine(['-C', project.folder, ...args], {
        MORAINE_BRANCH: 'nightly',
      })
      expect([args, byVariable.code]).toEqual([args, 2])
      expect(byVariable.stderr).toMatch(/There is no branch nightly/)
      expect(byVariable.stderr).toMatch(/MORAINE_BRANCH is set to nightly\. There are: dev/)
    }
    for (const args of [
      ['promote', 'main'],
      ['branch', 'delete', 'main'],
    ])
      expect((await project.cli(...args)).stderr).toMatch(/main is the lake itself/)
  })

  it('has no name that means a commit; one that has it by now stays usable', async () => {
    const project = await shop()
    await project.cli('branch', 'create', 'dev')
    for (const args of [
      ['create', '12'],
      ['rename', 'dev', '0'],
    ]) {
      const { code, stderr } = await project.cli('branch', ...args)
      expect(code).toBe(2)
      expect(stderr).toMatch(/A branch can't be called \d+: numbers are commits/)
    }
    expect((await project.cli('branch', 'create', '12b')).code).toBe(0)
    const main = new CommitLog(project.storage)
    const head = await main.head()
    const info = { author: 'ada', run: null, message: 'create branch 12' }
    await namedBranch(main, { name: '12', at: head, info })
    expect((await project.cli('run', '--branch', '12')).code).toBe(0)
    expect((await project.cli('branch', 'delete', '12')).code).toBe(0)
  })

  it('is renamed, and is called by its new name alone', async () => {
    const project = await shop()
    await project.cli('branch', 'create', 'dev')
    await project.cli('branch', 'create', 'other')
    expect((await project.cli('branch', 'rename', 'dev', 'other')).stderr).toMatch(/already/)
    expect((await project.cli('branch', 'rename', 'dev', '../dev')).code).toBe(2)
    expect((await project.cli('branch', 'rename', 'dev', 'next')).code).toBe(0)
    const list = JSON.parse((await project.cli('branch', '--json')).stdout)
    expect(list.map(({ branch }: any) => branch)).toEqual(['next', 'other'])
    expect((await project.cli('status', '--branch', 'dev')).code).toBe(2)
    expect((await project.cli('status', '--branch', 'next')).code).toBe(0)
  })
})

describe('files of branches', () => {
  /** All files that a vacuum at a time would remove, and removes. */
  const vacuumAt = (project: Project, now: Date, grace = 0) =>
    vacuum(new CommitLog(project.storage), project.storage, {
      ...{ grace, remove: true, info, now: () => now },
    })

  /** Files of tables among those: runs leave others. */
  const tablesOf = ({ examples }: Vacuumed) =>
    examples.filter((path) => /^(silver|gold)/.test(path))

  it('stay while it lives, and go after it is deleted and the grace is over', async () => {
    const project = await shop()
    await project.cli('branch', 'create', 'dev')
    await project.write(change({ minimum: 20 }))
    await project.cli('run', '--branch', 'dev')
    const later = new Date(Date.now() + 86_400_000)
    expect(tablesOf(await vacuumAt(project, later))).toEqual([])
    const { log } = await onBranch(project, 'dev')
    const table = (await log.head()).tables['gold.by_status']?.metadata as string

    await deleteBranch(new CommitLog(project.storage), 'dev', author)
    // Whoever reads it at this moment may go on for the grace.
    expect(tablesOf(await vacuumAt(project, later, 2 * 86_400_000))).toEqual([])
    expect(await project.storage.stat(table)).toBeDefined()
    expect((await vacuumAt(project, later)).files).toBeGreaterThan(2)
    expect(await project.storage.stat(table)).toBeUndefined()
    expect(await problems(project)).toEqual([])
  })

  it('that a failed check has set aside go with the branch they were built on', async () => {
    const project = await shop()
    await project.cli('branch', 'create', 'dev')
    await project.write(change({ minimum: 20, least: 5 }))
    const run = JSON.parse((await project.cli('run', '--branch', 'dev', '--json')).stdout)
    expect(run.rejected).toEqual(['gold.by_status'])
    const look = ['query', 'from gold.by_status', '--json', '--run', run.run]
    const shown = await project.cli(...look, '--branch', 'dev')
    expect(JSON.parse(shown.stdout)).toEqual([{ status: 'paid', n: 2, amount: '50.00' }])
    const later = new Date(Date.now() + 86_400_000)
    expect(tablesOf(await vacuumAt(project, later))).toEqual([])
    expect(await problems(project)).toEqual([])
    await deleteBranch(new CommitLog(project.storage), 'dev', author)
    expect((await vacuumAt(project, later)).files).toBeGreaterThan(2)
    expect(await problems(project)).toEqual([])
  })

  it('go when its time is over, which counts from its last commit', async () => {
    const project = await shop()
    expect((await project.cli('branch', 'create', 'dev', '--ttl', '14d')).code).toBe(0)
    await project.cli('branch', 'create', 'lasting')
    await project.write(change({ minimum: 20 }))
    await project.cli('run', '--branch', 'dev')
    const at = (days: number) => new Date(Date.now() + days * 86_400_000)
    expect((await vacuumAt(project, at(13))).branches).toEqual([])
    expect(await vacuumAt(project, at(15))).toMatchObject({ branches: ['dev'] })
    expect(Object.keys((await project.state()).branches ?? {})).toEqual(['lasting'])
  })

  it('stay while a run works on them, which is about to commit there', async () => {
    const project = await shop()
    const main = new CommitLog(project.storage)
    const created = new Date(Date.now() - 20 * 86_400_000).toISOString()
    const life = { created, ttl: 14 * 86_400_000 }
    await createBranch(main, 'dev', await main.head(), { ...author, life })
    await project.write(change({ minimum: 20 }))
    const { storage } = project
    const create = storage.createIfAbsent.bind(storage)
    let vacuumed: Vacuumed | undefined
    storage.createIfAbsent = async (path, bytes) => {
      if (/^_moraine\/log\/dev\.\w+\/\d+\.json$/.test(path))
        vacuumed ??= await vacuumAt(project, new Date(), 7 * 86_400_000)
      return create(path, bytes)
    }
    const house = await new Lakehouse(storage).onBranch('dev')
    const engine = await house.startEngine({ threads: 2 })
    try {
      const { outcome } = await house.run(await project.load(), { engine })
      expect([outcome, vacuumed?.branches]).toEqual(['done', []])
    } finally {
      await engine.close()
    }
    expect((await project.state()).branches).toHaveProperty('dev')
  })

  it('of a run whose branch is deleted meanwhile are seen by nobody: the run fails', async () => {
    const project = await shop()
    const main = new Lakehouse(project.storage)
    await createBranch(main.log, 'dev', await main.log.head(), author)
    const house = await main.onBranch('dev')
    const base = await house.log.head()
    await deleteBranch(main.log, 'dev', author)
    const late = house.log.commit(base, { offsets: { 'gold.x': {} } }, info)
    await expect(late).rejects.toThrow(/was deleted meanwhile/)
  })
})

it('is made of two small objects, whatever the size of the lake', async () => {
  const project = await shop()
  const before = await project.storage.list('')
  await project.cli('branch', 'create', 'dev')
  const known = new Set(before.map(({ path }) => path))
  const added = (await project.storage.list('')).filter(({ path }) => !known.has(path))
  const own = added.filter(({ path }) => !path.startsWith('_moraine/checkpoints/'))
  expect(own.map(({ path }) => path.replace(/dev\.\w+/, 'ID')).sort()).toEqual([
    '_moraine/log/ID/fork.json',
    '_moraine/log/main/00000000000000000003.json',
  ])
  expect(own.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(2000)
})
