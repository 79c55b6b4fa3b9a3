import { describe, expect, it } from 'vitest'
import { whyLines } from '../../../src/cli/branch/why-lines.js'
import { fullName } from '../../../src/define/dataset.js'
import type { Gold } from '../../../src/define/model.js'
import { Explained } from '../../support/explained.js'
import { Project } from '../../support/project.js'
import { csv, lakeFile, shop } from './shop.js'

const HEAD = `
  import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
  import { files } from 'moraine/sources'
  const orders = silver('orders', {
    from: bronze('orders', { from: files('data/*.csv') }),
    schema: z.object({ order_id: t.int(), status: z.string(), amount: t.decimal(12, 2) }),
    key: 'order_id',
  })`

const queries: Readonly<Record<string, string>> = {
  ranked: 'select order_id, amount, rank() over (order by amount desc) as place from ${orders}',
  left: 'select status from ${orders} except select status from ${orders} where amount > 100',
  first: 'select order_id, amount from ${orders} order by amount limit 2 offset 1',
}

/** A lake with a gold dataset for each query. */
const lakeOf = (all: typeof queries) => `${HEAD}
  export default defineLake({ name: 'shop', datasets: [${Object.entries(all)
    .map(([name, sql]) => `gold('${name}', { query: sql\`${sql}\` })`)
    .join(', ')}] })`

describe('why', () => {
  it('names the rows that made a value, and their lines, of a lake, a branch and the past', async () => {
    const second = csv([
      [4, 'open', '1.50'],
      [5, 'paid', '2.25'],
    ])
    const project = await shop({ 'data/2.csv': second })
    const why = async (...args: string[]) =>
      project.cli('why', 'by_status', '--where', "status = 'paid'", ...args)
    const { stdout, stderr } = await why('--column', 'amount', '--examples', '3')
    expect(stderr).toBe('')
    expect(stdout).toBe(`gold.by_status  amount 62.25, status paid, n 4

silver.orders  4 rows  amount
  order_id  amount  from
  ────────  ──────  ────────────
  1         10.00   data/1.csv:2
  2         20.00   data/1.csv:3
  3         30.00   data/1.csv:4
  … and 1 more

