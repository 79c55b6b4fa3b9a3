import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Snapshot } from '../../../src/iceberg/spec/metadata.js'
import { CommitLog } from '../../../src/log/log.js'
import { adding, changing, send } from '../../support/adopting.js'
import { Project, step, temporaryFolder } from '../../support/project.js'

const definition = (options = "writes: 'allow',", more = '') => `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', {
  from: raw, key: 'id', cursor: 'at', ${options}
  schema: z.object({ id: t.int(), amount: t.int(), at: t.date()${more} }),
})
const totals = gold('totals', { query: sql\`select count(*) as n, sum(amount) as amount from \${orders}\` })
export default defineLake({ name: 'adopting', datasets: [totals] })
`

/** A lake with a table that engines may write. */
async function lake() {
  const project = await Project.create({
    'lake.ts': definition(),
    'in/1.csv': 'id,amount,at\n1,10,2026-01-01\n2,20,2026-01-01\n',
  })
  expect((await project.run()).outcome).toBe('done')
  return project
}

const order = (id: number, amount: number, at = '2026-01-02') =>
  `SELECT ${id}::INTEGER AS id, ${amount}::INTEGER AS amount, DATE '${at}' AS "at", NULL::TIMESTAMPTZ AS _loaded_at, NULL::VARCHAR AS _batch`

const sums = (project: Project) => project.query('select * from gold.totals')
const orders = (project: Project) =>
  project.query('select id, amount from silver.orders order by id, amount')

async function tableOf(project: Project, name = 'silver.orders') {
  return (await project.state()).tables[name]
}

