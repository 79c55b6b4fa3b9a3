import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm, symlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FOREIGN } from '../../../src/iceberg/foreign-path.js'
import { VACUUMED } from '../../../src/log/format/folders.js'
import { encodeSealed } from '../../../src/storage/sealed.js'
import { Project } from '../../support/project.js'
import { tracesOf } from '../../support/traces.js'

/* Where rows of a person lie beside the batches and tables of now. */

const inboxes = `
import { bronze, defineLake, folder, silver, sql, t, warehouse, z } from 'moraine'
import { files, inbox } from 'moraine/sources'
const people = silver('people', {
  from: bronze('people', { from: files('people.csv') }), key: 'id', identifies: ['email'],
  schema: z.object({ id: z.string(), email: z.string() }),
})
const rawOrders = bronze('orders', { from: inbox({ settle: '0ms' }), archive: true })
const orders = silver('orders', { from: rawOrders, key: 'n', identifies: ['id'], schema: z.object({ n: t.int(), id: z.string() }) })
const letters = silver('letters', {
  from: bronze('letters', { from: inbox({ settle: '0ms' }), keep: '1d' }), key: 'email', cursor: 'v', identifies: ['email'],
  deleteWhen: sql\`op = 'D'\`, schema: z.object({ email: z.string(), v: t.int() }),
})
const payments = silver('payments', {
  from: bronze('payments', { from: inbox({ settle: '0ms' }), archive: true }), key: 'n', schema: z.object({ n: t.int() }),
})
export default defineLake({ name: 'shop', datasets: [people, orders, letters, payments], exports: [] })
`
const people = 'id,email\nada-4711,ada@example.org\nbob-1,bob@example.org\n'
const ada = ['ada-4711', 'ada@example.org']
const day = 86_400_000

async function lakeOfInboxes(inside?: string): Promise<Project> {
  const files = {
    'lake.ts': inboxes,
    'people.csv': people,
    'lake/bronze/landing/orders/a/1.csv': 'n,id\n1,ada-4711\n2,bob-1\n',
    'lake/bronze/landing/payments/a/1.csv': 'n\n1\n2\n',
  }
  const project = await Project.create(files, undefined, inside)
  expect((await project.run()).outcome).toBe('done')
  return project
}

const forget = (project: Project, ...more: string[]) =>
  project.cli('forget', 'people', '--key', 'ada-4711', ...more)

async function forgotten(project: Project): Promise<string> {
  const done = await forget(project, '--yes')
  expect([done.stderr, done.code]).toEqual(['', 0])
  expect(await tracesOf(join(project.folder, 'lake'), ada)).toEqual([])
  const verified = await project.cli('verify', '--deep')
  expect([verified.stderr, verified.code]).toEqual(['', 0])
  return done.stdout
}

const archived = async (project: Project) =>
  (await project.storage.list('archive/')).map(({ path }) => path)

it('forget leaves nothing half written in any folder, also in one that an earlier version wrote', async () => {
  const project = await lakeOfInboxes()
  const folders = [...VACUUMED.filter((one) => one !== FOREIGN), 'archive/', '_moraine/']
  expect(folders).toContain('ended/')
  // As a process leaves it that is killed while it writes.
  for (const folder of folders) {
    const path = `lake/${folder}people/data/1.parquet.${randomUUID()}.tmp`
    await project.write({ [path]: 'ada-4711' })
    const past = new Date(Date.now() - day)
    await utimes(join(project.folder, path), past, past)
  }
  await forgotten(project)
})

