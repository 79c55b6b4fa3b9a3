import { describe, expect, it } from 'vitest'
import { check } from '../../../src/define/check.js'
import { bronze, gold, silver, sql, t, z } from '../../../src/index.js'
import { files } from '../../../src/source/index.js'
import { expectDataset, given } from '../../../src/testing/index.js'
import { Project } from '../../support/project.js'

const raw = bronze('orders', { from: files('orders.csv', { columns: ['id', 'amount', 'tags'] }) })
const orders = silver('orders', {
  from: raw,
  schema: z.object({
    id: t.int(),
    amount: t.decimal(9, 2).min(0),
    tags: t.list(z.string()).nullable(),
  }),
  key: 'id',
  checks: [check.unique('amount')],
})
const totals = gold('totals', {
  query: sql`select count(*) as n, sum(amount) as amount from ${orders}`,
})

describe('a unit test of a dataset', () => {
  it('compares values, not how they are written, in any order', async () => {
    await expectDataset(orders, {
      given: [
        given(raw, [
          { id: '2', amount: '3' },
          { id: '1', amount: '2.50', tags: '["a"]' },
          { id: '1', amount: '2.5' },
        ]),
      ],
      expect: [
        { id: 1, amount: '2.5', tags: null },
        { id: 2, amount: '3.00' },
      ],
    })
    await expectDataset(totals, {
      given: [
        given(orders, [
          { id: 1, amount: '2.5' },
          { id: 2, amount: '1' },
        ]),
      ],
      expect: [{ n: 2n, amount: '3.50' }],
    })
  })

  it('takes an input without given rows as empty, whatever columns are read of it', async () => {
    const old = bronze('old', { from: files('old*.csv', { delimiter: ';' }) })
    const now = bronze('now', { from: files('now*.csv') })
    const sales = silver('sales', {
      from: [old, now],
      select: {
        id: sql`coalesce(id, Nr)`,
        amount: sql`coalesce(amount, replace(Betrag, ',', '.'))`,
      },
      schema: z.object({ id: t.int(), amount: t.decimal(9, 2) }),
      deleteWhen: sql`op = 'D'`,
      key: 'id',
    })
    const some = [{ Nr: '1', Betrag: '1,50', op: 'I' }]
    for (const others of [[], [given(now, [])]])
      await expectDataset(sales, {
        given: [given(old, some), ...others],
        expect: [{ id: 1, amount: '1.5' }],
      })
    await expectDataset(sales, { given: [], expect: [] })
    const daily = gold('daily', {
      query: sql`select id, sum(amount) as amount from ${sales} group by id`,
    })
    const doubled = gold('doubled', { query: sql`select id, amount * 2 as twice from ${daily}` })
    const top = gold('top', {
      query: sql`select sum(twice) as n, count(id) as ids from ${doubled}`,
    })
    await expectDataset(top, { given: [], expect: [{ n: null, ids: 0 }] })
  })

  it('gives rows of gold the types of its query, as in a lake', async () => {
    const days = gold('days', {
      query: sql`select date '2026-01-01' + id as day, sum(amount) as amount from ${orders} group by 1`,
    })
    const rolling = gold('rolling', {
      query: sql`select day, sum(amount) over (order by day range between interval 6 days preceding
        and current row) as amount from ${days}`,
    })
    await expectDataset(rolling, {
      given: [
        given(days, [
          { day: '2026-01-01', amount: '9.99' },
          { day: '2026-01-07', amount: '0.01' },
          { day: '2026-01-08', amount: '1' },
        ]),
      ],
      expect: [
        { day: '2026-01-01', amount: '9.99' },
        { day: '2026-01-07', amount: '10' },
        { day: '2026-01-08', amount: '1.01' },
      ],
    })
  })

  it('shows rows that are missing and rows that are too much', async () => {
    const test = expectDataset(orders, {
      given: [
        given(raw, [
          { id: '1', amount: '2' },
          { id: '2', amount: '-1' },
          { id: '3', amount: '2' },
        ]),
      ],
      expect: [
        { id: 1, amount: '3' },
        { id: 3, amount: '2' },
      ],
      broken: [],
    })
    await expect(test).rejects.toThrow(
      `silver.orders is not as expected

rows
    id  amount
  + 1   2.00    found
  - 1   3.00    expected

discarded rows
    reasons
  + amount: must be at least 0  found

checks
    broken check
  + unique amount  found`
        .replace('    reasons\n', '    reasons                   \n')
        .replace('    broken check\n', '    broken check \n'),
    )
  })

  it('says so when it is given what the dataset does not read, or expects columns that it does not have', async () => {
    await expect(expectDataset(totals, { given: [given(raw, [])] })).rejects.toThrow(
      'gold.totals does not read bronze.orders',
    )
    const unknown = { given: [], expect: [{ nn: 1 } as object] }
    await expect(expectDataset(totals, unknown)).rejects.toThrow("gold.totals has no column 'nn'")
  })
})

describe('a check of a whole row in JavaScript', () => {
  const lines = silver('lines', {
    from: raw,
    schema: z
      .object({
        id: t.int(),
        amount: t.decimal(9, 2),
        tags: t.list(z.string()).nullable(),
      })
      .refine((row) => row.id !== 3 || row.amount === '3.00', {
        message: 'three costs 3',
        path: ['amount'],
      })
      .superRefine((row, context) => {
        if ((row.tags?.length ?? 0) > row.id)
          context.addIssue({ code: 'custom', message: 'too many tags' })
      }),
    key: 'id',
  })

  it('sees the values of a good row, and tells what is wrong', async () => {
    await expectDataset(lines, {
      given: [
        given(raw, [
          { id: '1', amount: '1', tags: '["a"]' },
          { id: '2', amount: '1', tags: '["a", "b", "c"]' },
          { id: '3', amount: '3.5' },
          { id: 'x', amount: '3.5', tags: '["a"]' },
          { id: '3', amount: '3' },
        ]),
      ],
      expect: [
        { id: 1, amount: '1' },
        { id: 3, amount: '3' },
      ],
      discarded: ['row: too many tags', 'amount: three costs 3', 'id: not an int'],
    })
  })
})

describe('moraine test', () => {
  it('runs the tests of a new project, and shows what fails', async () => {
    const project = await Project.create({})
    await project.cli('init', 'shop')
    const passed = await project.cli('-C', `${project.folder}/shop`, 'test')
    expect([passed.code, passed.stdout]).toEqual([0, expect.stringContaining('2 tests passed')])
    const { readFile } = await import('node:fs/promises')
    const file = 'shop/lake.tests.ts'
    const text = await readFile(`${project.folder}/${file}`, 'utf8')
    await project.write({ [file]: text.replace("revenue: '10.00'", "revenue: '15.00'") })
    const failed = await project.cli('-C', `${project.folder}/shop`, 'test', '--json')
    const { tests } = JSON.parse(failed.stdout)
    expect([failed.code, tests.map((test: { passed: boolean }) => test.passed)]).toEqual([
      1,
      [true, false],
    ])
    expect(tests[1].message).toContain('- 2026-01-05  1       15.00    expected')
    expect((await project.cli('-C', `${project.folder}/shop`, 'test', 'zzz')).code).toBe(2)
  })
})