describe("writes: 'allow'", () => {
  it('adopts once what is sent again, as its answer was lost', async () => {
    const project = await lake()
    const [snapshot] = await changing(project, 'silver.orders', [{ rows: order(3, 30) }])
    const parent = (snapshot as Snapshot)['parent-snapshot-id'] ?? null
    const before = { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': parent }
    // The catalog adds to the summary what the engine leaves out.
    const plain = { ...(snapshot as Snapshot), summary: { operation: 'append' } } as Snapshot
    const sent = { requirements: [before], ...adding([plain]) }
    for (let i = 0; i < 2; i++) {
      const { status, json } = await send(project, sent)
      expect([status, json.error]).toEqual([200, undefined])
      expect((await tableOf(project))?.adopted).toMatchObject({ added: 1, removed: 0 })
    }
    expect((await project.run()).outcome).toBe('done')
    expect(await sums(project)).toEqual([{ n: 3n, amount: '60' }])
  })

  it('has what engines append counted, merged with later batches, and seen downstream', async () => {
    const project = await lake()
    const [snapshot] = await changing(project, 'silver.orders', [{ rows: order(3, 30) }])
    const { status, json } = await send(project, adding([snapshot as Snapshot]))
    expect([status, json.error]).toEqual([200, undefined])
    const { number } = await project.state()
    expect((await new CommitLog(project.storage).entry(number))?.commit).toMatchObject({
      author: 'token',
      message: 'adopt 1 added and 0 removed rows of silver.orders (spark)',
      features: { 'adopted-rows': { needed: 'write' } },
    })
    expect(await tableOf(project)).toMatchObject({
      rows: 3,
      counts: { in: 2, kept: 3 },
      adopted: { added: 1, removed: 0, unchecked: true },
    })
    expect((await project.cli('status')).stdout).toContain('1 row added by other engines')
    const record = await project.run()
    expect(record.outcome).toBe('done')
    expect(step(record, 'silver.orders').reason).toContain('other engines have changed its rows')
    expect(step(record, 'silver.orders').notes).toEqual(['1 row added by other engines so far'])
    expect(await sums(project)).toEqual([{ n: 3n, amount: '60' }])
    expect((await tableOf(project))?.adopted).toEqual({ added: 1, removed: 0 })
    // A batch with an older and a newer row of what was adopted: the cursor decides.
    await project.write({ 'in/2.csv': 'id,amount,at\n3,31,2026-01-01\n4,40,2026-01-01\n' })
    expect((await project.run()).outcome).toBe('done')
    expect(await sums(project)).toEqual([{ n: 4n, amount: '100' }])
    await project.write({ 'in/3.csv': 'id,amount,at\n3,33,2026-01-03\n' })
    expect((await project.run()).outcome).toBe('done')
    expect(await sums(project)).toEqual([{ n: 4n, amount: '103' }])
    expect(await tableOf(project)).toMatchObject({
      counts: { in: 5, kept: 4, superseded: 2 },
      adopted: { added: 1, removed: 0 },
    })
    const quiet = await project.run()
    expect(quiet.steps.map(({ outcome }) => outcome)).toEqual(Array(3).fill('unchanged'))
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    expect((await project.cli('optimize', 'silver.orders')).code).toBe(0)
    expect((await tableOf(project))?.adopted).toEqual({ added: 1, removed: 0 })
  })

  it('has updates and deletions counted, also of several snapshots in one commit', async () => {
    const project = await lake()
    const snapshots = await changing(project, 'silver.orders', [
      { gone: 'id = 1' },
      { rows: order(1, 11) },
      { rows: order(5, 50) },
    ])
    const tag = {
      action: 'set-snapshot-ref',
      'ref-name': 'before',
      type: 'tag',
      'snapshot-id': snapshots[0]?.['parent-snapshot-id'],
    }
    expect((await send(project, adding(snapshots, [tag]))).json.error).toBe(undefined)
    // The file of both rows is gone; one row of it was written again.
    expect(await tableOf(project)).toMatchObject({
      rows: 3,
      adopted: { added: 3, removed: 2, unchecked: true },
    })
    expect((await project.run()).outcome).toBe('done')
    expect(await sums(project)).toEqual([{ n: 3n, amount: '81' }])
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('is copied with its lake, also where an engine spells locations otherwise', async () => {
    const project = await lake()
    const [made] = await changing(project, 'silver.orders', [{ rows: order(3, 30) }])
    const list = made?.['manifest-list'].replace('file:///', 'file:/')
    const spelled = { ...made, 'manifest-list': list } as Snapshot
    expect((await send(project, adding([spelled]))).json.error).toBe(undefined)
    const copy = join(await temporaryFolder(), 'copy')
    expect((await project.cli('copy', copy)).code).toBe(0)
    await rm(join(project.folder, 'lake'), { recursive: true })
    expect((await project.cli('--root', copy, 'verify', '--deep')).code).toBe(0)
  })

  it('stops at rows whose key is there already, and builds nothing on them until they are gone', async () => {
    const project = await lake()
    const twice = await changing(project, 'silver.orders', [{ rows: order(1, 12) }])
    expect((await send(project, adding(twice))).status).toBe(200)
    const record = await project.run()
    expect(step(record, 'silver.orders')).toMatchObject({
      outcome: 'failed',
      error: {
        message: expect.stringContaining('other engines have written rows with keys'),
        hint: expect.stringContaining('moraine run silver.orders --full --allow-loss'),
      },
    })
    expect(step(record, 'gold.totals').outcome).toBe('blocked')
    expect(await sums(project)).toEqual([{ n: 2n, amount: '30' }])
    const less = await changing(project, 'silver.orders', [{ gone: 'amount = 12' }])
    expect((await send(project, adding(less))).status).toBe(200)
    expect((await project.run()).outcome).toBe('done')
    expect(await orders(project)).toEqual([
      { id: 1, amount: 10 },
      { id: 2, amount: 20 },
    ])
  })

  it('refuses to compute the table without them, unless that is said', async () => {
    const project = await lake()
    const more = await changing(project, 'silver.orders', [{ rows: order(3, 30) }])
    expect((await send(project, adding(more))).status).toBe(200)
    const planned = await project.cli('plan', '--full')
    expect(planned.stdout).toContain('but 1 row added by other engines would be dropped')
    const refused = await project.run({ full: true })
    expect(step(refused, 'silver.orders').error).toMatchObject({
      message:
        'silver.orders would be computed from its inputs, without 1 row added by other engines',
      hint: expect.stringContaining('moraine run silver.orders --allow-loss'),
    })
    expect(await orders(project)).toHaveLength(3)
    // A definition that needs all rows is no other; one that says nothing of rows is none.
    await project.write({ 'lake.ts': definition('') })
    expect(step(await project.run(), 'silver.orders').outcome).toBe('done')
    const last = await send(
      project,
      adding(await changing(project, 'silver.orders', [{ rows: order(6, 60) }])),
    )
    expect(last.json.error.message).toContain("writes: 'allow'")
    const quiet = await project.run()
    expect(quiet.steps.map(({ outcome }) => outcome)).toEqual(Array(3).fill('unchanged'))
    expect((await project.run({ full: true, allowLoss: true })).outcome).toBe('done')
    expect(await sums(project)).toEqual([{ n: 2n, amount: '30' }])
    expect((await tableOf(project))?.adopted).toBeUndefined()
  })

  it('of gold is kept until its inputs change', async () => {
    const project = await lake()
    await project.write({
      'lake.ts': definition().replace("gold('totals', {", "gold('totals', { writes: 'allow',"),
    })
    const rows = 'SELECT 7::BIGINT AS n, 70::DECIMAL(38, 0) AS amount'
    const fresh = await changing(project, 'gold.totals', [{ rows }])
    expect((await send(project, adding(fresh), 'gold/tables/totals')).json.error).toBe(undefined)
    const quiet = await project.run()
    expect(quiet.steps.map(({ outcome }) => outcome)).toEqual(Array(3).fill('unchanged'))
    expect(await sums(project)).toHaveLength(2)
    await project.write({ 'in/2.csv': 'id,amount,at\n4,40,2026-01-01\n' })
    const refused = await project.run()
    expect(step(refused, 'silver.orders').outcome).toBe('done')
    expect(step(refused, 'gold.totals').error?.message).toBe(
      'gold.totals would be computed from its inputs, without 1 row added by other engines',
    )
    expect((await project.run({ allowLoss: true })).outcome).toBe('done')
    expect(await sums(project)).toEqual([{ n: 3n, amount: '70' }])
  })

  it('of gold by parts stays, as long as other parts are computed', async () => {
    const project = await lake()
    const byDay = `gold('totals', { writes: 'allow', incremental: { by: 'day' }, query: sql\`select "at" as day, count(*) as n, sum(amount) as amount from \${orders} group by "at"\``
    const [before = '', after = ''] = definition().split(/gold\('totals', \{ query: sql`[^`]*`/)
    await project.write({
      'lake.ts': before + byDay + after,
      'in/2.csv': 'id,amount,at\n3,30,2026-01-05\n4,40,2026-01-09\n',
    })
    const first = await project.run()
    expect(step(first, 'gold.totals').error).toBe(undefined)
    const days = async () =>
      (await project.query('select * from gold.totals order by day')).map(({ day, amount }) => [
        String(day),
        Number(amount),
      ])
    // An engine adds a day that no order has, and corrects another one.
    const rows = "SELECT DATE '2026-02-01' AS day, 7::BIGINT AS n, 70::DECIMAL(38, 0) AS amount"
    const corrected = rows.replace('2026-02-01', '2026-01-05').replace('70', '31')
    const fresh = await changing(project, 'gold.totals', [
      { rows },
      { gone: "day = DATE '2026-01-05'", rows: corrected },
    ])
    expect((await send(project, adding(fresh), 'gold/tables/totals')).json.error).toBe(undefined)
    // The correction has replaced the file of all days before: any of them may be others' now.
    await project.write({ 'in/3.csv': 'id,amount,at\n5,50,2026-01-01\n' })
    const refused = await project.run()
    expect(step(refused, 'gold.totals').error?.message).toMatch(/without .* by other engines$/)
    await project.write({ 'in/4.csv': 'id,amount,at\n6,60,2026-03-01\n' })
    expect((await project.run()).outcome).not.toBe('done')

    // Where only the added day is theirs, all others are computed.
    expect((await project.run({ full: true, allowLoss: true })).outcome).toBe('done')
    const added = await changing(project, 'gold.totals', [{ rows }])
    expect((await send(project, adding(added), 'gold/tables/totals')).json.error).toBe(undefined)
    await project.write({ 'in/5.csv': 'id,amount,at\n7,70,2026-01-05\n' })
    const done = await project.run()
    expect([done.outcome, step(done, 'gold.totals').reason]).toEqual([
      'done',
      expect.stringContaining('1 row added by other engines stay where these are others'),
    ])
    expect(await days()).toEqual([
      ['2026-01-01', 80],
      ['2026-01-05', 100],
      ['2026-01-09', 40],
      ['2026-02-01', 70],
      ['2026-03-01', 60],
    ])
    expect((await tableOf(project, 'gold.totals'))?.adopted).toMatchObject({ added: 1, removed: 0 })
    // An order of that day would drop what the engine has written of it.
    await project.write({ 'in/6.csv': 'id,amount,at\n8,80,2026-02-01\n' })
    expect(step(await project.run(), 'gold.totals').error?.hint).toContain('--allow-loss')
    expect((await project.run({ allowLoss: true })).outcome).toBe('done')
    expect((await days())[3]).toEqual(['2026-02-01', 80])
  })

  it('allows neither another shape nor what cannot be counted', async () => {
    const project = await lake()
    const [good] = await changing(project, 'silver.orders', [{ rows: order(3, 30) }])
    const { number } = await project.state()
    const snapshot = good as Snapshot
    for (const [snapshots, more, why] of [
      [[snapshot], [{ action: 'set-properties', updates: { a: 'b' } }], 'Cannot change the prop'],
      [[{ ...snapshot, 'parent-snapshot-id': 5 }], [], 'which it follows, is not the current'],
      [[{ ...snapshot, 'schema-id': 5 }], [], 'has schema 5'],
      [[snapshot, { ...snapshot, 'snapshot-id': 5 }], [], 'is not the current one'],
      [[{ ...snapshot, summary: { operation: 'replace' } }], [], 'they have 3 rows instead of 2'],
    ] as const) {
      const { status, json } = await send(project, adding(snapshots as unknown as Snapshot[], more))
      expect([status, json.error?.message]).toEqual([400, expect.stringContaining(why)])
    }
    expect((await project.state()).number).toBe(number)
  })

  it('does not lose them to a branch that was built before, by another definition', async () => {
    const project = await lake()
    const changed = definition().replace('amount: t.int()', 'amount: t.int().min(1)')
    await project.cli('branch', 'create', 'dev')
    await project.write({ 'lake.ts': changed })
    expect((await project.cli('run', '--branch', 'dev')).code).toBe(0)
    await project.write({ 'lake.ts': definition() })
    const [snapshot] = await changing(project, 'silver.orders', [{ rows: order(3, 30) }])
    expect((await send(project, adding([snapshot as Snapshot]))).status).toBe(200)
    await project.run()

    await project.write({ 'lake.ts': changed })
    const published = await project.cli('promote', 'dev', '--refresh')
    expect(await sums(project)).toEqual([{ n: 3n, amount: '60' }])
    expect(published.code).toBe(1)
    const refused = await project.cli('run', '--branch', 'dev')
    expect(refused.stdout).toMatch(/--allow-loss/)
  })
})
