import fc from 'fast-check'
import { expect, it } from 'vitest'
import { amount } from '../../support/effort.js'
import { Project, step } from '../../support/project.js'
import { seed } from '../../support/seed.js'

const DAY = 86_400_000
const lake = (more = '') => `
import { bronze, defineLake, gold, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('orders/*.csv') })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.int(), placed: t.timestamp(), amount: t.int() }),
  rules: [rule('not negative', sql\`amount >= 0\`)],
  key: 'id',
  cursor: 'placed',
  keep: '100 days',
})
const columns = { day: t.date(), total: t.bigint() }
const query = sql\`select placed::date as day, sum(amount)${more} as total from \${orders} group by 1\`
const daily = gold('daily', { query, columns, incremental: { by: 'day' } })
const recent = gold('recent', { query, columns, keep: { for: '50d', by: 'day' } })
const names = bronze('names', { from: files('names.csv') })
const named = gold('named', {
  query: sql\`select day, name, total from \${daily} join \${names} on id = total % 2\`,
  partitionBy: ['day'],
})
export default defineLake({ name: 'shop', datasets: [raw, orders, daily, recent, names, named] })
`
const names = { 'names.csv': 'id,name\n0,even\n1,odd\n' }

const csv = (rows: readonly { id: number; at: number; amount: number }[]) =>
  `id,placed,amount\n${rows.map(({ id, at, amount }) => `${id},${new Date(at).toISOString().slice(0, 19)},${amount}\n`).join('')}`
const dayOf = (time: number) => new Date(time).toISOString().slice(0, 10)

const daysOf = async (project: Project, table: string) =>
  Object.fromEntries(
    (await project.query(`SELECT CAST(day AS VARCHAR) AS day, total FROM ${table} ORDER BY 1`)).map(
      ({ day, total }) => [String(day), Number(total)],
    ),
  )

it('counts rows that are too old when they come as expired, and not as kept', async () => {
  const project = await Project.create({ 'lake.ts': lake(), ...names })
  const now = Date.now()
  const ages = [300, 200, 3, 2, 1]
  const rows = ages.map((age, id) => ({ id, at: now - age * DAY, amount: 10 }))
  await project.write({ 'orders/1.csv': csv([...rows, { id: 4, at: now - 9 * DAY, amount: 1 }]) })
  const run = await project.cli('run')
  expect(run.stdout).toMatch(/✔ silver\.orders +6 rows in = 3 kept \+ 1 superseded \+ 2 expired/)
  const all = { in: 6, kept: 3, discarded: 0, superseded: 1, expired: 2 }
  const steps =
    "SELECT rows_in, kept, expired, rows FROM system.steps WHERE dataset = 'silver.orders'"
  const told = await project.cli('query', steps, '--json')
  expect(JSON.parse(told.stdout)).toEqual([{ rows_in: 6, kept: 3, expired: 2, rows: 3 }])
  const { stdout } = await project.cli('status', '--json')
  const { datasets } = JSON.parse(stdout)
  const status = datasets.find(({ dataset }: { dataset: string }) => dataset === 'silver.orders')
  expect(status).toMatchObject({ rows: 3, ...all })
  // Those that were there before, and expire with a later step, are not of what that has read.
  await project.write({ 'orders/2.csv': csv([{ id: 7, at: now, amount: 1 }]) })
  // Whole days go: 98 of them later, at noon, the row of three days before is the only one.
  const noon = Math.floor(now / DAY) * DAY + 98.5 * DAY
  const later = await project.run({ now: () => new Date(noon) })
  const step7 = step(later, 'silver.orders')
  expect(step7).toMatchObject({ counts: { in: 1, kept: 1 }, notes: ['1 row expired'], rows: 1 })
  expect((await project.state()).tables['silver.orders']?.counts).toMatchObject({
    ...{ in: 7, kept: 3, superseded: 1, expired: 3 },
  })
})

