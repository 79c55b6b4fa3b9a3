import { describe, expect, it } from 'vitest'
import { Project, step } from '../../support/project.js'

const lake = (checks: string, more = '') => `
import { bronze, check, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const shops = silver('shops', {
  from: bronze('shops', { from: files('shops.csv') }),
  schema: z.object({ shop: t.int(), city: z.string() }),
})
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int(), shop: t.int().nullable(), at: t.timestamp() }),
  checks: [${checks}],
  ${more}
})
const perShop = gold('per_shop', { query: sql\`select shop, count(*) as n from \${orders} group by 1\` })
const cities = gold('cities', { query: sql\`select city from \${shops}\` })
export default defineLake({ name: 'checks', datasets: [perShop, cities] })
`
const good = 'id,shop,at\n1,1,2026-01-01 00:00:00\n2,1,2026-01-02 00:00:00\n'
const files = (checks: string, orders: string, more?: string) => ({
  'lake.ts': lake(checks, more),
  'shops.csv': 'shop,city\n1,Bern\n',
  'in/1.csv': orders,
})

describe('a check of a whole table', () => {
  it.each([
    [
      "check.unique('id')",
      'id,shop,at\n1,1,2026-01-01 00:00:00\n1,1,2026-01-01 00:00:01\n',
      'unique id: 1 value appears more than once, such as 1',
    ],
    ['check.rowCount({ min: 3 })', good, 'row count 3 to any: it has 2 rows'],
    [
      "check.fresh('at', { within: '2d' })",
      good,
      'at within 2d: the newest value is 2026-01-02 00:00:00',
    ],
    [
      "check.discarded({ max: '10%' })",
      `${good}x,1,2026-01-01 00:00:00\n`,
      'at most 10 % discarded: 1 of 3 rows were discarded (33.3 %)',
    ],
    [
      "check.references('shop', shops, 'shop')",
      `${good}3,7,2026-01-01 00:00:00\n4,,2026-01-01 00:00:00\n`,
      'shop references silver.shops.shop: 1 row has a value that does not exist in silver.shops, such as 7',
    ],
    [
      // Of several the least is named, whichever row is read first.
      "check.references('shop', shops, 'shop')",
      `${good}3,9,2026-01-01 00:00:00\n4,7,2026-01-01 00:00:00\n5,8,2026-01-01 00:00:00\n`,
      '3 rows have a value that does not exist in silver.shops, such as 7',
    ],
    [
      "check.sql('no shop 1', sql`select * from this_table where shop = 1`)",
      good,
      'no shop 1: its query returns 2 rows',
    ],
    ['check.notEmpty()', 'id,shop,at\nx,,\n', 'not empty: it has no rows'],
  ])('%s keeps a result from readers when it does not hold', async (check, rows, message) => {
    const project = await Project.create(files(check, rows))
    const run = await project.run()
    expect(step(run, 'silver.orders').error?.message).toContain(message)
    expect(step(run, 'silver.orders').checks?.[0]).toMatchObject({ passed: false })
    expect([step(run, 'gold.per_shop').outcome, step(run, 'gold.cities').outcome]).toEqual([
      'blocked',
      'done',
    ])
    const tables = Object.keys((await project.state()).tables)
    expect(tables).toContain('gold.cities')
    expect(tables).not.toContain('silver.orders')
  })

  it('that holds is told, and one that only warns stops nothing', async () => {
    const project = await Project.create(
      files("check.unique('id'), check.rowCount({ max: 1, severity: 'warn' })", good),
    )
    const run = await project.run()
    expect(run.outcome).toBe('done')
    expect(step(run, 'silver.orders').checks).toEqual([
      { check: 'unique id', severity: 'fail', passed: true },
      { check: 'row count 0 to 1', severity: 'warn', passed: false, message: 'it has 2 rows' },
    ])
  })

  it.each([
    ["check.references('shop', shops, 'shop'", 'shop references silver.shops.shop'],
    ["check.sql('known', sql`select * from this_table anti join ${shops} using (shop)`", 'known'],
  ])('%s, …) does not hold while the other table is not there', async (check, name) => {
    const said = `${name}: silver.shops is not built yet`
    const strict = await Project.create(files(`${check})`, good))
    await strict.write({ 'shops.csv': 'shop,town\n1,Bern\n' })
    const run = await strict.run()
    expect(step(run, 'silver.shops').outcome).toBe('failed')
    expect(step(run, 'silver.orders').error?.message).toContain(said)

    const mild = await Project.create(files(`${check}, { severity: 'warn' })`, good))
    await mild.write({ 'shops.csv': 'shop,town\n1,Bern\n' })
    const ran = await mild.cli('run')
    expect(ran.stdout.replace(/\s+/g, ' ')).toContain(`! silver.orders: ${said}`)
    expect(Object.keys((await mild.state()).tables)).toContain('silver.orders')
  })

  it('leaves the last good version to readers, and the rejected one to who asks for it', async () => {
    const project = await Project.create(files("check.unique('id')", good))
    await project.run()
    await project.write({ 'in/2.csv': 'id,shop,at\n2,1,2026-01-03 00:00:00\n' })
    const run = await project.run()
    expect(run.outcome).toBe('failed')
    expect(run.rejected).toContain('silver.orders')
    expect(await project.query('select count(*) as n from silver.orders')).toEqual([{ n: 2n }])
    const shown = await project.cli(
      'query',
      '--run',
      run.run,
      '--format',
      'csv',
      'select id, count(*) as n from silver.orders group by 1 having n > 1',
    )
    expect(shown.stdout).toBe('id,n\n2,2\n')
    const none = await project.cli('query', '--run', 'nothing', 'select 1')
    expect([none.code, none.stderr]).toEqual([
      2,
      expect.stringContaining('has no unpublished tables'),
    ])
    // Mended, everything goes on from the last good version.
    await project.write({ 'in/2.csv': 'id,shop,at\n3,1,2026-01-03 00:00:00\n' })
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('select count(*) as n from silver.orders')).toEqual([{ n: 3n }])
    expect((await project.cli('verify')).code).toBe(0)
  })

  it('a row that breaks a check of severity fail can be looked at too', async () => {
    const definition = lake('', "severity: { id: 'fail' },").replace(
      'id: t.int()',
      'id: t.int().min(0)',
    )
    const project = await Project.create({
      ...files('', `${good}-3,1,2026-01-01 00:00:00\n`),
      'lake.ts': definition,
    })
    const run = await project.run()
    expect(step(run, 'silver.orders').error?.message).toContain('id: must be at least 0 (1 row)')
    const shown = await project.cli(
      'query',
      '--run',
      run.run,
      '--format',
      'csv',
      'select id from silver.orders where id < 0',
    )
    expect(shown.stdout).toBe('id\n-3\n')
  })
})

