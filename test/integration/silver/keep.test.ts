import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { CommitLog } from '../../../src/log/log.js'
import { vacuum } from '../../../src/maintain/vacuum.js'
import { Project, step } from '../../support/project.js'

const lake = (max = '') => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { inbox } from 'moraine/sources'
const raw = bronze('orders', { from: inbox({ settle: '0ms' }), archive: true, keep: '30d' })
const orders = silver('orders', { from: raw, schema: z.object({ id: t.int(), amount: t.int()${max} }), key: 'id' })
export default defineLake({ name: 'shop', datasets: [orders] })
`

async function load(
  project: Project,
  n: number,
  day: string,
): Promise<Awaited<ReturnType<Project['run']>>> {
  const folder = join(project.folder, 'lake/bronze/landing/orders')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, `${n}.csv`), `id,amount\n${n},${n}\n${n + 100},-1\n`)
  return project.run({ now: () => new Date(`${day}T10:00:00Z`) })
}

const numbers = async (project: Project) =>
  ((await project.state()).batches['bronze.orders'] ?? []).map(({ number }) => number)
const ids = async (project: Project) =>
  (await project.query('SELECT id FROM silver.orders ORDER BY id')).map(({ id }) => id)

it('lets batches go that are old and were read, and loses no row that was made from them', async () => {
  const project = await Project.create({ 'lake.ts': lake() })
  await load(project, 1, '2026-01-01')
  await load(project, 2, '2026-01-20')
  expect(await numbers(project)).toEqual([1, 2])
  const third = await load(project, 3, '2026-02-10')
  expect(third.commits.length).toBe(3)
  expect(await numbers(project)).toEqual([2, 3])
  await load(project, 4, '2026-06-01')
  expect(await numbers(project)).toEqual([4])
  // Numbers go on where all are gone.
  await project.run({ now: () => new Date('2026-12-01T00:00:00Z') })
  expect(await numbers(project)).toEqual([])
  await load(project, 5, '2026-12-02')
  expect(await numbers(project)).toEqual([5])
  expect(await ids(project)).toEqual([1, 2, 3, 4, 5, 101, 102, 103, 104, 105])
  expect((await project.cli('verify', '--deep')).code).toBe(0)

  // What needs all rows is refused, says what to do, and that works.
  await project.write({ 'lake.ts': lake('.min(0)') })
  const plan = await project.cli('plan')
  expect(plan.stdout).toContain('but bronze.orders has expired some of its rows')
  const refused = await project.cli('run')
  expect(refused.code).toBe(1)
  expect(refused.stdout).toContain(
    'silver.orders would have to be rebuilt from all of its rows, but bronze.orders has expired some of them',
  )
  expect(refused.stdout).toContain('moraine rebuild silver.orders --from archive')
  expect(await ids(project)).toHaveLength(10)
  const rebuilt = await project.cli('rebuild', 'silver.orders', '--from', 'archive')
  expect([rebuilt.code, rebuilt.stderr]).toEqual([0, ''])
  expect(await ids(project)).toEqual([1, 2, 3, 4, 5])
  const { counts } = (await project.state()).tables['silver.orders'] ?? {}
  expect(counts).toEqual({ in: 10, kept: 5, discarded: 5, superseded: 0 })
  expect((await project.cli('verify', '--deep')).code).toBe(0)
})

it('knows a file that arrives again though its batch has expired', async () => {
  const project = await Project.create({ 'lake.ts': lake() })
  await load(project, 1, '2026-01-01')
  await load(project, 2, '2026-06-01')
  expect(await numbers(project)).toEqual([2])
  const again = await load(project, 1, '2026-06-02')
  expect(step(again, 'bronze.orders').reason).toBe('1.csv arrived again and was ingested only once')
  expect(await numbers(project)).toEqual([2])
  expect((await project.cli('verify', '--deep')).code).toBe(0)
})

it('says what would come twice where the list of files of expired batches is damaged', async () => {
  const project = await Project.create({ 'lake.ts': lake() })
  await load(project, 1, '2026-01-01')
  await load(project, 2, '2026-06-01')
  const { index } = (await project.state()).watermarks['bronze.orders'] as {
    index: { path: string }
  }
  const path = join(project.folder, 'lake', index.path)
  const bytes = await readFile(path)
  await writeFile(path, 'damaged')
  const refused = await project.cli('repair', '--yes')
  expect(refused.code).toBe(1)
  expect(refused.stdout).toContain('are ingested twice')
  expect(refused.stdout).toContain('moraine repair --allow-loss')
  // It is still there to be mended: a backup does that.
  await writeFile(path, bytes)
  const again = await load(project, 1, '2026-06-02')
  expect(step(again, 'bronze.orders').reason).toBe('1.csv arrived again and was ingested only once')
  await writeFile(path, 'damaged')
  const given = await project.cli('repair', '--yes', '--allow-loss')
  expect(given.stdout).toContain('its content is read from the manifests instead')
  expect((await load(project, 3, '2026-06-03')).outcome).toBe('done')
  expect(await ids(project)).toEqual([1, 2, 3, 101, 102, 103])
})

it('builds from what there is where that is wanted', async () => {
  const project = await Project.create({ 'lake.ts': lake() })
  await load(project, 1, '2026-01-01')
  await load(project, 2, '2026-06-01')
  expect(await numbers(project)).toEqual([2])
  const now = () => new Date('2026-06-01T11:00:00Z')
  const refused = await project.run({ full: true, now })
  expect(step(refused, 'silver.orders').outcome).toBe('failed')
  expect(await ids(project)).toEqual([1, 2, 101, 102])
  await project.run({ full: true, allowLoss: true, now })
  expect(await ids(project)).toEqual([2, 102])
})

it('computes no part of gold from what is left of its batches: silver between keeps the rows', async () => {
  const definition = (between: boolean) => `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { inbox } from 'moraine/sources'
