import { describe, expect, it } from 'vitest'
import { type Files, Project, step } from '../../support/project.js'

const header = 'id,name,amount,changed'

function lake(
  options: { key?: string; more?: string; rules?: string; publish?: string } = {},
): Files {
  const { key = "key: 'id', cursor: 'changed',", more = '', rules = '', publish = '' } = options
  return {
    'lake.ts': `
import { bronze, defineLake, gold, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
export const raw = bronze('orders', { from: files('in/*.csv') })
export const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.int(), name: z.string(), amount: t.decimal(9, 2).min(0), changed: t.date() }),
  ${key}
  ${rules}
})
export const totals = gold('totals', { query: sql\`select count(*) as n, sum(amount) as amount from \${orders}\` })
${more}
export default defineLake({ name: 'shop', datasets: [totals${more ? ', more' : ''}], ${publish} })
`,
  }
}

const csv = (...rows: string[]) => `${[header, ...rows].join('\n')}\n`
const totals = async (project: Project) => (await project.query('from gold.totals'))[0]

describe('a lake', () => {
  it('reads only new files, and keeps the newest row of each key', async () => {
    const project = await Project.create({
      ...lake(),
      'in/1.csv': csv(
        '1,a,10.00,2026-01-01',
        '2,b,20.00,2026-01-01',
        '2,b,21.00,2026-01-02',
        '3,c,x,2026-01-01',
      ),
    })
    const first = await project.run()
    expect(step(first, 'silver.orders').counts).toEqual({
      in: 4,
      kept: 2,
      discarded: 1,
      superseded: 1,
      replaced: 0,
    })
    expect(await totals(project)).toEqual({ n: 2n, amount: '31.00' })

    await project.write({
      'in/2.csv': csv(
        '1,A,11.00,2026-01-03',
        '2,old,99.00,2025-12-31',
        '4,d,40.00,2026-01-03',
        '3,c,30.00,2026-01-03',
      ),
    })
    const second = await project.run()
    // Row 2 of the new file is older than what the lake has: the cursor decides, not the clock.
    expect(step(second, 'silver.orders').counts).toEqual({
      in: 4,
      kept: 3,
      discarded: 0,
      superseded: 1,
      replaced: 1,
    })
    expect(await totals(project)).toEqual({ n: 4n, amount: '102.00' })
    expect((await project.state()).tables['silver.orders']?.counts).toEqual({
      in: 8,
      kept: 4,
      discarded: 1,
      superseded: 3,
    })
    // As it was before.
    expect(await project.query('from gold.totals', 2)).toEqual([{ n: 2n, amount: '31.00' }])
  })

  it('gives the same rows when it is built from scratch', async () => {
    const project = await Project.create({
      ...lake(),
      'in/1.csv': csv('1,a,1.00,2026-01-01', '2,b,2.00,2026-01-01'),
    })
    await project.run()
    await project.write({
      'in/2.csv': csv('2,B,2.50,2026-01-02', '1,z,9.00,2020-01-01', 'x,y,z,w'),
    })
    await project.run()
    const rows = () =>
      project.query('select id, name, amount, _batch from silver.orders order by id')
    const before = await rows()
    const counts = (await project.state()).tables['silver.orders']?.counts
    const full = await project.run({ full: true })
    expect(step(full, 'silver.orders').reason).toBe('a full rebuild was requested')
    expect(await rows()).toEqual(before)
    expect((await project.state()).tables['silver.orders']?.counts).toEqual(counts)
  })

  it('does nothing, and says why, when nothing is new', async () => {
    const project = await Project.create({ ...lake(), 'in/1.csv': csv('1,a,1.00,2026-01-01') })
    await project.run()
    const before = await project.state()
    const again = await project.run()
    expect(again.steps.map((s) => s.reason)).toEqual([
      'no new files; 1 file already ingested',
      'its inputs have not changed',
      'its inputs have not changed',
    ])
    expect(await project.state()).toEqual(before)
  })

  it('builds again what a changed definition touches, and nothing else', async () => {
    const more = "export const more = gold('names', { query: sql`select name from ${orders}` })"
    const project = await Project.create({
      ...lake({ more }),
      'in/1.csv': csv('1,a,1.00,2026-01-01'),
    })
    await project.run()
    await project.write(lake({ more: more.replace('select name', 'select upper(name) as name') }))
    const run = await project.run()
    expect(run.steps.filter((s) => s.outcome === 'done').map((s) => [s.dataset, s.reason])).toEqual(
      [['gold.names', 'its query changed']],
    )
    expect(await project.query('from gold.names')).toEqual([{ name: 'A' }])
  })

  it('changes the columns of a table with its definition', async () => {
    const project = await Project.create({ ...lake(), 'in/1.csv': csv('1,a,1.00,2026-01-01') })
    await project.run()
    const files = lake()
    await project.write({
      'lake.ts': (files['lake.ts'] as string).replace('name: z.string(), amount', 'amount'),
    })
    const refused = await project.run()
    expect(step(refused, 'silver.orders').error?.message).toContain(
      'would break its readers: - name string',
    )
    expect(Object.keys((await project.query('from silver.orders'))[0] ?? {})).toContain('name')
    expect((await project.run({ allowBreaking: true })).outcome).toBe('done')
    const columns = Object.keys((await project.query('from silver.orders'))[0] ?? {})
    expect(columns).toEqual(['id', 'amount', 'changed', '_loaded_at', '_batch'])
    expect(Object.keys((await project.query('from silver.orders', 2))[0] ?? {})).toContain('name')
  })

  it('takes a file in once, however often it is touched', async () => {
    const project = await Project.create({ ...lake(), 'in/1.csv': csv('1,a,1.00,2026-01-01') })
    await project.run()
    const { number } = await project.state()
    await project.write({ 'in/1.csv': csv('1,a,1.00,2026-01-01') })
    const again = await project.run()
    expect(step(again, 'bronze.orders')).toMatchObject({
      outcome: 'unchanged',
      reason: 'no new files; 1 file already ingested',
    })
    // A copy of the project has other times each time, and makes no commit of it.
    expect((await project.state()).number).toBe(number)
  })

  it('takes large files in once, however often they are touched, and notes their times', async () => {
    const name = 'x'.repeat(5000)
    const rows = Array.from({ length: 1000 }, (_, i) => `${i},${name},1.00,2026-01-01`)
    const large = { 'in/1.csv': csv(...rows) }
    const project = await Project.create({ ...lake(), ...large })
    await project.run()
    await project.write(large)
    const again = await project.run()
    expect(step(again, 'bronze.orders')).toMatchObject({
      outcome: 'unchanged',
      reason: 'in/1.csv has the same content as before',
    })
    expect((await project.state()).batches['bronze.orders']).toHaveLength(1)
    // The new time is noted, so the file is not read yet another time.
    expect(step(await project.run(), 'bronze.orders').reason).toBe(
      'no new files; 1 file already ingested',
    )
  })

  it('without a key, a new version of a file takes the place of the old one', async () => {
    const project = await Project.create({
      ...lake({ key: '' }),
      'in/1.csv': csv('1,a,1.00,2026-01-01', '2,b,2.00,2026-01-01'),
      'in/2.csv': csv('9,i,9.00,2026-01-01'),
    })
    await project.run()
    await project.write({ 'in/1.csv': csv('1,a,1.50,2026-01-01') })
    const run = await project.run()
    expect(step(run, 'silver.orders').counts).toEqual({
      in: 4,
      kept: 2,
      discarded: 0,
      superseded: 2,
      replaced: 0,
    })
    expect(await totals(project)).toEqual({ n: 2n, amount: '10.50' })
    await project.write({ 'in/3.csv': csv('10,j,1.00,2026-01-01') })
    expect(step(await project.run(), 'silver.orders').counts).toMatchObject({ in: 1, kept: 1 })
    expect(await totals(project)).toEqual({ n: 3n, amount: '11.50' })
  })

  it('rewrites only the files that hold a changed key', async () => {
    const project = await Project.create({
      ...lake({ key: "key: 'id', partitionBy: ['name']," }),
      'in/1.csv': csv(
        '1,a,1.00,2026-01-01',
        '2,b,2.00,2026-01-01',
        '3,c,3.00,2026-01-01',
        '4,a,4.00,2026-01-01',
      ),
    })
    await project.run()
    await project.write({ 'in/2.csv': csv('2,b,2.50,2026-01-01') })
    await project.run()
    const { metadata } = (await project.state()).tables['silver.orders'] ?? {}
    const table = JSON.parse(
      new TextDecoder().decode(await project.storage.read(metadata as string)),
    )
    expect(table.snapshots.at(-1).summary).toMatchObject({
      operation: 'overwrite',
      'added-data-files': '1',
      'deleted-data-files': '1',
      'total-records': '4',
    })
  })
})