describe('an invalid version of a key', () => {
  const options = "key: 'id', cursor: 'at',"
  const later = 'id,shop,at\n1,x,2026-01-05 00:00:00\n'

  it('leaves the last valid one, is counted, and is marked', async () => {
    const project = await Project.create(files('', good, options))
    await project.run()
    await project.write({ 'in/2.csv': later })
    expect(step(await project.run(), 'silver.orders').stale).toBe(1)
    expect(await project.query('select id, shop from silver.orders order by id')).toHaveLength(2)
    expect(await project.query('select raw, _stale from discarded.orders')).toMatchObject([
      { _stale: true },
    ])
  })

  it('is not marked where the table has a newer one, though a valid one came with it', async () => {
    const project = await Project.create(files('', good, options))
    await project.run()
    await project.write({
      'in/2.csv': 'id,shop,at\n2,1,2025-12-01 00:00:00\n2,x,2025-12-02 00:00:00\n',
    })
    expect(step(await project.run(), 'silver.orders').stale).toBe(undefined)
    expect(await project.query('select _stale from discarded.orders')).toEqual([{ _stale: false }])
  })

  it('takes the key away where that is asked for, and late rows do not bring it back', async () => {
    const project = await Project.create(files('', good, `${options} onInvalidUpdate: 'remove',`))
    await project.run()
    await project.write({ 'in/2.csv': later })
    await project.run()
    expect(await project.query('select id from silver.orders')).toEqual([{ id: 2 }])
    await project.write({ 'in/3.csv': 'id,shop,at\n1,1,2026-01-04 00:00:00\n' })
    await project.run()
    expect(await project.query('select id from silver.orders')).toEqual([{ id: 2 }])
    await project.write({ 'in/4.csv': 'id,shop,at\n1,1,2026-01-06 00:00:00\n' })
    await project.run()
    expect(await project.query('select id from silver.orders order by id')).toEqual([
      { id: 1 },
      { id: 2 },
    ])
    expect(await project.query('from deleted.orders')).toEqual([])
  })
})

describe('a deletion', () => {
  it('takes its key away for good, and every row is accounted for', async () => {
    const project = await Project.create({
      ...files(
        '',
        'id,shop,at,op\n1,1,2026-01-01 00:00:00,\n2,1,2026-01-01 00:00:00,\n',
        "key: 'id', cursor: 'at', deleteWhen: sql`op = 'D'`,",
      ),
    })
    await project.run()
    await project.write({
      'in/2.csv': 'id,shop,at,op\n1,bad,2026-01-03 00:00:00,D\n,,2026-01-03 00:00:00,D\n',
    })
    const run = await project.run()
    expect(step(run, 'silver.orders').counts).toMatchObject({
      in: 2,
      kept: 0,
      deleted: 1,
      discarded: 1,
    })
    await project.write({ 'in/3.csv': 'id,shop,at,op\n1,1,2026-01-02 00:00:00,\n' })
    await project.run()
    expect(await project.query('select id from silver.orders')).toEqual([{ id: 2 }])
    expect((await project.state()).tables['silver.orders']?.counts).toEqual({
      in: 5,
      kept: 1,
      discarded: 1,
      superseded: 2,
      deleted: 1,
    })
    expect(await project.query('select id, _kind from deleted.orders')).toEqual([
      { id: 1, _kind: 'delete' },
    ])
  })
})