describe('forget, and what was archived', () => {
  it('removes files of discarded batches where the person may be in them, and says so', async () => {
    const project = await lakeOfInboxes()
    await project.write({
      // The same content as what stays, in files of the same name and day.
      'lake/bronze/landing/payments/b/1.csv': 'n\n1\n2\n',
      'lake/bronze/landing/orders/b/2.csv': 'n,id\n3,ada-4711\n',
      'lake/bronze/landing/orders/b/3.csv': 'n,id\n4,bob-1\n',
    })
    await project.run()
    await project.cli('discard-batch', 'payments', '2')
    await project.cli('discard-batch', 'orders', '2')
    await project.run()
    const before = (await archived(project)).filter((path) => path.includes('/payments/'))
    const dry = await forget(project)
    expect(dry.stdout).toContain('archived files of 1 discarded batch')
    await forgotten(project)
    const after = await archived(project)
    expect(after.filter((path) => path.includes('/payments/'))).toEqual(before)
    expect(after.filter((path) => path.includes('/orders/'))).toEqual([])
    for (const name of ['payments', 'orders'])
      expect((await project.cli('rebuild', name, '--from', 'archive')).stderr).toBe('')
    expect(await project.query('select n from silver.payments order by n')).toHaveLength(2)
    expect(await project.query('select id from silver.orders')).toEqual([{ id: 'bob-1' }])
  })

  it('keeps a file that another batch is made of', async () => {
    const project = await lakeOfInboxes()
    await project.write({ 'lake/bronze/landing/orders/b/4.csv': 'n,id\n5,bob-1\n' })
    await project.run()
    await project.write({ 'lake/bronze/landing/orders/c/4.csv': 'n,id\n5,bob-1\n' })
    await project.run()
    await project.cli('discard-batch', 'orders', '3')
    await project.run()
    await forgotten(project)
    expect(await archived(project)).toContainEqual(
      expect.stringMatching(/orders\/files\/.*-4\.csv$/),
    )
    expect((await project.cli('rebuild', 'orders', '--from', 'archive')).stderr).toBe('')
  })

  it('can be rebuilt from once the discarded batch has expired', async () => {
    const project = await Project.create({
      'lake.ts': inboxes.replace(
        'archive: true })\nconst orders',
        "archive: true, keep: '1d' })\nconst orders",
      ),
      'people.csv': people,
      'lake/bronze/landing/orders/1.csv': 'n,id\n1,bob-1\n',
    })
    await project.run()
    await project.write({ 'lake/bronze/landing/orders/2.csv': 'n,id\n2,bob-1\n' })
    await project.run()
    await project.cli('discard-batch', 'orders', '2')
    await project.run()
    await forgotten(project)
    const later = { now: () => new Date(Date.now() + 3 * day) }
    await project.run(later)
    await project.run(later)
    expect((await project.state()).expired?.['bronze.orders']).toBe(2)
    const rebuilt = await project.cli('rebuild', 'orders', '--from', 'archive')
    expect([rebuilt.stderr, rebuilt.code]).toEqual(['', 0])
    expect(await project.query('select n from silver.orders')).toEqual([{ n: 1 }])
  })

  it('says what goes with a file that nobody could read, and what is damaged', async () => {
    const project = await lakeOfInboxes()
    await project.write({
      'lake/bronze/landing/orders/5.parquet': 'no Parquet',
      'lake/bronze/landing/orders/6.csv': 'n,id\n7,bob-1\n',
    })
    await project.run()
    const unread = await forget(project)
    expect(unread.stderr).toMatch(
      /5\.parquet could not be read[\s\S]*other files go with it \(1 row\)/,
    )
    await project.cli('discard-batch', 'orders', '2')
    const [json = ''] = (await archived(project)).filter((path) => /orders.*json$/.test(path))
    await project.storage.restore(json, new TextEncoder().encode('{"files": ['))
    const damaged = await forget(project)
    expect([damaged.code, damaged.stderr]).toEqual([
      1,
      expect.stringContaining(`${json} is damaged`),
    ])
  })

  it('knows files of a dataset that was called otherwise', async () => {
    const project = await lakeOfInboxes()
    await project.write({
      'lake.ts': inboxes.replace("bronze('orders'", "bronze('sales'"),
      'lake/bronze/landing/sales/2.csv': 'n,id\n3,bob-1\n',
    })
    expect((await project.cli('rename', 'bronze.orders', 'bronze.sales')).stderr).toBe('')
    await project.run()
    await forgotten(project)
    expect(await archived(project)).toContainEqual(expect.stringContaining('archive/sales/files/'))
    const rebuilt = await project.cli('rebuild', 'sales', '--from', 'archive')
    expect([rebuilt.stderr, rebuilt.code]).toEqual(['', 0])
    expect(await project.query('select n from silver.orders order by n')).toEqual([
      { n: 2 },
      { n: 3 },
    ])
  })
})

