import { expect, it } from 'vitest'
import { Lakehouse } from '../../../src/load/lakehouse.js'
import { CommitLog } from '../../../src/log/log.js'
import { vacuum } from '../../../src/maintain/vacuum.js'
import type { Storage } from '../../../src/storage/storage.js'
import type { Project } from '../../support/project.js'
import { csv, lakeFile, onBranch, shop } from './shop.js'

/** A branch that is older than what `vacuum --history` has left of main. */

const asked = async (project: Project, ...args: string[]) => {
  const { code, stdout, stderr } = await project.cli(...args)
  return { code, stdout, stderr }
}

async function old(): Promise<Project> {
  const project = await shop()
  await project.write({ 'data/2.csv': csv([[4, 'paid', '40.00']]) })
  await project.run()
  await project.cli('branch', 'create', 'dev')
  await project.write(lakeFile({ minimum: 20 }))
  await project.cli('run', '--branch', 'dev')
  await project.write({ ...lakeFile(), 'data/3.csv': csv([[5, 'paid', '50.00']]) })
  await project.run()
  const info = { author: 'ada', run: null }
  const removed = await vacuum(new CommitLog(project.storage), project.storage, {
    ...{ grace: 0, history: 0, remove: true, info },
  })
  expect(removed.files).toBeGreaterThan(0)
  return project
}

it('says of what is gone that it is no longer visible, and not that the lake is damaged', async () => {
  const project = await old()
  for (const args of [
    ['query', 'from gold.by_status', '--branch', 'dev', '--at', '2'],
    ['rollback', '--branch', 'dev', '--to', '2'],
    ['bisect', '--branch', 'dev', '--from', '2', 'select count(*) > 3 from silver.orders'],
  ]) {
    const { code, stderr } = await asked(project, ...args)
    expect([args, code]).toEqual([args, 2])
    expect(stderr).toMatch(/Commit 2 is no longer visible: vacuum --history has removed/)
  }
  const diff = await asked(project, 'diff', 'dev')
  expect(diff.code).toBe(2)
  expect(diff.stderr).toMatch(/Commit 4, at which branch dev starts, is no longer visible/)
  expect(diff.stderr).toMatch(/moraine diff main\.\.dev.* moraine branch refresh dev/)
  expect((await asked(project, 'diff', 'main..dev')).code).toBe(0)
})

it('is shown, and can be brought up to date and published', async () => {
  const project = await old()
  const { code, stdout } = await asked(project, 'branch', 'show', 'dev', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    datasets: [{ dataset: 'gold.by_status', before: 1, after: 1 }],
    files: 1,
  })
  await project.write(lakeFile({ minimum: 20 }))
  expect(await asked(project, 'promote', 'dev', '--refresh')).toMatchObject({ code: 0, stderr: '' })
  const rows = await project.query('SELECT n FROM gold.by_status')
  expect(rows.map(({ n }) => Number(n))).toEqual([4])
})

const vacuumSince = (project: Project, since: Date, now: Date) =>
  vacuum(new CommitLog(project.storage), project.storage, {
    ...{ grace: 0, history: now.getTime() - since.getTime(), remove: true },
    ...{ info: { author: 'ada', run: null }, now: () => now },
  })

const countOn = async (project: Project, table: string, ...more: string[]) => {
  const asking = [
    'query',
    `select count(*) as n from ${table}`,
    '--json',
    '--branch',
    'dev',
    ...more,
  ]
  const { code, stdout, stderr } = await asked(project, ...asking)
  expect(code, stderr).toBe(0)
  return Number(JSON.parse(stdout)[0].n)
}

/** Changes gold on the branch, by orders below which none count; its commit. */
async function changed(project: Project, minimum: number, rule?: string): Promise<number> {
  await project.write(lakeFile({ minimum, ...(rule ? { rule } : {}) }))
  expect((await project.cli('run', '--branch', 'dev')).code).toBe(0)
  return (await (await onBranch(project, 'dev')).log.head()).number
}