it('lets old rows go, counts them, and keeps the sums that were made of them', async () => {
  const project = await Project.create({ 'lake.ts': lake(), ...names })
  const at = (day: string) => Date.parse(`${day}T10:00:00Z`)
  const rows = ['2026-01-01', '2026-01-02', '2026-03-01'].map((day, i) => ({
    id: i,
    at: at(day),
    amount: 10 + i,
  }))
  await project.write({ 'orders/1.csv': csv(rows) })
  await project.run({ now: () => new Date('2026-03-02T00:00:00Z') })
  expect(await daysOf(project, 'gold.daily')).toEqual({
    '2026-01-01': 10,
    '2026-01-02': 11,
    '2026-03-01': 12,
  })
  expect(Object.keys(await daysOf(project, 'gold.recent'))).toEqual(['2026-03-01'])

  // Nothing has come, but time has passed: a hundred days after the first of January and a bit
  // more.
  const later = () => new Date('2026-04-12T12:00:00Z')
  const run = await project.run({ now: later })
  expect(step(run, 'silver.orders')).toMatchObject({
    reason: 'rows from before 2026-01-02 expire (keep: 100 days)',
    notes: ['1 row expired'],
  })
  const state = await project.state()
  expect(state.tables['silver.orders']?.counts).toEqual({
    in: 3,
    kept: 2,
    discarded: 0,
    superseded: 0,
    expired: 1,
  })
  expect(await daysOf(project, 'gold.daily')).toMatchObject({ '2026-01-01': 10 })
  const said = await project.cli('discarded', 'orders')
  expect(said.stdout).toContain('3 rows in = 2 kept + 0 discarded + 0 superseded + 1 expired')
  // Once is enough, the same day and after `optimize`.
  const again = await project.run({ now: later })
  expect(again.steps.every(({ outcome }) => outcome === 'unchanged')).toBe(true)
  expect((await project.cli('optimize')).code).toBe(0)

  // A late row of a day that is final changes nothing but the counts; one of another day does.
  const late = [
    { id: 8, at: at('2026-01-01'), amount: 100 },
    { id: 9, at: at('2026-03-01'), amount: 100 },
  ]
  await project.write({ 'orders/2.csv': csv(late) })
  const came = await project.run({ now: later })
  expect(step(came, 'silver.orders')).toMatchObject({
    counts: { in: 2, kept: 1, discarded: 0, superseded: 0, expired: 1 },
    rows: 1,
  })
  expect(await daysOf(project, 'gold.daily')).toEqual({
    '2026-01-01': 10,
    '2026-01-02': 11,
    '2026-03-01': 112,
  })
  expect((await project.state()).tables['silver.orders']?.counts).toMatchObject({
    in: 5,
    kept: 3,
    expired: 2,
  })

  // Rows that are judged again, and a `keep` that goes, change nothing of what is final.
  await project.write({
    'orders/3.csv': csv([{ id: 20, at: at('2026-01-01'), amount: -1 }]),
  })
  await project.run({ now: later })
  const mild = lake().replace('amount >= 0', 'amount >= -5')
  await project.write({ 'lake.ts': mild })
  const replayed = await project.run({ replay: { dataset: 'silver.orders' }, now: later })
  expect(step(replayed, 'silver.orders')).toMatchObject({ outcome: 'done', rows: 1 })
  await project.run({ now: later })
  expect((await project.state()).tables['silver.orders']?.counts).toMatchObject({
    in: 6,
    kept: 3,
    expired: 3,
  })
  await project.write({
    'lake.ts': mild.replace("keep: '100 days',", '').replace('(amount)', '(amount + 0)'),
  })
  const without = await project.run({ now: later })
  expect(step(without, 'gold.daily').outcome).toBe('failed')
  expect(await daysOf(project, 'gold.daily')).toMatchObject({ '2026-01-01': 10 })

  // Sums that would have to be made of rows that are gone are not made by accident.
  await project.write({ 'lake.ts': lake(' * 1').replace('amount >= 0', 'amount >= -5') })
  const refused = await project.run({ now: later })
  expect(step(refused, 'gold.daily').error).toMatchObject({
    message:
      'gold.daily would have to be rebuilt from all of its rows, but silver.orders has expired some of them',
  })
  expect(await daysOf(project, 'gold.daily')).toMatchObject({ '2026-01-01': 10 })
  await project.run({ now: later, allowLoss: true })
  expect(await daysOf(project, 'gold.daily')).toEqual({ '2026-01-02': 11, '2026-03-01': 112 })
  expect((await project.cli('verify', '--deep')).code).toBe(0)
})