describe('a step that fails', () => {
  const more =
    "export const more = gold('broken', { query: sql`select case when id > 0 then error('no way') end as x from ${orders}` })"

  it('stops only what depends on it; the rest is published', async () => {
    const project = await Project.create({
      ...lake({ more }),
      'in/1.csv': csv('1,a,1.00,2026-01-01'),
    })
    const run = await project.run()
    expect(run.outcome).toBe('failed')
    expect(step(run, 'gold.broken').error).toMatchObject({
      message: expect.stringContaining('no way'),
      place: { line: 12 },
    })
    expect(await totals(project)).toEqual({ n: 1n, amount: '1.00' })
  })

  it("publishes nothing of the rest with publish: 'all'", async () => {
    const project = await Project.create({
      ...lake({ more, publish: "publish: 'all'" }),
      'in/1.csv': csv('1,a,1.00,2026-01-01'),
    })
    expect((await project.run()).outcome).toBe('failed')
    expect(Object.keys((await project.state()).tables)).toEqual([])
    expect(Object.keys((await project.state()).batches)).toEqual(['bronze.orders'])
  })

  it('keeps the last good version when a rule of severity fail is broken', async () => {
    const rules =
      "rules: [rule('never 13', sql`id <> 13`, { severity: 'fail' }), rule('cheap', sql`amount < 5`, { severity: 'warn' })],"
    const project = await Project.create({
      ...lake({ rules }),
      'in/1.csv': csv('1,a,9.00,2026-01-01'),
    })
    const first = await project.run()
    expect(step(first, 'silver.orders').warnings).toEqual([{ reason: 'rule: cheap', rows: 1 }])
    await project.write({ 'in/2.csv': csv('2,b,1.00,2026-01-01', '13,c,1.00,2026-01-01') })
    const run = await project.run()
    expect(step(run, 'silver.orders').error).toMatchObject({
      kind: 'quality',
      message: expect.stringContaining('in/2.csv:3'),
    })
    expect(step(run, 'gold.totals').outcome).toBe('blocked')
    expect(await totals(project)).toEqual({ n: 1n, amount: '9.00' })
  })

  it('leaves the lake as it was when the run is stopped', async () => {
    const project = await Project.create({ ...lake(), 'in/1.csv': csv('1,a,1.00,2026-01-01') })
    const abort = new AbortController()
    abort.abort()
    const run = await project.run({ signal: abort.signal })
    expect(run.outcome).toBe('cancelled')
    expect((await project.state()).number).toBe(0)
    expect((await project.run()).outcome).toBe('done')
  })
})