it('forget builds gold anew whose input has a name that another dataset had before', async () => {
  const orders = (name: string, file: string) =>
    `const ${name} = silver('${name}', { from: bronze('${name}', { from: files('${file}') }), key: 'n', identifies: ['id'], schema: z.object({ n: t.int(), id: z.string() }) })`
  const lake = (...datasets: string[]) => `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const people = silver('people', {
  from: bronze('people', { from: files('people.csv') }), key: 'id', identifies: ['email'],
  schema: z.object({ id: z.string(), email: z.string() }),
})
${datasets.join('\n')}
export default defineLake({ name: 'shop', datasets: [people, ${datasets.map((text) => text.split(' ')[1]).join(', ')}] })
`
  const project = await Project.create({
    'lake.ts': lake(orders('orders', 'before.csv')),
    'people.csv': people,
    'before.csv': 'n,id\n1,ada-4711\n2,bob-1\n',
    'since.csv': 'n,id\n3,ada-4711\n4,bob-1\n',
  })
  await project.run()
  const old = orders('old_orders', 'before.csv')
  await project.write({ 'lake.ts': lake(old) })
  for (const tier of ['bronze', 'silver'])
    expect((await project.cli('rename', `${tier}.orders`, `${tier}.old_orders`)).stderr).toBe('')
  const customers =
    "const customers = gold('customers', { query: sql`select id, count(*) as n from ${orders} group by id`, incremental: { by: 'id' } })"
  await project.write({ 'lake.ts': lake(old, orders('orders', 'since.csv'), customers) })
  expect((await project.run()).outcome).toBe('done')
  await forgotten(project)
  expect(await project.query('select id from gold.customers')).toEqual([{ id: 'bob-1' }])
})

/** Who is written to: some are not any more, and bronze has nothing of that. */
async function unsubscribed(project: Project): Promise<void> {
  const later = { now: () => new Date(Date.now() + 3 * day) }
  await letters(project, '1', 'ada@example.org,1,\nbob@example.org,1,\neve@example.org,1,\n')
  await project.run()
  await letters(project, '2', 'ada@example.org,2,D\neve@example.org,2,D\n')
  await project.run()
  await letters(project, '3', 'bob@example.org,3,\n')
  await project.run(later)
  await project.run(later)
  expect((await project.state()).expired?.['bronze.letters']).toBeGreaterThan(1)
}

const letters = (project: Project, name: string, text: string) =>
  project.write({ [`lake/bronze/landing/letters/${name}.csv`]: `email,v,op\n${text}` })

it('removes keys that are gone, of which bronze has nothing any more', async () => {
  const project = await lakeOfInboxes()
  await unsubscribed(project)
  expect((await forget(project)).stdout).toMatch(/deleted\.letters +1 row/)
  await forgotten(project)
  // Whoever else is gone stays so.
  await letters(project, '4', 'eve@example.org,1,\n')
  await project.run()
  expect(await project.query('select email from silver.letters')).toEqual([
    { email: 'bob@example.org' },
  ])
})

it('refuses a key that is gone and that somebody who stays has as well', async () => {
  const project = await lakeOfInboxes()
  await unsubscribed(project)
  await project.write({ 'people.csv': `${people}bob-2,ada@example.org\n` })
  await project.run()
  const { code, stderr } = await forget(project, '--yes')
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining('silver.letters.email has values of silver.people.email'),
  ])
})