it('computes what is not final when something else changes that any row may look at', async () => {
  const looked = lake().replace(
    'select placed::date as day, sum(amount) as total from ${orders} group by 1',
    'select placed::date as day, sum(amount * f)::bigint as total from ${orders}, ${factor} group by 1',
  )
  const factor = `
const factors = bronze('factors', { from: files('factor.csv') })
const factor = silver('factor', { from: factors, schema: z.object({ k: t.int(), f: t.int() }), key: 'k' })
const columns`
  const project = await Project.create({
    'lake.ts': looked
      .replace('const columns', factor)
      .replace('names, named]', 'names, named, factors, factor]'),
    'factor.csv': 'k,f\n1,1\n',
    'orders/1.csv': csv([
      { id: 1, at: Date.parse('2026-01-01T10:00:00Z'), amount: 1 },
      { id: 2, at: Date.parse('2026-03-01T10:00:00Z'), amount: 2 },
    ]),
    ...names,
  })
  await project.run({ now: () => new Date('2026-03-02T00:00:00Z') })
  const later = () => new Date('2026-05-01T00:00:00Z')
  await project.run({ now: later })
  await project.write({ 'factor.csv': 'k,f\n1,10\n' })
  const run = await project.run({ now: later })
  expect(step(run, 'gold.daily').outcome).toBe('done')
  expect(await daysOf(project, 'gold.daily')).toEqual({ '2026-01-01': 1, '2026-03-01': 20 })
})

const at = (day: string) => Date.parse(`${day}T10:00:00Z`)
const on = (day: string) => ({ now: () => new Date(`${day}T12:00:00Z`) })

it.each(['', "keep: { for: '100 days', by: '_loaded_at' },"])(
  'keeps the sums of days that are final when the keep of their rows becomes %j',
  async (other) => {
    const project = await Project.create({
      'lake.ts': lake(),
      'orders/1.csv': csv([
        { id: 1, at: at('2026-01-01'), amount: 10 },
        { id: 2, at: at('2026-03-01'), amount: 12 },
      ]),
      ...names,
    })
    await project.run(on('2026-03-02'))
    await project.run(on('2026-04-12'))
    const sums = { '2026-01-01': 10, '2026-03-01': 12 }
    expect(await daysOf(project, 'gold.daily')).toEqual(sums)

    // A row that comes late is kept now, but is not all that there was of its day.
    const changed = (more = '') => lake(more).replace("keep: '100 days',", other)
    await project.write({
      'lake.ts': changed(),
      'orders/2.csv': csv([{ id: 8, at: at('2026-01-01'), amount: 100 }]),
    })
    expect(step(await project.run(on('2026-04-12')), 'silver.orders').rows).toBe(1)
    expect(await daysOf(project, 'gold.daily')).toEqual(sums)

    // What was built since knows still that it can't be computed again.
    await project.write({ 'lake.ts': changed(' * 1') })
    const refused = await project.run(on('2026-04-12'))
    expect(step(refused, 'gold.daily').error?.message).toMatch(
      /would have to be rebuilt .* silver\.orders has expired some of them/,
    )

    // With the `keep` of before, that row goes as well.
    await project.write({ 'lake.ts': lake() })
    const back = await project.run(on('2026-04-12'))
    expect(step(back, 'silver.orders').notes).toEqual(['1 row expired'])
    expect(await daysOf(project, 'gold.daily')).toEqual(sums)
    const { retention } = (await project.state()).tables['silver.orders'] ?? {}
    expect(retention).toMatchObject({
      column: 'placed',
      expiredBefore: '2026-01-02T00:00:00.000Z',
    })
  },
)