Computed from these rows alone, amount is the same.
`)
    const long = `data/${'of-the-shop-'.repeat(5)}9.csv`
    await project.write({ [long]: csv([[9, 'back', '9.00']]) })
    await project.run()
    const back = await project.cli('why', 'by_status', '--where', "status = 'back'")
    expect(back.stdout).toMatch(/…\S+-shop-9\.csv:2\n/)
    // A newer version of an order is on another line; the older commit has the older one.
    await project.write({ 'data/3.csv': csv([[5, 'paid', '7.00']]) })
    await project.run()
    const rowsOf = async (...args: string[]) => {
      const [origin] = JSON.parse((await why('--json', ...args)).stdout).origins
      return [origin.count, origin.rows.at(-1).from.file, origin.rows.at(-1).values.amount]
    }
    expect(await rowsOf()).toEqual([4, 'data/3.csv', '7.00'])
    expect(await rowsOf('--at', '2')).toEqual([4, 'data/2.csv', '2.25'])
    await project.cli('branch', 'create', 'large')
    await project.write(lakeFile({ minimum: 15 }))
    expect((await project.cli('run', '--branch', 'large')).code).toBe(0)
    expect((await rowsOf('--branch', 'large'))[0]).toBe(2)
    // Main's rows are not what this definition gives.
    const other = await why()
    expect(other.code).toBe(2)
    expect(other.stderr).toMatch(/that row is another/)
  })

  it('shows when the versions of a history held that a value was made of', async () => {
    const project = await Project.create({
      'lake.ts': `
        import { bronze, defineLake, gold, history, silver, sql, t, z } from 'moraine'
        import { files } from 'moraine/sources'
        const orders = silver('orders', {
          from: bronze('orders', { from: files('data/*.csv') }),
          schema: z.object({ id: t.int(), day: t.date(), st: z.string() }),
          key: 'id', cursor: 'day', history: true })
        const held = gold('held', { query: sql\`select id, st, valid_from, valid_to from \${history(orders)}\` })
        export default defineLake({ name: 'shop', datasets: [held] })`,
      'data/1.csv': 'id,day,st\n1,2026-01-01,new\n1,2026-01-05,paid\n',
    })
    await project.run()
    const why = (...more: string[]) => project.cli('why', 'held', '--where', "st = 'new'", ...more)
    const values = { id: '1', st: 'new', valid_from: '2026-01-01', valid_to: '2026-01-05' }
    const { origins } = JSON.parse((await why('--json')).stdout)
    expect(origins).toMatchObject([{ dataset: 'history.orders', rows: [{ values }] }])
    const { stdout } = await why()
    expect(stdout).toMatch(/1 +new +2026-01-01 +2026-01-05 +data\/1\.csv:2\n/)
    expect(stdout).not.toContain('NULL')
  })

  it('says that a definition has changed since the commit that is asked about', async () => {
    const project = await shop()
    await project.write(lakeFile({ minimum: 20 }))
    await project.run()
    const args = ['why', 'by_status', '--where', "status = 'paid'", '--at', '2']
    const { code, stderr } = await project.cli(...args)
    expect(code).toBe(2)
    expect(stderr).toContain('the definition of gold.by_status has changed since')
    expect(stderr).toContain('Ask with the lake.ts of that time, or without --at')
  })

  it('shows a wrong condition as it was written, with a mark at what is wrong', async () => {
    const project = await shop()
    const said = async (where: string) => {
      const { code, stderr } = await project.cli('why', 'by_status', '--where', where)
      expect(code).not.toBe(0)
      expect(stderr).not.toMatch(/CAST|ORDER BY|LIMIT/)
      return stderr
    }
    expect(await said("status = 'paid'\n  and amuont > 1")).toMatch(
      /LINE 2: {3}and amuont > 1\n( *) {14}\^/,
    )
    expect(await said('status = ')).toMatch(/at the end\n+ *LINE 1: status = ?\n/)
    expect(await said('sum(amount) > 1')).toMatch(/LINE 1: sum\(amount\) > 1\n/)
    expect(await said('1=1) union all (select 1')).not.toMatch(/FROM gold/)
  })

  it('says why where rows can not be told, and asks for less where too many are meant', async () => {
    const rows = Array.from({ length: 120 }, (_, i) => [i, 'paid', i])
    const project = await Project.create({ 'lake.ts': lakeOf(queries), 'data/1.csv': csv(rows) })
    await project.run()
    const said = async (...args: string[]) => (await project.cli('why', ...args)).stderr
    const one = ['--where', 'order_id = 7']
    expect(await said('ranked', ...one, '--column', 'place')).toMatch(
      /no PARTITION BY: 'place' compares a row with all others/,
    )
    expect((await project.cli('why', 'ranked', ...one)).stdout).toMatch(
      /Not explained: place, which compare/,
    )
    expect(await said('left', '--where', 'true')).toMatch(/No row of gold.left|EXCEPT keeps rows/)
    // The second of all rows is none of the rows that are there alone.
    expect(await said('first', '--where', 'true')).toMatch(
      /from the rows that were found alone, .*\n/,
    )
    expect(await said('ranked', '--where', 'true')).toMatch(/More than 100 rows/)
    expect(await said('ranked', '--where', 'false')).toMatch(/No row of gold.ranked/)
    expect(await said('ranked', ...one, '--column', 'nothing')).toMatch(/Its columns are: order_id/)
    expect(await said('orders', ...one)).toMatch(/is not a dataset of gold/)
    expect(await said('ranked', '--where', '1=1) union all (select 1')).not.toBe('')
    // It would be one statement between parentheses, and mean all rows.
    expect(await said('ranked', '--where', 'order_id = 7) or (order_id < 5')).toMatch(
      /syntax error at or near "\)"\s+LINE 1: order_id = 7\) or/,
    )
  })

  it('follows gold that reads gold, views, and rows that are there twice', async () => {
    const project = await Project.create({
      'lake.ts': `${HEAD}
        const paid = gold('paid', { query: sql\`select * exclude (_batch, _loaded_at) from \${orders} where status = 'paid'\`, view: true })
        const sums = gold('sums', { query: sql\`select status, sum(amount) as amount from \${paid} group by all\` })
        const twice = gold('twice', { query: sql\`
          select s.status, s.amount + max(o.amount) as amount
          from \${sums} s join \${orders} o on o.status = s.status group by s.status, s.amount\` })
        export default defineLake({ name: 'shop', datasets: [paid, sums, twice] })`,
      'data/1.csv': csv([
        [1, 'paid', '10.00'],
        [2, 'open', '20.00'],
        [3, 'paid', '30.00'],
      ]),
    })
    await project.run()
    await using explained = await Explained.open(await project.load(), project.storage)
    expect(await explained.explainGold(0)).toEqual({ asked: 6, refused: [] })
    const sums = explained.lake.datasets.find((one) => fullName(one) === 'gold.sums') as Gold
    const rows = [{ status: 'paid', amount: '1.00' }]
    await expect(explained.explain({ dataset: sums, rows, most: 1, past: true })).rejects.toThrow(
      'computed from its inputs as they are there, that row is another',
    )
  })

  it('says what a value depends on beside the rows that are named, and refuses where that is all', async () => {
    const other = '(select sum(amount) from ${orders})'
    const paid = "with paid as (select * from ${orders} where status = 'paid')"
    const told = await askedOf(
      {
        share: `select status, sum(amount) / ${other} as value from \${orders} group by 1`,
        both: `select status, 1.0 as value from \${orders} union all select status, ${other} from \${orders}`,
        each: 'select o.order_id, (select count(*) from ${orders} p where p.status = o.status) as value from ${orders} o',
        beside: `select status, sum(amount) as value, ${other} as total from \${orders} group by 1`,
        first: `select o.status, o.amount as value from \${orders} o
          where not exists (select 1 from \${orders} p where p.status = o.status and p.amount < o.amount)`,
        among: `${paid} select order_id, amount as value from \${orders} where order_id in (select order_id from paid)`,
        semi: `${paid} select orders.order_id, amount as value from \${orders} semi join paid on paid.order_id = orders.order_id`,
        most: `${paid} select status, amount as value from paid p where amount = (select max(amount) from paid)`,
        alone: `${paid} select status, sum(amount) as value from paid group by 1`,
        field: `with f as (select order_id, {'of': {'amount': amount}} as orders from \${orders})
          select o.order_id, o.orders.of.amount as value from f as o`,
        named: 'select ${orders}.status, sum(${orders}.amount) as value from ${orders} group by 1',
      },
      'value',
    )
    const itself = "'value' is computed by a query of its own, which may read any row"
    const [alone, all] = ['alone', 'and all of silver.orders'].map(
      (of) => `Computed from these rows ${of}, value is the same.`,
    )
    expect(told).toEqual({
      ...{ share: itself, both: itself, each: itself },
      ...{ beside: [1, all], first: [1, all], among: [1, all], semi: [1, all], most: [1, all] },
      ...{ alone: [2, alone], field: [1, alone], named: [1, alone] },
    })
    const whole = {
      share: `select status, sum(amount) / ${other} as value from \${orders} group by 1`,
    }
    expect(await askedOf(whole, undefined)).toEqual({ share: itself })
  })

  it('ends once its time is over', async () => {
    const project = await shop()
    const [file] = Object.values(lakeFile()) as [string]
    // So many pairs take minutes, and the table stays as it was built.
    const pairs = 'from range(300000) a, range(300000) b where a.range * b.range % 7 = 3'
    await project.write({
      'lake.ts': file.replace('where amount', `where (select count(*) ${pairs}) > 0 and amount`),
    })
    const asked = ['why', 'gold.by_status', '--where', "status = 'paid'", '--timeout', '2s']
    const { code, stderr } = await project.cli(...asked)
    expect(code).toBe(1)
    expect(stderr).toMatch(/it took longer than its limit of 2 s/)
  })

  it('asks about all rows that only a comparison tells apart, whatever columns are called', async () => {
    const project = await Project.create({
      'lake.ts': `
        import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
        import { files } from 'moraine/sources'
        const orders = silver('orders', {
          from: bronze('orders', { from: files('data/*.csv') }),
          schema: z.object({ Nr: t.int(), rowid: z.string(), at: t.date() }),
          key: 'Nr', keep: { for: '30d', by: 'at' } })
        const named = gold('named', { query: sql\`select rowid as ids, sum(Nr) as n from \${orders} group by 1\` })
        const placed = gold('placed', { query: sql\`select rowid, row_number() over () as place from \${orders}\` })
        const days = gold('days', { query: sql\`select "at" as day, count(*) as n from \${orders} group by 1\`, incremental: { by: 'day' } })
        export default defineLake({ name: 'shop', datasets: [named, placed, days] })`,
      'data/1.csv': 'Nr,rowid,at\n1,a,2026-01-05\n7,a,2026-01-20\n5,b,2026-01-20\n',
    })
    for (const day of ['2026-01-25', '2026-02-10'])
      expect((await project.run({ now: () => new Date(`${day}T00:00:00Z`) })).outcome).toBe('done')
    const ask = async (name: string, rows: Record<string, string>[]) => {
      await using explained = await Explained.open(await project.load(), project.storage)
      const dataset = explained.lake.datasets.find((one) => fullName(one) === `gold.${name}`)
      return await explained.explain({ dataset: dataset as Gold, rows, most: 9 })
    }
    const { origins } = await ask('named', [{ ids: 'a', n: '7' }])
    expect(origins[0]?.rows).toEqual([
      {
        values: { Nr: '7', rowid: 'a', at: '2026-01-20' },
        from: expect.objectContaining({ file: 'data/1.csv', line: 3 }),
      },
    ])
    await project.write({ 'data/2.csv': 'Nr,rowid,at\n8,b,2026-01-21\n' })
    expect((await project.run({ now: () => new Date('2026-02-10T00:00:00Z') })).outcome).toBe(
      'done',
    )
    await expect(ask('placed', [{ rowid: 'b', place: '1' }])).rejects.toThrow(
      'other rows are equal to it in all that is compared',
    )
    await expect(ask('days', [{ day: '2026-01-05', n: '1' }])).rejects.toThrow(
      'computed from what has not expired of silver.orders, that row is another',
    )
  })
})