describe('select and several inputs', () => {
  const files: Files = {
    'lake.ts': `
import { bronze, defineLake, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const a = bronze('a', { from: files('a.csv') })
const b = bronze('b', { from: files('b.csv') })
const countries = silver('countries', {
  from: bronze('countries', { from: files('c.csv') }),
  schema: z.object({ code: z.string(), name: z.string() }),
  key: 'code',
})
export const people = silver('people', {
  from: [a, b],
  select: {
    person_id: 'id',
    full_name: sql\`first || ' ' || last\`,
    country: sql\`(select name from \${countries} c where c.code = i.code)\`,
  },
  schema: z.object({ person_id: t.int(), full_name: z.string(), country: z.string().nullable(), extra: z.string().optional() }),
  key: 'person_id',
})
export default defineLake({ name: 'people', datasets: [people] })
`,
    'a.csv': 'id,first,last,code\n1,Ada,Lovelace,GB\n2,Grace,Hopper,US\n',
    'b.csv': 'id,last,first,code,extra\n3,Turing,Alan,GB,x\n4,Nobody,No,ZZ,\n',
    'c.csv': 'code,name\nGB,Britain\nUS,America\n',
  }
  const people = 'select person_id, full_name, country, extra from silver.people order by 1'

  it('rename, derive, look up, and match columns by name', async () => {
    const project = await Project.create(files)
    await project.run()
    expect(await project.query(people)).toEqual([
      { person_id: 1, full_name: 'Ada Lovelace', country: 'Britain', extra: null },
      { person_id: 2, full_name: 'Grace Hopper', country: 'America', extra: null },
      { person_id: 3, full_name: 'Alan Turing', country: 'Britain', extra: 'x' },
      { person_id: 4, full_name: 'No Nobody', country: null, extra: null },
    ])
  })

  it('are built again when what they look up changes', async () => {
    const project = await Project.create(files)
    await project.run()
    await project.write({ 'c.csv': 'code,name\nGB,United Kingdom\nZZ,Nowhere\n' })
    const run = await project.run()
    expect(step(run, 'silver.people').reason).toBe(
      'silver.countries changed, which it uses as a lookup: all 4 rows of bronze.a, bronze.b are read again',
    )
    const countries = (await project.query(people)).map((row) => row.country)
    expect(countries).toEqual(['United Kingdom', 'America', 'United Kingdom', 'Nowhere'])
  })
})