it('keeps the sums of days that are final when rows have gone by another column since', async () => {
  const project = await Project.create({
    'lake.ts': lake(),
    'orders/1.csv': csv([
      { id: 1, at: at('2026-01-01'), amount: 10 },
      { id: 2, at: at('2026-03-01'), amount: 12 },
    ]),
    ...names,
  })
  await project.run(on('2026-03-02'))
  await project.run(on('2026-04-12'))
  await project.write({
    'lake.ts': lake().replace("keep: '100 days'", "keep: { for: '100 days', by: '_loaded_at' }"),
  })
  const run = await project.run(on('2100-01-01'))
  expect(step(run, 'silver.orders').notes).toEqual(['1 row expired'])
  expect((await project.state()).tables['silver.orders']?.retention).toMatchObject({
    column: '_loaded_at',
    earlier: [{ column: 'placed', expiredBefore: '2026-01-02T00:00:00.000Z' }],
  })
  await project.write({ 'orders/2.csv': csv([{ id: 8, at: at('2026-01-01'), amount: 100 }]) })
  await project.run(on('2026-04-13'))
  expect(await project.query('SELECT id FROM silver.orders')).toEqual([{ id: 8 }])
  // The other day is not final: it has no rows any more.
  expect(await daysOf(project, 'gold.daily')).toEqual({ '2026-01-01': 10 })
})

it('keeps the sums of days that are final when their rows are kept for longer', async () => {
  const short = lake().replace('100 days', '30 days')
  const project = await Project.create({ 'lake.ts': short, ...names })
  await project.write({ 'orders/1.csv': csv([{ id: 1, at: at('2026-01-01'), amount: 10 }]) })
  await project.run(on('2026-01-02'))
  await project.write({ 'orders/2.csv': csv([{ id: 2, at: at('2026-03-01'), amount: 12 }]) })
  await project.run(on('2026-03-02'))
  // A row that is far too old goes, which says nothing of those that went before.
  await project.write({
    'lake.ts': short.replace('30 days', '365 days'),
    'orders/3.csv': csv([
      { id: 3, at: at('1999-12-31'), amount: 1 },
      { id: 4, at: at('2026-01-01'), amount: 100 },
    ]),
  })
  const run = await project.run(on('2026-03-02'))
  expect(step(run, 'silver.orders')).toMatchObject({ counts: { kept: 1, expired: 1 } })
  expect(await daysOf(project, 'gold.daily')).toEqual({ '2026-01-01': 10, '2026-03-01': 12 })
})

it('tells of rows that expire before gold has read them, as its final sums lack them', async () => {
  const project = await Project.create({ 'lake.ts': lake(), ...names })
  const came = (id: number, day: string) => ({
    [`orders/${id}.csv`]: csv([{ id, at: at(day), amount: id }]),
  })
  const silverAlone = { select: ['bronze.orders', 'silver.orders'] }
  await project.write({ ...came(1, '2026-01-01'), ...came(2, '2026-03-01') })
  await project.run(on('2026-03-02'))
  await project.write({ ...came(3, '2026-01-01'), ...came(4, '2026-03-02') })
  await project.run({ ...on('2026-03-03'), ...silverAlone })
  const run = await project.run(on('2026-04-12'))
  expect(step(run, 'silver.orders').notes).toEqual([
    '2 rows expired',
    '1 row expired before gold.daily had read it',
  ])
  const sums = { '2026-01-01': 1, '2026-03-01': 2, '2026-03-02': 4 }
  expect(await daysOf(project, 'gold.daily')).toEqual(sums)

  // What it has read may go, also while it has not read what is newer.
  await project.write(came(5, '2026-06-01'))
  await project.run({ ...on('2026-06-01'), ...silverAlone })
  const read = await project.run({ ...on('2026-06-15'), ...silverAlone })
  expect(step(read, 'silver.orders').notes).toEqual(['2 rows expired'])
})

const cut = (now: number, days: number) => Math.floor((now - days * DAY) / DAY) * DAY