it('keeps what its first commits left as it was, for as long as they can be seen', async () => {
  const project = await shop()
  await project.cli('branch', 'create', 'dev')
  await project.write({ 'data/2.csv': csv([[4, 'paid', '40.00']]) })
  await project.run()
  const since = new Date((await project.state()).time as string)
  // The first commit leaves silver as it was on main, which has another by now.
  const first = await changed(project, 20)
  await changed(project, 20, 'amount < 25')
  expect((await vacuumSince(project, since, new Date())).files).toBeGreaterThan(0)
  expect(await countOn(project, 'silver.orders', '--at', String(first))).toBe(3)
  expect(await countOn(project, 'silver.orders')).toBe(2)
  const rolled = await asked(project, 'rollback', '--branch', 'dev', '--to', String(first))
  expect(rolled).toMatchObject({ code: 0, stderr: '' })
  expect(await countOn(project, 'silver.orders')).toBe(3)
  expect((await asked(project, 'verify', '--deep')).code).toBe(0)
})

it('says of its own commits that are too old that they are no longer visible', async () => {
  const project = await shop()
  await project.cli('branch', 'create', 'dev')
  const first = await changed(project, 20)
  const second = await changed(project, 30)
  await project.write({ ...lakeFile(), 'data/2.csv': csv([[4, 'paid', '40.00']]) })
  await project.run()
  const now = new Date()
  await vacuumSince(project, now, now)
  for (const args of [
    ['query', 'from gold.by_status', '--branch', 'dev', '--at', String(first)],
    ['rollback', '--branch', 'dev', '--to', String(first)],
  ]) {
    const { code, stderr } = await asked(project, ...args)
    expect([args, code]).toEqual([args, 2])
    expect(stderr).toContain(`Commit ${first} is no longer visible: vacuum --history has removed`)
    expect(stderr).toContain(`The oldest complete commit is ${second}.`)
  }
})

/** A rollback of the branch to its first commit, with a vacuum right before a file is created. */
async function rolledBeside(vacuumBefore: string) {
  const project = await shop()
  await project.cli('branch', 'create', 'dev')
  const rows = async () => {
    const sql = 'select * from gold.by_status order by all'
    const { code, stdout, stderr } = await asked(project, 'query', sql, '--branch', 'dev')
    expect(code, stderr).toBe(0)
    return stdout
  }
  const first = await changed(project, 20)
  const before = await rows()
  await changed(project, 30)
  const later = await rows()
  expect(later).not.toBe(before)
  await project.write({ ...lakeFile(), 'data/2.csv': csv([[4, 'paid', '40.00']]) })
  await project.run()
  let vacuumed = 0
  const createIfAbsent: Storage['createIfAbsent'] = async (path, bytes) => {
    const now = new Date()
    if (path.startsWith(vacuumBefore) && vacuumed++ === 0)
      expect((await vacuumSince(project, now, now)).files).toBeGreaterThan(0)
    return project.storage.createIfAbsent(path, bytes)
  }
  const storage = new Proxy(project.storage, {
    get: (of, name) => {
      if (name === 'createIfAbsent') return createIfAbsent
      const value = Reflect.get(of, name)
      return typeof value === 'function' ? value.bind(of) : value
    },
  })
  const { log } = await new Lakehouse(storage).onBranch('dev')
  const ending = await log.rollback(first, { author: 'ada', run: null }).then(
    () => 'rolled back',
    (error: Error) => error.message,
  )
  expect(vacuumed).toBeGreaterThan(0)
  expect((await asked(project, 'verify', '--deep')).code).toBe(0)
  return { first, before, later, ending, now: await rows() }
}

it('is not rolled back to what a vacuum removed before it was said', async () => {
  const { first, later, ending, now } = await rolledBeside('_moraine/coming/dev.')
  expect(ending).toContain(`Commit ${first} is no longer visible`)
  expect(now).toBe(later)
})

it('is rolled back to what a vacuum keeps, as it was said that it would be', async () => {
  const { before, ending, now } = await rolledBeside('_moraine/log/dev.')
  expect([ending, now]).toEqual(['rolled back', before])
})