describe('tables that are built from tables', () => {
  const files: Files = {
    'lake.ts': `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int(), name: z.string(), amount: t.decimal(9, 2), changed: t.date() }),
  key: 'id',
})
const big = silver('big', {
  from: orders,
  select: { day: 'changed' },
  schema: z.object({ id: z.int(), amount: t.decimal(12, 2).min(5), day: t.timestamp() }),
  key: 'id',
})
export default defineLake({ name: 'chain', datasets: [big] })
`,
    'in/1.csv': csv('1,a,10.00,2026-01-01', '2,b,2.00,2026-01-01'),
  }

  it('are checked like any other, and follow their inputs', async () => {
    const project = await Project.create(files)
    const first = await project.run()
    expect(step(first, 'silver.big').counts).toMatchObject({ in: 2, kept: 1, discarded: 1 })
    expect(await project.query('select id, amount, day from silver.big')).toEqual([
      { id: 1n, amount: '10.00', day: '2026-01-01T00:00:00.000000' },
    ])
    await project.write({ 'in/2.csv': csv('2,b,20.00,2026-01-02') })
    const second = await project.run()
    expect(step(second, 'silver.big').reason).toBe('silver.orders changed')
    expect((await project.query('select count(*) as n from silver.big'))[0]).toEqual({ n: 2n })
  })

  it('say what to run first when an input is missing', async () => {
    const project = await Project.create(files)
    const { stdout } = await project.cli('run', 'silver.big')
    expect(stdout).toContain(
      'silver.orders is not built yet. Build it and everything upstream: moraine run +silver.big',
    )
  })
})

it('says of an inbox that has never had a file that nothing has arrived', async () => {
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files, inbox } from 'moraine/sources'
const box = silver('box', { from: bronze('box', { from: inbox() }), schema: z.object({ id: t.int() }), key: 'id' })
const sums = gold('sums', { query: sql\`select sum(id) as n from \${box}\` })
const all = bronze('all', { from: files('in/*.csv') })
export default defineLake({ name: 'boxes', datasets: [sums, all] })
`,
    'in/1.csv': 'id\n1\n',
  })
  await project.run()
  for (const args of [[], ['+gold.sums']]) {
    const { code, stdout } = await project.cli('run', ...args)
    expect(code).toBe(0)
    expect(stdout).toContain('Nothing to do: no source has new data')
    expect(stdout).toContain('Nothing has arrived yet for bronze.box: ')
    expect(stdout).not.toContain('Nothing was built')
  }
  const alone = await project.cli('run', 'gold.sums')
  expect(alone.stdout).toContain('everything upstream: moraine run +gold.sums')
})

describe('a gold query', () => {
  it.each([
    ['select 1 as a, 2 as a', "gold.x: two columns are named 'a'"],
    ['select 1 as _pos', "gold.x: the column name '_pos' is reserved by Iceberg"],
    ['select 1 as b', 'gold.x: the columns of the query differ from the declared columns'],
  ])('%s is refused with its place', async (query, message) => {
    const columns = query.includes('as b') ? ', columns: { a: t.int() }' : ''
    const project = await Project.create({
      'lake.ts': `import { defineLake, gold, sql, t } from 'moraine'
export default defineLake({ name: 'x', datasets: [gold('x', { query: sql\`${query}\`${columns} })] })`,
    })
    const run = await project.run()
    expect(run.error?.problems).toMatchObject([{ message, place: { line: 2 } }])
  })
})
