import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amount } from '../../support/effort.js'
import { Project, step } from '../../support/project.js'
import { seed } from '../../support/seed.js'

const lake = (statuses: string, more = '') => `
import { bronze, defineLake, gold, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv', { columns: ['id', 'v', 'status', 'amount'], header: true }) })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.int(), v: t.int(), status: z.string(), amount: t.int() }),
  key: 'id', cursor: 'v', ${more}
  rules: [rule('status is known', sql\`status in (${statuses})\`), rule('amount is positive', sql\`amount > 0\`)],
})
const total = gold('total', { query: sql\`select sum(amount) as total, count(*) as n from \${orders}\` })
export default defineLake({ name: 'shop', datasets: [total] })
`

const csv = (...rows: string[]) => ['id,v,status,amount', ...rows, ''].join('\n')
const replay = { replay: { dataset: 'silver.orders' }, select: ['silver.orders+'] }
const STALE = 'SELECT _stale FROM discarded.orders ORDER BY _batch, _source_line'
const rows = (project: Project) =>
  project.query('SELECT id, v, status, amount FROM silver.orders ORDER BY id')
const discarded = (project: Project) =>
  project.query(
    'SELECT _source_line AS line, reasons FROM discarded.orders ORDER BY _batch, _source_line',
  )

describe('moraine replay', () => {
  it('brings rows in that a mended rule lets pass, unless the table has newer ones', async () => {
    const project = await Project.create({
      'lake.ts': lake("'new', 'paid'"),
      'in/1.csv': csv('1,1,new,5', '2,1,sent,7', '3,1,sent,-1', '4,1,sent,9'),
    })
    await project.run()
    await project.write({ 'in/2.csv': csv('4,2,paid,10') })
    await project.run()
    await project.write({ 'lake.ts': lake("'new', 'paid', 'sent'") })
    const record = await project.run(replay)
    expect(record.steps.map(({ error }) => error)).toEqual([undefined, undefined])
    expect(step(record, 'silver.orders').counts).toEqual({
      in: 3,
      kept: 1,
      discarded: 1,
      superseded: 1,
      replaced: 0,
    })
    expect(await rows(project)).toEqual([
      { id: 1, v: 1, status: 'new', amount: 5 },
      { id: 2, v: 1, status: 'sent', amount: 7 },
      { id: 4, v: 2, status: 'paid', amount: 10 },
    ])
    // What stays has its new reasons, and gold has seen what came.
    expect(await discarded(project)).toEqual([{ line: 4n, reasons: ['rule: amount is positive'] }])
    expect(await project.query('SELECT n FROM gold.total')).toEqual([{ n: 3n }])
    expect((await project.state()).tables['silver.orders']?.counts).toEqual({
      in: 5,
      kept: 3,
      discarded: 1,
      superseded: 1,
    })
    const again = await project.run(replay)
    expect(step(again, 'silver.orders').reason).toBe(
      'none of its discarded rows would be treated differently now',
    )
    expect(again.commits).toEqual([])
    // It is what a build from all rows gives, and so a run has nothing to do.
    expect(step(await project.run(), 'silver.orders').outcome).toBe('unchanged')
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('is seen by gold, also where its table was optimized since', async () => {
    const project = await Project.create({
      'lake.ts': lake("'new'"),
      'in/1.csv': csv('1,1,new,5', '2,1,sent,7'),
    })
    await project.run()
    await project.write({ 'in/2.csv': csv('3,1,new,9') })
    await project.run()
    expect((await project.cli('optimize', 'silver.orders')).code).toBe(0)
    expect((await project.state()).tables['silver.orders']?.sameRowsAs).toHaveLength(1)
    await project.write({ 'lake.ts': lake("'new', 'sent'") })
    expect(step(await project.run(replay), 'gold.total').outcome).toBe('done')
    expect(await project.query('SELECT n FROM gold.total')).toEqual([{ n: 3n }])
  })

  it('knows which of two rows of a batch came later, where nothing else tells', async () => {
    const project = await Project.create({
      'lake.ts': lake("'new'", 'history: true,'),
      'in/1.csv': csv('1,1,sent,5', '1,1,new,6', '2,1,new,6', '2,1,sent,5'),
    })
    await project.run()
    await project.write({ 'lake.ts': lake("'new', 'sent'", 'history: true,') })
    const { counts } = step(await project.run(replay), 'silver.orders')
    expect(counts).toEqual({ in: 2, kept: 1, discarded: 0, superseded: 1, replaced: 1 })
    const found = [
      { id: 1, v: 1, status: 'new', amount: 6 },
      { id: 2, v: 1, status: 'sent', amount: 5 },
    ]
    const versions = () =>
      project.query('SELECT id, v, status, amount FROM history.orders ORDER BY id')
    expect(await rows(project)).toEqual(found)
    expect(await versions()).toEqual(found)
    await project.run({ full: true })
    expect(await rows(project)).toEqual(found)
    expect(await versions()).toEqual(found)
  })

  it('knows that as well where JavaScript checks the key', async () => {
    const refined = (statuses: string) =>
      lake(statuses, 'history: true,').replace(
        'id: t.int()',
        'id: z.string().refine((id) => id.length === 2)',
      )
    const project = await Project.create({
      'lake.ts': refined("'new'"),
      'in/1.csv': csv('A1,1,sent,5', 'A1,1,new,6', 'B2,1,new,6', 'B2,1,sent,5', 'C,1,sent,5'),
    })
    await project.run()
    await project.write({ 'lake.ts': refined("'new', 'sent'") })
    const record = await project.run(replay)
    expect(record.steps.map(({ error }) => error)).toEqual([undefined, undefined])
    const found = [
      { id: 'A1', v: 1, status: 'new', amount: 6 },
      { id: 'B2', v: 1, status: 'sent', amount: 5 },
    ]
    const versions = () =>
      project.query('SELECT id, v, status, amount FROM history.orders ORDER BY id')
    expect(await rows(project)).toEqual(found)
    expect(await versions()).toEqual(found)
    await project.run({ full: true })
    expect(await rows(project)).toEqual(found)
    expect(await versions()).toEqual(found)
  })

  it('leaves a key removed that a later row removes, though that row is not replayed', async () => {
    const remove = "onInvalidUpdate: 'remove',"
    const project = await Project.create({
      'lake.ts': lake("'new'", remove),
      'in/1.csv': csv('1,1,sent,5', '1,1,new,-1', '2,1,new,-1', '2,1,sent,5'),
    })
    await project.run()
    expect(await rows(project)).toEqual([])
    await project.write({ 'lake.ts': lake("'new', 'sent'", remove) })
    const known = { dataset: 'silver.orders', rule: 'status is known' }
    const record = await project.run({ ...replay, replay: known })
    const counts = { in: 2, kept: 1, discarded: 0, superseded: 1 }
    expect(step(record, 'silver.orders').counts).toMatchObject(counts)
    const found = [{ id: 2, v: 1, status: 'sent', amount: 5 }]
    expect(await rows(project)).toEqual(found)
    const gone = () => project.query('SELECT id, _kind, _source_line AS line FROM deleted.orders')
    expect(await gone()).toEqual([{ id: 1, _kind: 'invalid', line: 3n }])
    await project.run({ full: true })
    expect(await rows(project)).toEqual(found)
    expect(await gone()).toEqual([{ id: 1, _kind: 'invalid', line: 3n }])
  })

  it('leaves new batches to the next run', async () => {
    const project = await Project.create({
      'lake.ts': lake("'new'"),
      'in/1.csv': csv('1,1,new,5', '2,1,sent,7'),
    })
    await project.run()
    await project.write({ 'in/2.csv': csv('3,1,sent,1'), 'lake.ts': lake("'new', 'sent'") })
    await project.run({ select: ['bronze.orders'] })
    await project.run(replay)
    expect((await rows(project)).map(({ id }) => id)).toEqual([1, 2])
    await project.run()
    expect((await rows(project)).map(({ id }) => id)).toEqual([1, 2, 3])
  })

  it('is told to run where that is not enough', async () => {
    const project = await Project.create({
      'lake.ts': lake("'new'"),
      'in/1.csv': csv('1,1,new,5', '2,1,sent,7'),
    })
    await project.run()
    await project.write({ 'lake.ts': lake("'sent'") })
    const stricter = await project.run(replay)
    expect(step(stricter, 'silver.orders').error?.message).toBe(
      "the discarded rows of silver.orders cannot be replayed on their own: 1 row of the table violates the rule 'status is known'",
    )
    await project.write({
      'lake.ts': lake("'new'").replace('amount: t.int()', 'amount: t.bigint()'),
    })
    const other = await project.run(replay)
    expect(step(other, 'silver.orders').error?.message).toMatch(
      /its definition changed \(column amount\)$/,
    )
  })

  it('knows of what stays discarded whether a row that came in is older', async () => {
    const project = await Project.create({
      'lake.ts': lake("'new'"),
      'in/1.csv': csv('1,1,sent,5', '1,1,new,-1', '2,1,new,-1', '2,1,new,5', '3,2,lost,5'),
    })
    await project.run()
    await project.write({ 'in/2.csv': csv('3,3,new,5') })
    await project.run()
    await project.write({ 'lake.ts': lake("'new', 'sent'") })
    expect(step(await project.run(replay), 'silver.orders').stale).toBe(1)
    const stale = () =>
      project.query('SELECT _source_line AS line, _stale FROM discarded.orders ORDER BY 1')
    const found = [
      { line: 3n, _stale: true },
      { line: 4n, _stale: false },
      { line: 6n, _stale: false },
    ]
    expect(await stale()).toEqual(found)
    await project.run({ full: true })
    expect(await stale()).toEqual(found)
  })

  it('leaves the rest to the next run, where other rows would be treated differently as well', async () => {
    const both = lake("'new', 'sent'").replace('amount > 0', 'amount > -9')
    const changes = [
      { changed: lake("'new', 'sent'"), since: true, ids: [1, 4], left: [2] },
      { changed: both, ids: [1, 2, 4], left: [3] },
      // What entered goes again, where lake.ts goes back to the rules from before.
      { changed: both, ids: [1, 2, 4], back: true },
    ]
    for (const { changed, since, ids, left, back } of changes) {
      const project = await Project.create({
        'lake.ts': lake("'new'"),
        'in/1.csv': csv('1,1,new,5', '2,1,sent,7', '3,1,new,-1'),
      })
      await project.run()
      await project.write({ 'in/2.csv': csv('4,1,sent,3') })
      await project.run()
      await project.write({ 'lake.ts': changed })
      const [last] = await project.query(
        'SELECT CAST(max(_discarded_at) AS VARCHAR) AS at FROM discarded.orders',
      )
      const limit = since ? { since: String(last?.at) } : { rule: 'status is known' }
      const record = await project.run({ ...replay, replay: { ...replay.replay, ...limit } })
      expect(step(record, 'silver.orders')).toMatchObject({
        outcome: 'done',
        notes: [expect.stringMatching(/the next run rebuilds it from all of its rows$/)],
      })
      expect((await rows(project)).map(({ id }) => id)).toEqual(ids)
      if (back) await project.write({ 'lake.ts': lake("'new'") })
      const next = step(await project.run(), 'silver.orders')
      expect(next).toMatchObject({
        outcome: 'done',
        reason: expect.stringMatching(/^a replay has/),
      })
      const all = back ? [1] : [...ids, ...(left ?? [])].sort()
      expect((await rows(project)).map(({ id }) => id)).toEqual(all)
      expect(step(await project.run(), 'silver.orders').outcome).toBe('unchanged')
    }
  })

  it('is told to run where rows that newer ones have replaced violate a rule', async () => {
    const kinds = [
      ['history: true,', '1 row of history.orders violates'],
      ['', '1 row that is no longer in the table violates'],
    ] as const
    for (const [more, said] of kinds) {
      const project = await Project.create({
        'lake.ts': lake("'new', 'sent'", more),
        'in/1.csv': csv('1,1,sent,5', '2,1,lost,5'),
      })
      await project.run()
      await project.write({ 'in/2.csv': csv('1,2,new,6') })
      await project.run()
      await project.write({ 'lake.ts': lake("'new', 'lost'", more) })
      expect(step(await project.run(replay), 'silver.orders').error?.message).toBe(
        `the discarded rows of silver.orders cannot be replayed on their own: ${said} the rule 'status is known'`,
      )
      await project.run()
      expect((await rows(project)).map(({ id }) => id)).toEqual([1, 2])
      expect(await discarded(project)).toEqual([{ line: 2n, reasons: ['rule: status is known'] }])
    }
  })

  it('ends where a build from all rows ends, whatever was discarded and in whatever order it came', async () => {
    const row = fc.record({
      id: fc.integer({ min: 1, max: 4 }),
      v: fc.integer({ min: 1, max: 4 }),
      status: fc.constantFrom('new', 'paid', 'sent', 'lost'),
      amount: fc.integer({ min: -1, max: 3 }),
    })
    const batches = fc.array(fc.array(row, { minLength: 1, maxLength: 6 }), {
      minLength: 1,
      maxLength: 3,
    })
    const policy = fc.record({
      more: fc.constantFrom('', 'history: true,', "onInvalidUpdate: 'remove',"),
      rule: fc.constantFrom({}, { rule: 'status is known' }),
      known: fc.constantFrom("'new', 'paid', 'sent'", "'new', 'sent'", "'paid', 'sent', 'lost'"),
      least: fc.constantFrom(0, 0, -1, 1),
    })
    await fc.assert(
      fc.asyncProperty(batches, policy, async (parts, { more, rule, known, least }) => {
        const project = await Project.create({ 'lake.ts': lake("'new', 'paid'", more) })
        for (const [i, part] of parts.entries()) {
          await project.write({
            [`in/${i}.csv`]: csv(...part.map((r) => [r.id, r.v, r.status, r.amount].join())),
          })
          await project.run()
        }
        const changed = lake(known, more).replace('amount > 0', `amount > ${least}`)
        await project.write({ 'lake.ts': changed })
        const chosen = { ...replay, replay: { ...replay.replay, ...rule } }
        const record = await project.run(chosen)
        const { outcome, notes, error } = step(record, 'silver.orders')
        const isWider = known.startsWith("'new', 'paid'") && least <= 0
        if (isWider) expect(record.outcome).toBe('done')
        else expect(error?.message ?? 'on their own').toContain('on their own')
        // A rule that lets more pass leaves nothing; all that is left is for a run.
        if (!(isWider && least === 0) && (outcome !== 'done' || notes)) await project.run()
        const all = async () => [
          await rows(project),
          await discarded(project),
          // Only all of a key's rows tell whether one is stale.
          ...('rule' in rule ? [] : [await project.query(STALE)]),
          await project.query('SELECT * FROM gold.total'),
          ...(more.startsWith('history')
            ? [
                await project.query(
                  'SELECT id, v, status, valid_to FROM history.orders ORDER BY 1, 2',
                ),
              ]
            : []),
          ...(more.startsWith('on')
            ? [await project.query('SELECT id, v, _kind, _batch FROM deleted.orders ORDER BY 1')]
            : []),
          (await project.state()).tables['silver.orders']?.counts,
        ]
        const found = await all()
        await project.run({ full: true })
        expect(found).toEqual(await all())
      }),
      { numRuns: amount(2, 8), seed, endOnFailure: true },
    )
  })

  it('shows who owns the source what is wrong, and how it went', async () => {
    const project = await Project.create({
      'lake.ts': lake("'new'"),
      'in/1.csv': csv('1,1,new,5', '2,1,=cmd(),7', '3,1,sent,-1', '4,x'),
    })
    await project.run()
    const plain = await project.cli('discarded', 'orders', '--export', 'csv')
    expect(plain.stdout).toMatch(/rule: status is known,in\/1\.csv,3,\S+,7,2,=cmd\(\),1,\n/)
    const args = ['discarded', 'orders', '--export', 'csv', '--escape-formulas']
    const exported = await project.cli(...args)
    expect(exported.stdout).toMatch(
      /^_reasons,_source_file,_source_line,_batch,amount,id,status,v,_raw\n/,
    )
    expect(exported.stdout).toMatch(/rule: status is known,in\/1\.csv,3,\S+,7,2,'=cmd\(\),1,\n/)
    expect(exported.stdout).toMatch(/line: 2 fields instead of 4,in\/1\.csv,5,\S+,,,,,"4,x"\n/)
    const trend = await project.cli('discarded', 'orders', '--trend')
    expect(trend.stdout).toMatch(/^run at +in +discarded +% +mostly for/)
    expect(trend.stdout).toMatch(/ 4 +3 +75\.00 +▇{20} +rule: status is known/)
    const one = await project.cli('discarded', 'orders', '--rule', 'amount is positive')
    expect(one.stdout).toContain('1 row  rule: amount is positive')
    expect(one.stdout).not.toContain('status is known')
  })

  it('exports columns whose names the export has too, and every digit of numbers', async () => {
    const project = await Project.create({
      'lake.ts': lake("'new'").replace(/files\(.*?\}\)/, "files('in/*.jsonl')"),
      'in/1.jsonl':
        '{"id":1,"v":1,"status":"=cmd()","amount":5,"batch":"b","file":"f","line":9007199254740993,"_Raw":{"n":12345678901234567890.5}}\n',
    })
    await project.run()
    const { stdout } = await project.cli('discarded', 'orders', '--export', 'csv')
    const [head = '', row = ''] = stdout.split('\n')
    const names = head.split(',').map((name) => name.toLowerCase())
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(
      expect.arrayContaining(['batch', 'file', 'line', '_batch', '_source_line']),
    )
    expect(row).toContain('9007199254740993')
    expect(row).toContain('12345678901234567890.5')
  })
})
