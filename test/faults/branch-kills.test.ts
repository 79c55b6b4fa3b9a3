import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openNamed } from '../../src/log/branch/named.js'
import type { LakeState } from '../../src/log/commit.js'
import { CommitLog } from '../../src/log/log.js'
import { verifyLake } from '../../src/log/verify/verify.js'
import { vacuum } from '../../src/maintain/vacuum.js'
import { LocalStorage } from '../../src/storage/local.js'
import { csv, lakeFile, shop } from '../integration/branch/shop.js'
import { amount, sample } from '../support/effort.js'
import { killed, pointsOf, waysAt } from '../support/kills.js'
import type { Project } from '../support/project.js'

/*
 * Commands of branches that are killed before and after points at which they touch the lake: it is
 * as before or as after, and the same command, given again, leads to where it would have led.
 * `diff` writes nothing.
 */

const info = { author: 'ada', run: null }

/** What can be told of a lake whatever its files are called. */
async function shapeOf(storage: LocalStorage) {
  const log = new CommitLog(storage)
  const head = await log.head()
  const tables = (state: LakeState) =>
    Object.entries(state.tables).map(([name, { rows, definition }]) => [
      name,
      rows,
      definition,
      state.offsets[name] !== undefined,
    ])
  const branches: Record<string, unknown> = {}
  for (const name of Object.keys(head.branches ?? {})) {
    const branch = await openNamed(log, name)
    const own = await branch.head()
    branches[name] = { tables: tables(own), batches: own.batches }
  }
  return JSON.parse(JSON.stringify({ tables: tables(head), batches: head.batches, branches }))
}

/** A lake whose branch has another gold than main, and one that main has moved away from. */
async function lakes(): Promise<Project> {
  const project = await shop()
  for (const name of ['dev', 'fresh', 'late']) await project.cli('branch', 'create', name)
  await project.write(lakeFile({ minimum: 20 }))
  for (const name of ['dev', 'late']) await project.cli('run', '--branch', name)
  // Only bronze is new on main: dev waits for it, and late is brought up to date.
  return project
}

const commands: readonly (readonly string[])[] = [
  ['branch', 'create', 'other', '--ttl', '7d'],
  ['run', '--branch', 'fresh'],
  ['promote', 'dev'],
  ['branch', 'rename', 'dev', 'new'],
  ['branch', 'delete', 'dev'],
  ['branch', 'refresh', 'late'],
]

it('leaves the lake as before or as after, wherever it is killed', async () => {
  const project = await lakes()
  const inFolder = (name: string) => join(project.folder, name)
  let deaths = 0
  for (const [i, command] of commands.entries()) {
    if (command[1] === 'refresh') {
      await project.write({ 'data/2.csv': csv([[4, 'paid', '40.00']]) })
      await project.cli('run', 'bronze.orders')
    }
    const before = await shapeOf(project.storage)
    const whole = inFolder(`whole-${i}`)
    await cp(inFolder('lake'), whole, { recursive: true })
    const points = await pointsOf(project, whole, { command })
    const after = await shapeOf(new LocalStorage(whole))
    for (const how of waysAt(sample(points, 1, 3), amount(1, 1, 10))) {
      const root = inFolder(`${how.replace(':', '-')}-${i}`)
      await cp(inFolder('lake'), root, { recursive: true })
      if ((await killed(project, root, how, { command })).died) deaths++
      const storage = new LocalStorage(root)
      const told = `${command.join(' ')}, killed ${how}`
      const then = await shapeOf(storage)
      expect([before, after], told).toContainEqual(then)
      expect((await verifyLake(storage, new CommitLog(storage))).problems, told).toEqual([])
      // A vacuum right behind it leaves what the commit leads to, whether it was made or not.
      await vacuum(new CommitLog(storage), storage, { grace: 0, remove: true, info })
      expect(await shapeOf(storage), told).toEqual(then)
      expect((await verifyLake(storage, new CommitLog(storage))).problems, told).toEqual([])
      // Given again it does it, or says that there is nothing to do any more.
      await killed(project, root, 'count', { command })
      expect(await shapeOf(storage), told).toEqual(after)
      await vacuum(new CommitLog(storage), storage, { grace: 0, remove: true, info })
      expect(await storage.list('_moraine/coming/'), told).toEqual([])
      expect((await verifyLake(storage, new CommitLog(storage))).problems, told).toEqual([])
    }
  }
  expect(deaths).toBeGreaterThan(commands.length)
}, 1_800_000)

/** The same of main and of the branch for reviews; batches by their rows, as ids are random. */
async function stateOf(storage: LocalStorage) {
  const { tables, batches, branches } = await shapeOf(storage)
  // One without rows holds in quarantine what a killed run was reading: it is read by itself then.
  const rows = (batches['bronze.orders'] as { rows: number }[])
    .map((batch) => batch.rows)
    .filter((n) => n > 0)
  return { tables, rows, review: branches.review.tables }
}

it("keeps main's tables, and what waits for a review, wherever a run for one is killed", async () => {
  const project = await shop()
  await project.write({
    ...lakeFile({ publish: 'review' }),
    'data/2.csv': csv([[4, 'paid', '4.00']]),
  })
  await project.cli('run')
  await project.write({ 'data/3.csv': csv([[5, 'paid', '5.00']]) })
  const inFolder = (name: string) => join(project.folder, name)
  const before = await stateOf(project.storage)
  const whole = inFolder('whole')
  await cp(inFolder('lake'), whole, { recursive: true })
  const points = await pointsOf(project, whole)
  const after = await stateOf(new LocalStorage(whole))
  expect(after.tables).toEqual(before.tables)
  expect(after.review).not.toEqual(before.review)
  let deaths = 0
  for (const how of waysAt(sample(points, 4, 12), amount(2, 4, 10))) {
    const root = inFolder(how.replace(':', '-'))
    await cp(inFolder('lake'), root, { recursive: true })
    if ((await killed(project, root, how)).died) deaths++
    const storage = new LocalStorage(root)
    const then = await stateOf(storage)
    expect(then.tables, how).toEqual(before.tables)
    expect([before.rows, after.rows], how).toContainEqual(then.rows)
    expect([before.review, after.review], how).toContainEqual(then.review)
    expect((await verifyLake(storage, new CommitLog(storage))).problems, how).toEqual([])
    await killed(project, root, 'count')
    expect(await stateOf(storage), how).toEqual(after)
    expect((await verifyLake(storage, new CommitLog(storage))).problems, how).toEqual([])
  }
  expect(deaths).toBeGreaterThan(1)
}, 1_800_000)