const raw = bronze('orders', { from: inbox({ settle: '0ms' }), keep: '30d' })
const orders = silver('orders', { from: raw, schema: z.object({ id: t.int(), amount: z.string() }) })
const counted = gold('counted', { query: sql\`select amount, count(*) as n from \${${between ? 'orders' : 'raw'}} group by amount\`, incremental: { by: 'amount' } })
export default defineLake({ name: 'shop', datasets: [orders, counted] })
`
  const counted = async (project: Project) =>
    (await project.query("SELECT n FROM gold.counted WHERE amount = '-1'")).map(({ n }) => n)
  const project = await Project.create({ 'lake.ts': definition(false) })
  await load(project, 1, '2026-01-01')
  await load(project, 2, '2026-02-10')
  expect([await numbers(project), await counted(project)]).toEqual([[2], [2n]])
  const refused = step(await load(project, 3, '2026-02-11'), 'gold.counted')
  expect(refused.error?.message).toContain('but bronze.orders has expired some of them')
  expect(refused.error?.hint).toContain('A silver dataset between bronze.orders and gold.counted')
  expect(await counted(project)).toEqual([2n])

  await project.write({ 'lake.ts': definition(true) })
  const now = () => new Date('2026-02-11T12:00:00Z')
  expect(step(await project.run({ allowLoss: true, now }), 'gold.counted').outcome).toBe('done')
  await load(project, 4, '2026-06-01')
  expect(await numbers(project)).toEqual([4])
  await load(project, 5, '2026-06-02')
  expect(await counted(project)).toEqual([5n])
})

it('keeps batches that somebody has not read yet', async () => {
  const project = await Project.create({ 'lake.ts': lake() })
  await project.run({ now: () => new Date('2026-01-01T00:00:00Z') })
  const folder = join(project.folder, 'lake/bronze/landing/orders')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'a.csv'), 'id,amount\n1,1\n')
  const select = ['bronze.orders']
  await project.run({ select, now: () => new Date('2026-01-01T00:00:00Z') })
  await project.run({ select, now: () => new Date('2026-12-01T00:00:00Z') })
  expect(await numbers(project)).toEqual([1])
  await project.run({ now: () => new Date('2026-12-01T00:00:00Z') })
  expect(await numbers(project)).toEqual([])
  expect(await ids(project)).toEqual([1])
})

it('brings back what is archived, also beside a batch that was discarded and is not there any more', async () => {
  const project = await Project.create({ 'lake.ts': lake() })
  await load(project, 1, '2026-01-01')
  await load(project, 2, '2026-01-02')
  expect((await project.cli('discard-batch', 'orders', '1')).code).toBe(0)
  await load(project, 3, '2026-06-01')
  await load(project, 4, '2026-09-01')
  expect(await numbers(project)).toEqual([4])
  const info = { author: 'test', run: null }
  const options = { grace: -1, history: 0, remove: true, info }
  await vacuum(new CommitLog(project.storage), project.storage, options)
  const rebuilt = await project.cli('rebuild', 'orders', '--from', 'archive')
  expect([rebuilt.code, rebuilt.stderr]).toEqual([0, ''])
  expect(await ids(project)).toEqual([2, 3, 4, 102, 103, 104])
  expect((await project.cli('verify', '--deep')).code).toBe(0)
})

it('brings back what had expired before its dataset got another name, and before a rollback took that back', async () => {
  const project = await Project.create({ 'lake.ts': lake() })
  await load(project, 1, '2026-01-01')
  await load(project, 2, '2026-01-02')
  await load(project, 3, '2026-06-01')
  expect(await numbers(project)).toEqual([3])
  const { number } = await project.state()
  const renamed = (text: string) => text.replace("bronze('orders'", "bronze('sales'")
  await project.write({ 'lake.ts': renamed(lake()) })
  expect((await project.cli('rename', 'bronze.orders', 'bronze.sales')).code).toBe(0)

  await project.write({ 'lake.ts': renamed(lake('.min(0)')) })
  expect((await project.cli('run')).stdout).toContain('rebuild silver.orders --from archive')
  const rebuilt = await project.cli('rebuild', 'silver.orders', '--from', 'archive')
  expect([rebuilt.code, rebuilt.stderr]).toEqual([0, ''])
  expect(rebuilt.stdout).toContain('bronze.sales  6 rows of 3 files in 3 batches')
  expect(await ids(project)).toEqual([1, 2, 3])
  expect((await project.cli('verify', '--deep')).code).toBe(0)

  await project.write({ 'lake.ts': lake() })
  const back = await project.cli('rollback', '--to', `${number}`)
  expect([back.code, back.stderr]).toEqual([0, ''])
  const again = await project.cli('rebuild', 'silver.orders', '--from', 'archive')
  expect([again.code, again.stderr]).toEqual([0, ''])
  expect(again.stdout).toContain('bronze.orders  6 rows of 3 files in 3 batches')
  expect(await ids(project)).toEqual([1, 2, 3, 101, 102, 103])
})

it('restores nothing where some of the batches that a dataset has had cannot be found', async () => {
  const project = await Project.create({ 'lake.ts': lake() })
  await load(project, 1, '2026-01-01')
  const log = new CommitLog(project.storage)
  await log.commit(
    await log.head(),
    { expire: { 'bronze.orders': 3 } },
    { author: 'test', run: null, message: 'expire' },
  )
  const refused = await project.cli('rebuild', 'orders', '--from', 'archive')
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('Batches 2, 3 of bronze.orders cannot be found in the log')
  expect(await numbers(project)).toEqual([])
  expect(await ids(project)).toEqual([1, 101])
})