it.each(['archive/orders', 'silver/orders', 'bronze/orders'])(
  'refuses a lake in which %s is a link, behind which all would stay',
  async (folder) => {
    const project = await lakeOfInboxes()
    const [inside, outside] = [join(project.folder, 'lake', folder), join(project.folder, 'disk')]
    await rename(inside, outside)
    await symlink(outside, inside)
    const { number } = await project.state()
    const { code, stderr } = await forget(project, '--yes')
    expect([code, stderr]).toEqual([2, expect.stringContaining(`${folder} is a link`)])
    expect((await project.state()).number).toBe(number)
  },
)

it('leaves nothing in exported files once an export has found them old', async () => {
  const project = await Project.create({
    'lake.ts': inboxes.replace(
      'exports: []',
      "exports: [warehouse(folder('out', { keep: '1s' }), { tables: [people] })]",
    ),
    'people.csv': people,
  })
  const traces = () => tracesOf(join(project.folder, 'out'), ada)
  await project.run()
  expect((await project.cli('export')).stderr).toBe('')
  expect((await traces()).length).toBeGreaterThan(0)
  const done = await forget(project, '--yes')
  expect(done.stdout).toContain(
    'folder: people (files of earlier versions stay for 1s; an export after that removes them)',
  )
  expect((await project.cli('export')).stderr).toBe('')
  await new Promise((resolve) => setTimeout(resolve, 1100))
  expect((await project.cli('export')).stderr).toBe('')
  expect(await traces()).toEqual([])
})

it('is not done while files are left which are from later than now, as clocks differ', async () => {
  const project = await lakeOfInboxes()
  const at = async (time: Date) => {
    const folder = join(project.folder, 'lake/silver')
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
      if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), time, time)
  }
  await at(new Date(Date.now() + 3_600_000))
  const early = await forget(project, '--yes')
  expect([early.code, early.stderr]).toEqual([
    2,
    expect.stringContaining('later than the time of this machine'),
  ])
  expect((await project.cli('status')).stdout).toContain('being forgotten')
  await at(new Date())
  await forgotten(project)
})

it('lists gold that other engines have changed', async () => {
  const project = await Project.create({
    'lake.ts': inboxes
      .replace('defineLake, folder', 'defineLake, folder, gold')
      .replace(
        'export default',
        "const domains = gold('domains', { query: sql`select email as domain, count(*) as n from ${people} group by 1`, incremental: { by: 'domain' } })\nexport default",
      )
      .replace('datasets: [', 'datasets: [domains, '),
    'people.csv': people,
  })
  await project.run()
  const { 'gold.domains': table } = (await project.state()).tables
  const adopted = { added: 1, removed: 0, parts: [] }
  await project.commit({ tables: { 'gold.domains': { ...(table as object), adopted } as never } })
  expect((await forget(project)).stdout).toMatch(
    /not looked into:[\s\S]*gold\.domains: 1 row added by other engines/,
  )
})

it('finds what lies beside a lake, whatever its folder is called', async () => {
  const project = await lakeOfInboxes('100% a#b')
  await mkdir(join(project.folder, 'lake-dev'))
  expect(await forgotten(project)).toContain('lake-dev: samples of all rows')
})

it('says how to go on where a run of a machine that is gone was at work', async () => {
  const project = await lakeOfInboxes()
  const entry = {
    format: 2,
    kind: 'run',
    id: 'lost',
    author: 'eve',
    host: 'elsewhere',
    machine: 'x',
    pid: 1,
  }
  const said = encodeSealed({ ...entry, started: new Date().toISOString(), commit: 1 })
  await project.write({ 'lake/_moraine/live/lost/000000000001.json': said })
  const folder = join(project.folder, 'lake/_moraine/live/lost')
  const before = new Date(Date.now() - 20 * 60_000)
  await utimes(join(folder, '000000000001.json'), before, before)
  const { code, stderr } = await forget(project, '--yes')
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining(
      'not reported for 20 minutes: if it was killed, or elsewhere is gone, remove _moraine/live/lost/',
    ),
  ])
  await rm(folder, { recursive: true })
  await forgotten(project)
})