it('keeps the newest rows of the days that are kept, and each sum as it last was', async () => {
  const row = fc.record({
    id: fc.integer({ min: 1, max: 12 }),
    ago: fc.oneof(
      { arbitrary: fc.integer({ min: 0, max: 180 * 24 * 60 }), weight: 6 },
      { arbitrary: fc.integer({ min: 0, max: 3000 * 24 * 60 }), weight: 1 },
    ),
    amount: fc.integer({ min: -1, max: 50 }),
  })
  const load = fc.record({
    passed: fc.integer({ min: 0, max: 90 }),
    rows: fc.array(row, { maxLength: 8 }),
    keep: fc.constantFrom(100, 100, 30),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(load, { minLength: 2, maxLength: 6 }), async (loads) => {
      const project = await Project.create({ 'lake.ts': lake(), ...names })
      let now = Date.parse('2026-06-01T15:30:00Z')
      const table = new Map<number, { at: number; amount: number }>()
      const ever = new Map<number, { at: number; amount: number }>()
      let days = new Map<string, number>()
      let final = ''
      // Each row has a time of its own, so that one of two is always the newer.
      let n = 0
      let kept = 0
      for (const [i, { passed, rows, keep }] of loads.entries()) {
        now += passed * DAY
        kept = cut(now, keep)
        const timed = rows.map(({ id, ago, amount }) => {
          n += 1
          return { id, amount, at: Math.floor(now / 60_000 - ago) * 60_000 + (n % 60) * 1000 }
        })
        const own = lake().replace('100 days', `${keep} days`)
        await project.write({ 'lake.ts': own, [`orders/${i}.csv`]: csv(timed) })
        const record = await project.run({ now: () => new Date(now) })
        expect(record.steps.filter(({ outcome }) => outcome === 'failed')).toEqual([])
        for (const { id, at, amount } of timed)
          for (const rows of [table, ever])
            if (amount >= 0 && !((rows.get(id)?.at ?? 0) > at)) rows.set(id, { at, amount })
        const last = dayOf(kept - 1)
        for (const [id, { at }] of table)
          if (at < kept) {
            table.delete(id)
            // A day that is final stays so, also where rows are kept for longer since.
            if (last > final) final = last
          }
        const sums = new Map([...days].filter(([day]) => day <= final))
        for (const { at, amount } of table.values())
          if (dayOf(at) > final) sums.set(dayOf(at), (sums.get(dayOf(at)) ?? 0) + amount)
        days = sums
      }
      const there = async () =>
        (await project.query('SELECT id, placed, amount FROM silver.orders ORDER BY id')).map(
          ({ id, placed, amount }) => [id, Date.parse(`${placed}Z`), amount],
        )
      const listed = (rows: typeof table) =>
        [...rows].map(([id, { at, amount }]) => [id, at, amount] as const).sort(([a], [b]) => a - b)
      expect(await there()).toEqual(listed(table))
      expect(await daysOf(project, 'gold.daily')).toEqual(Object.fromEntries([...days].sort()))
      const recent = Object.keys(await daysOf(project, 'gold.recent'))
      const young = [...table.values()].map(({ at }) => dayOf(at))
      expect(recent).toEqual([...new Set(young.filter((day) => day >= dayOf(cut(now, 50))))].sort())
      // From all rows that there were, with the `keep` of now.
      await project.run({ now: () => new Date(now), full: true, allowLoss: true })
      for (const [id, { at }] of ever) if (at < kept) ever.delete(id)
      expect(await there()).toEqual(listed(ever))
    }),
    { numRuns: amount(2, 8), seed, endOnFailure: true },
  )
})

it('lets old rows go also where they are only listed as deleted, and nothing is written again', async () => {
  const day = (n: number) => new Date(Date.UTC(2026, 0, n)).toISOString().slice(0, 10)
  const rows = Array.from({ length: 40 }, (_, i) => `${i},${day(i === 0 ? 1 : 30)}`)
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const events = silver('events', {
  from: bronze('events', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int(), at: t.date() }),
  key: 'id', cursor: 'at', keep: { for: '20d', by: 'at' },
})
export default defineLake({ name: 'kept', datasets: [events] })
`,
    'in/1.csv': ['id,at', ...rows, ''].join('\n'),
  })
  const record = await project.run({ rewriteUpTo: 0, now: () => new Date('2026-02-01T00:00:00Z') })
  expect(step(record, 'silver.events').error).toBeUndefined()
  const { counts, rows: left } = (await project.state()).tables['silver.events'] ?? {}
  expect(counts).toMatchObject({ in: 40, kept: 39, expired: 1 })
  expect(left).toBe(39)
})