describe('a run that was stopped', () => {
  it('goes on from the steps whose results are there', async () => {
    const project = await Project.create(files('', good))
    const abort = new AbortController()
    const first = await project.run({
      keepAfter: 0,
      signal: abort.signal,
      onEvent: (event) => {
        if (event.type === 'step-finished' && event.result.dataset === 'silver.orders')
          abort.abort()
      },
    })
    expect(first.outcome).toBe('cancelled')
    expect((await project.state()).tables['silver.orders']).toBeUndefined()
    const second = await project.run()
    expect(second.outcome).toBe('done')
    expect(step(second, 'silver.orders').notes).toEqual([`kept from run ${first.run}`])
    expect(await project.query('select count(*) as n from silver.orders')).toEqual([{ n: 2n }])
    // What changed since is not taken for the same.
    await project.write({ 'in/2.csv': 'id,shop,at\n9,1,2026-01-09 00:00:00\n' })
    expect(step(await project.run(), 'silver.orders').notes).toBeUndefined()
    expect((await project.cli('verify', '--deep')).stdout).toContain('All values could be read')
  })

  /** A run that is stopped once silver.orders is built, and has published nothing. */
  async function stopped(project: Project, options: { allowBreaking?: boolean } = {}) {
    const abort = new AbortController()
    const record = await project.run({
      ...options,
      keepAfter: 0,
      signal: abort.signal,
      onEvent: (event) => {
        if (event.type === 'step-finished' && event.result.dataset === 'silver.orders')
          abort.abort()
      },
    })
    expect(record.outcome).toBe('cancelled')
  }

  const noShop = (shop: number) =>
    `check.sql('shops are right', sql\`select * from this_table where shop = ${shop}\`)`
  it.each([
    ['is new', '', 'check.rowCount({ min: 3 })', 'it has 2 rows'],
    ['asks for more', 'check.rowCount({ min: 1 })', 'check.rowCount({ min: 3 })', 'it has 2 rows'],
    ['is another one of the same name', noShop(7), noShop(1), 'its query returns 2 rows'],
    [
      'only warned',
      "check.rowCount({ min: 3, severity: 'warn' })",
      'check.rowCount({ min: 3 })',
      'it has 2 rows',
    ],
  ])('has its results held against a check that %s', async (_, before, after, message) => {
    const project = await Project.create(files(before, good))
    await stopped(project)
    await project.write({ 'lake.ts': lake(after) })
    const run = await project.run()
    expect(step(run, 'silver.orders').error?.message).toContain(message)
    expect(Object.keys((await project.state()).tables)).not.toContain('silver.orders')
  })

  it.each([
    ['references', "check.references('shop', shops, 'shop')"],
    ['SQL', "check.sql('known', sql`select * from this_table anti join ${shops} using (shop)`)"],
  ])(
    'has its results held against a table that a check looks into by %s, and that has other rows since',
    async (_, check) => {
      const project = await Project.create(files(check, good))
      await stopped(project)
      await project.write({ 'shops.csv': 'shop,city\n2,Basel\n' })
      const run = await project.run()
      expect(step(run, 'silver.shops').outcome).toBe('done')
      expect(step(run, 'silver.orders').outcome).toBe('failed')
      expect(Object.keys((await project.state()).tables)).not.toContain('silver.orders')
    },
  )

  it('that was allowed to break readers says nothing of one that is not', async () => {
    const project = await Project.create(files('', good))
    await project.run()
    const without = lake('').replace(', at: t.timestamp()', '')
    await project.write({ 'lake.ts': without })
    await stopped(project, { allowBreaking: true })
    const run = await project.run()
    expect(step(run, 'silver.orders').error?.message).toContain('would break its readers')
    expect((await project.query('from silver.orders'))[0]).toHaveProperty('at')
  })
})

describe('a rollback', () => {
  it('brings rows, batches and watermarks back together, and the next run goes on from there', async () => {
    const project = await Project.create(files('', good, "key: 'id', cursor: 'at',"))
    await project.run()
    const before = await project.state()
    await project.write({
      'in/2.csv': 'id,shop,at\n1,2,2026-02-01 00:00:00\n3,2,2026-02-01 00:00:00\n',
    })
    await project.run()
    const rows = () => project.query('select id, shop from silver.orders order by id')
    const after = await rows()
    const undo = ['rollback', '--to', String(before.number), '--undo-intake']
    expect((await project.cli(...undo)).stdout).toContain('the next run reads their sources again')
    expect(await project.query('select id, shop from silver.orders order by id')).toEqual([
      { id: 1, shop: 1 },
      { id: 2, shop: 1 },
    ])
    const state = await project.state()
    expect([state.batches, state.offsets, state.watermarks]).toEqual([
      before.batches,
      before.offsets,
      before.watermarks,
    ])
    expect((await project.cli('status', '--check')).stdout).toContain('1 file to ingest')
    expect((await project.run()).outcome).toBe('done')
    expect(await rows()).toEqual(after)
    expect((await project.state()).tables['silver.orders']?.counts).toMatchObject({
      in: 4,
      kept: 3,
      superseded: 1,
    })
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    const again = await project.cli('rollback', '--to', String((await project.state()).number))
    expect(again.stdout).toContain('Nothing to do')
  })
})