/**
 * Of gold datasets, for their first row: how many rows are named, and what is said of them; or why
 * not.
 */
async function askedOf(all: typeof queries, column: string | undefined) {
  const project = await Project.create({
    'lake.ts': lakeOf(all),
    'data/1.csv': csv([
      [1, 'paid', '10.00'],
      [2, 'open', '20.00'],
      [3, 'paid', '30.00'],
    ]),
  })
  const run = await project.run()
  expect(run.outcome, JSON.stringify(run)).toBe('done')
  await using explained = await Explained.open(await project.load(), project.storage)
  const told: Record<string, unknown> = {}
  for (const dataset of explained.lake.datasets.filter((one): one is Gold => one.tier === 'gold')) {
    await explained.context.relations.define(explained.session, [dataset])
    const [row = {}] = await explained.texts(`SELECT * FROM ${fullName(dataset)}`)
    try {
      const why = await explained.explain({ dataset, rows: [row], column, most: 9 })
      const lines = [...whyLines(why)]
      told[dataset.name] = [
        why.origins[0]?.count,
        lines.find((line) => line.startsWith('Computed')),
      ]
    } catch (error) {
      told[dataset.name] = /told: (.*)/.exec((error as Error).message)?.[1] ?? String(error)
    }
  }
  return told
}
