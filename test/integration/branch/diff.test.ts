import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { LakeDiff } from '../../../src/branch/diff/diff.js'
import { Table } from '../../../src/iceberg/table.js'
import { Project } from '../../support/project.js'
import { change, csv, lakeFile, onBranch, shop } from './shop.js'

/** What a branch changes, down to the row. */

const diffOf = async (project: Project, ...args: string[]): Promise<LakeDiff> => {
  const { stdout, stderr } = await project.cli('diff', ...args, '--json')
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}

async function branched(definition: Parameters<typeof lakeFile>[0]): Promise<Project> {
  const project = await shop()
  await project.cli('branch', 'create', 'dev')
  await project.write(change(definition))
  expect((await project.cli('run', '--branch', 'dev')).code).toBe(0)
  return project
}

describe('diff', () => {
  it('shows what a stricter rule costs: rows, reasons, sums, and what is downstream', async () => {
    const project = await branched({ rule: 'amount < 30', more: ', max(amount) as most' })
    const { before, after, datasets, same } = await diffOf(project, 'dev')
    expect([before.name, after.name, same]).toEqual(['main', 'dev', 0])
    const [gold, silver] = datasets
    expect(silver).toMatchObject({
      dataset: 'silver.orders',
      change: 'changed',
      definition: ["rule 'asked' was added"],
      columns: [],
      rows: {
        key: ['order_id'],
        added: 0,
        removed: 1,
        changed: 0,
        examples: { removed: [{ order_id: '3', status: 'paid', amount: '30.00' }] },
      },
      discarded: [{ gained: 1, lost: 0 }],
      downstream: ['gold.by_status'],
    })
    expect(gold?.checks).toEqual([])
    const amount = silver?.rows?.columns.find(({ column }) => column === 'amount')
    expect(amount?.sum).toEqual({ before: '30.00', after: null })
    expect(gold).toMatchObject({
      definition: ['its query changed'],
      columns: [{ column: 'most', change: 'added', breaking: false }],
      rows: { key: ['status'], added: 0, removed: 0, changed: 1 },
    })
  })

  it('pairs rows of gold by the columns that are asked for, and tells which values moved', async () => {
    const project = await branched({ minimum: 20 })
    const args = ['main..dev', 'gold.by_status', '--key', 'status']
    const [gold] = (await diffOf(project, ...args)).datasets
    expect(gold?.rows).toMatchObject({
      key: ['status'],
      added: 0,
      removed: 0,
      changed: 1,
      examples: {
        changed: [
          { key: { status: 'paid' }, columns: { n: ['3', '2'], amount: ['60.00', '50.00'] } },
        ],
      },
    })
    const text = await project.cli('diff', ...args)
    expect(text.stdout).toMatch(/~ gold.by_status {2}1 → 1 rows: 1 changed, by status/)
    expect(text.stdout).toMatch(/status paid {2}n: 3 → 2, amount: 60.00 → 50.00/)
    for (const line of text.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
    const noKey = await project.cli('diff', 'dev', '--key', 'status,nothing')
    expect([noKey.code, noKey.stderr]).toEqual([
      2,
      expect.stringMatching(
        /gold\.by_status has no column 'nothing'[\s\S]*Its columns: status, n, amount/,
      ),
    ])
  })

  it('pairs rows of gold by what they are grouped by, and adds decimals up exactly', async () => {
    const definition = (value: string) => `
      import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
      import { files } from 'moraine/sources'
      const sales = silver('sales', {
        from: bronze('sales', { from: files('data/*.csv') }),
        schema: z.object({ id: t.int(), month: t.int(), paid: t.decimal(8, 2), fee: t.decimal(38, 2) }),
        key: 'id',
      })
      const byMonth = gold('by_month', { query: sql\`
        with by_month as (
          select month, ${value} as paid, sum(fee) as fee, count(*) as sales from \${sales} group by all
        )
        select *, paid / sum(paid) over () as share from by_month order by month\` })
      const all = gold('all_sales', { query: sql\`select id, ${value} over (partition by id) as paid from \${sales}\` })
      export default defineLake({ name: 'shop', datasets: [byMonth, all] })`
    const large = '999999999999999999999999999999999999.99'
    const rows = Array.from({ length: 60 }, (_, i) => `${i},${i % 12},${i}.10,${i < 3 ? i : 0}.10`)
    const project = await Project.create({
      'lake.ts': definition('sum(paid)'),
      'data/1.csv': `id,month,paid,fee\n${rows.join('\n')}\n60,12,0.10,${large}\n`,
    })
    await project.run()
    await project.cli('branch', 'create', 'dev')
    await project.write({ 'lake.ts': definition('sum(paid - 0.01)') })
    expect((await project.cli('run', '--branch', 'dev')).code).toBe(0)
    const [all, byMonth] = (await diffOf(project, 'dev')).datasets
    // Its rows are those of silver, by silver's key.
    expect(all?.rows).toMatchObject({ key: ['id'], added: 0, removed: 0, changed: 61 })
    expect(byMonth?.rows).toMatchObject({ key: ['month'], added: 0, removed: 0, changed: 13 })
    const columns = Object.fromEntries(byMonth?.rows?.columns.map((c) => [c.column, c]) ?? [])
    expect(columns.paid?.sum).toEqual({ before: '1776.10', after: '1775.49' })
    // Nothing of it has moved, however large it is.
    expect(columns.fee).toBeUndefined()
  })

  it('counts a key that neither side was built with, before it pairs rows by it', async () => {
    const keyless = (rule?: string) => {
      const { 'lake.ts': text } = lakeFile(rule ? { rule } : {})
      return { 'lake.ts': (text as string).replace("key: 'order_id',", '') }
    }
    const project = await shop({
      ...keyless(),
      'data/1.csv': csv([
        [1, 'paid', '10.00'],
        [1, 'open', '20.00'],
        [2, 'paid', '99.00'],
      ]),
    })
    await project.cli('branch', 'create', 'dev')
    await project.write(keyless('amount < 50'))
    expect((await project.cli('run', '--branch', 'dev')).code).toBe(0)
    // Orders have a key from now on, and no run has built them so.
    await project.write(lakeFile({ rule: 'amount < 50' }))
    const [orders] = (await diffOf(project, 'dev', 'silver.orders')).datasets
    expect(orders?.rows).toMatchObject({
      key: [],
      note: '1 key has several rows before: whole rows are compared',
      added: 0,
      removed: 1,
      changed: 0,
    })
  })

  it('sums whole rows of each side, where the other one has an infinity', async () => {
    const ratios = (low: string) => {
      const [file] = Object.values(lakeFile()) as [string]
      const ratio = `cast(case when amount < 20 then '${low}' else '2' end as double)`
      return {
        'lake.ts': file
          .replace(
            'export default',
            `const ratios = gold('ratios', { query: sql\`select ${ratio} as ratio from \${orders}\` })
           export default`,
          )
          .replace('orders, byStatus]', 'orders, ratios]'),
      }
    }
    const project = await shop(ratios('inf'))
    await project.cli('branch', 'create', 'dev')
    await project.write(ratios('1'))
    expect((await project.cli('run', '--branch', 'dev')).code).toBe(0)
    const [gold] = (await diffOf(project, 'dev')).datasets
    expect(gold?.rows).toMatchObject({ key: [], added: 1, removed: 1 })
    expect(gold?.rows?.columns[0]?.sum).toEqual({ before: 'inf', after: '1' })
  })

  it('shows where long values differ, and sums that no floating point could tell apart', async () => {
    const definition = (more: string) => `
      import { bronze, defineLake, silver, sql, t, z } from 'moraine'
      import { files } from 'moraine/sources'
      export default defineLake({ name: 'shop', datasets: [silver('parts', {
        from: bronze('parts', { from: files('data/*.csv') }),
        schema: z.object({ id: t.int(), size: t.decimal(38, 2), note: z.string(), seen: t.timestamptz() }),
        key: 'id',
        select: { ${more} },
      })] })`
    const digits = '98765432109876543210987654321098765'
    const row = `1,${digits}.02,${'long '.repeat(12)}1,2026-10-25T00:30:00Z`
    const rest = [2, 3].map((id) => `${id},-${digits}.00,short,2026-10-25T00:30:00Z`)
    const project = await Project.create({
      'lake.ts': definition(''),
      'data/1.csv': `id,size,note,seen\n${[row, ...rest].join('\n')}\n`,
    })
    await project.run()
    await project.cli('branch', 'create', 'dev')
    await project.write({
      'lake.ts': definition(`
        size: sql\`replace(size, '65.02', '65.03')\`,
        note: sql\`replace(note, ' 1', ' 2')\`,
        seen: sql\`replace(seen, '00Z', '00.5Z')\``),
    })
    expect((await project.cli('run', '--branch', 'dev')).stderr).toBe('')
    const [parts] = (await diffOf(project, 'dev')).datasets
    const size = parts?.rows?.columns.find(({ column }) => column === 'size')
    // Two of the three have it with the other sign.
    const [most, least] = ['98', '97'].map((part) => `-${digits.slice(0, -1)}4.${part}`)
    expect(size?.sum).toEqual({ before: most, after: least })
    const { stdout } = await project.cli('diff', 'dev')
    expect(stdout).toMatch(/size +1 +…764\.98 → …764\.97 +…765\.02 → …765\.03/)
    expect(stdout).toMatch(/note +1 +…long 1 → …long 2/)
    expect(stdout).toMatch(/~ id 1 {2}size: …765\.02 → …765\.03, note: …long 1 → …long 2, seen/)
    expect(stdout).toMatch(/~ id 2 {2}seen: 2026-10-25 00:30:00\+00 → 2026-10-25 00:30:00\.5\+00/)
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  })

  it('compares a column that was text with the numbers that it is now', async () => {
    const definition = (type: string) => `
      import { bronze, defineLake, silver, t, z } from 'moraine'
      import { files } from 'moraine/sources'
      export default defineLake({ name: 'shop', datasets: [silver('orders', {
        from: bronze('orders', { from: files('data/*.csv') }),
        schema: z.object({ id: t.int(), n: ${type} }),
        key: 'id',
      })] })`
    const project = await Project.create({
      'lake.ts': definition('z.string()'),
      'data/1.csv': 'id,n\n1,one\n2,2\n',
    })
    await project.run()
    await project.cli('branch', 'create', 'dev')
    await project.write({ 'lake.ts': definition('t.int()') })
    // Whoever follows the advice must not change main.
    expect((await project.cli('run', '--branch', 'dev')).stdout).toContain(
      'moraine run --branch dev silver.orders+ --allow-breaking',
    )
    expect(await project.cli('run', '--branch', 'dev', '--allow-breaking')).toMatchObject({
      code: 0,
    })
    const [orders] = (await diffOf(project, 'dev')).datasets
    expect(orders?.rows).toMatchObject({ key: ['id'] })
  })

  it.each([
    // Digits that a double does not have are a change; values that both have are none.
    ['t.bigint()', 't.double()', ['9007199254740993', '9007199254740992', '7'], 1],
    ['t.decimal(20, 2)', 't.double()', ['1234567890123456.78', '100000000000000000', '0.10'], 1],
    ['t.double()', 't.decimal(20, 1)', ['0.1', '2', '1000'], 0],
    ['t.decimal(9, 2)', 't.decimal(12, 3)', ['1.10', '-0.05', '7'], 0],
    ['t.decimal(38, 0)', 't.decimal(38, 38)', ['0', '0', '0'], 0],
  ])('compares %s with %s as the numbers that they are', async (from, to, values, changed) => {
    const definition = (type: string) => `
      import { bronze, defineLake, silver, t, z } from 'moraine'
      import { files } from 'moraine/sources'
      export default defineLake({ name: 'shop', datasets: [silver('sums', {
        from: bronze('sums', { from: files('data/*.csv') }),
        schema: z.object({ id: t.int(), n: ${type} }),
        key: 'id',
      })] })`
    const rows = values.map((value, i) => `${i},${value}`).join('\n')
    const project = await Project.create({
      'lake.ts': definition(from),
      'data/1.csv': `id,n\n${rows}\n`,
    })
    await project.run()
    await project.cli('branch', 'create', 'dev')
    await project.write({ 'lake.ts': definition(to) })
    const built = await project.cli('run', '--branch', 'dev', '--allow-breaking')
    expect([built.code, built.stderr]).toEqual([0, ''])
    const [sums] = (await diffOf(project, 'dev')).datasets
    expect(sums?.rows).toMatchObject({ key: ['id'], added: 0, removed: 0, changed })
    // Whole rows, too.
    const { datasets } = await diffOf(project, 'dev', '--key', 'n')
    expect(datasets[0]?.rows).toMatchObject({ added: changed, removed: changed })
  })

  it('counts rows that only one side discards, whatever other reasons the others have', async () => {
    const definition = (rules: string) => `
      import { bronze, defineLake, rule, silver, sql, t, z } from 'moraine'
      import { files } from 'moraine/sources'
      export default defineLake({ name: 'shop', review: { maxDiscarded: '1' }, datasets: [silver('orders', {
        from: bronze('orders', { from: files('data/*.csv') }),
        schema: z.object({ id: t.int(), at: t.date() }),
        rules: [${rules}],
      })] })`
    const project = await Project.create({
      'lake.ts': definition('rule("even", sql`id % 2 = 0`)'),
      'data/1.csv': 'id,at\n1,2026-01-01\n2,2026-01-01\n3,never\n4,never\n',
    })
    await project.run()
    await project.cli('branch', 'create', 'dev')
    await project.write({ 'lake.ts': definition('rule("odd", sql`id % 2 = 1`)') })
    await project.cli('run', '--branch', 'dev', '--allow-breaking')
    const [orders] = (await diffOf(project, 'dev')).datasets
    // 3 and 4 are discarded on both sides; 2 now, and 1 no longer.
    expect(orders?.discardedRows).toEqual({ gained: 1, lost: 1 })
    expect(orders?.discarded).toMatchObject([
      { gained: 0, lost: 1 },
      { gained: 1, lost: 0 },
    ])
  })

  it('reads no file that both sides have', async () => {
    const project = await shop()
    const [shared] = await Table.load(
      project.storage,
      (await project.state()).tables['silver.orders'] as never,
    ).then((table) => table.plan())
    await project.cli('branch', 'create', 'dev')
    await project.write({ 'data/2.csv': csv([[4, 'open', '40.00']]) })
    await project.run()
    // Whoever opened it would fail.
    const path = shared?.file.path.replace(/^file:\/\//, '') as string
    await writeFile(join(path), 'not a Parquet file')
    const { datasets } = await diffOf(project, '2..main', 'silver.orders')
    expect(datasets[0]).toMatchObject({
      rows: { added: 1, removed: 0, changed: 0 },
      files: { added: { files: 1 }, removed: { files: 0 }, shared: 1 },
    })
  })

  it('compares commits, times and branches, and says what a side is not', async () => {
    const project = await branched({ minimum: 20 })
    const { log } = await onBranch(project, 'dev')
    const { number } = await log.head()
    const ofBranch = await diffOf(project, `dev@${number - 1}..dev@${number}`)
    expect(ofBranch.datasets.map(({ dataset }) => dataset)).toEqual(['gold.by_status'])
    expect((await diffOf(project, '2..main')).datasets).toEqual([])
    const first = await diffOf(project, '1..main')
    expect(first.datasets.map(({ dataset, change }) => [dataset, change])).toEqual([
      ['gold.by_status', 'added'],
      ['silver.orders', 'added'],
    ])
    const later = new Date(Date.now() + 1000).toISOString()
    expect((await diffOf(project, `1..${later}`)).datasets).toHaveLength(2)
    const wrong = await project.cli('diff', 'main..nightly')
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toMatch(/'nightly' is neither a branch, a commit nor a time/)
    expect((await project.cli('diff', 'main..dev', '--exit-code')).code).toBe(2)
    expect((await project.cli('diff', 'main..main', '--exit-code')).code).toBe(0)
    const itself = await project.cli('diff', 'main')
    expect(itself.code).toBe(2)
    expect(itself.stderr).toMatch(/main alone would be compared with itself/)
    expect(itself.stderr).toMatch(/moraine diff dev, moraine diff 12\.\.main/)
  })

  it('is Markdown in which nothing of the data is markup', async () => {
    const project = await shop({ 'data/9.csv': csv([[9, '"<img src=x>|`@team` **b**"', '1.00']]) })
    await project.cli('branch', 'create', 'dev')
    await project.write(change({ rule: 'amount > 5' }))
    await project.cli('run', '--branch', 'dev')
    const { stdout } = await project.cli('diff', 'dev', '--markdown')
    expect(stdout).toMatch(/\| \*\*silver\.orders\*\* \|/)
    expect(stdout).toContain('<details><summary>silver.orders</summary>')
    const outside = stdout.replace(/(`+) ?.*?[^`]\1(?!`)/g, '')
    expect(outside).not.toMatch(/<img|@team|\*\*b/)
    const rows = stdout.split('\n').filter((line) => line.startsWith('| - |'))
    for (const row of rows) expect(row.replaceAll('\\|', '').split('|')).toHaveLength(5)
  })

  it('follows columns that changed downstream, and says how checks came out', async () => {
    const project = await shop(lakeFile({ least: 1 }))
    await project.cli('branch', 'create', 'dev')
    // Order 2 has another amount on the branch; how many there are stays.
    const source = lakeFile({ least: 2 })['lake.ts'] as string
    const changed = source
      .replace(
        "key: 'order_id',",
        `key: 'order_id', select: { amount: sql\`case order_id when '2' then '40.00' else amount end\` },`,
      )
      .replace('rowCount({ min: 2 })', "rowCount({ min: 2, severity: 'warn' })")
    await project.write({ 'lake.ts': changed })
    expect((await project.cli('run', '--branch', 'dev')).stderr).toBe('')
    const { datasets } = await diffOf(project, 'dev')
    const [gold, silver] = datasets
    expect(silver?.rows).toMatchObject({ added: 0, removed: 0, changed: 1 })
    expect(silver?.reaches).toEqual([{ dataset: 'gold.by_status', columns: ['amount'] }])
    expect(gold?.checks).toMatchObject([
      { check: expect.stringMatching(/^row count/), before: true, after: null },
      { check: expect.stringMatching(/^row count/), severity: 'warn', before: null, after: false },
    ])
    const text = (await project.cli('diff', 'dev')).stdout
    expect(text).toMatch(/downstream {2}gold\.by_status \(amount\)/)
    expect(text).toMatch(/check {7}.*not checked → warned/)
    expect((await project.cli('diff', 'dev', '--markdown')).stdout).toMatch(/- check .*warned/)
    // What main did since is brought to the branch: its own tables are carried along, as checked.
    await project.write({ 'lake.ts': source, 'data/2.csv': csv([[4, 'paid', '1.00']]) })
    await project.cli('run')
    await project.cli('branch', 'refresh', 'dev')
    const refreshed = await diffOf(project, 'dev')
    const warned = { severity: 'warn', before: null, after: false }
    expect(refreshed.datasets[0]?.checks[1]).toMatchObject(warned)
    // So it is where they are published.
    await project.write({ 'lake.ts': changed })
    expect((await project.cli('run', '--branch', 'dev')).stderr).toBe('')
    expect((await project.cli('promote', 'dev')).stderr).toBe('')
    const published = await diffOf(project, `${refreshed.before.commit}..main`)
    expect(published.datasets[0]?.checks[1]).toMatchObject(warned)
  })

  it('is a page of HTML that loads nothing, and in which no value is markup', async () => {
    const evil = `"<img src=x onerror=alert(1)>&'</td>"`
    const project = await shop({ 'data/9.csv': csv([[9, evil, '1.00']]) })
    await project.cli('branch', 'create', 'dev')
    await project.write(change({ rule: 'amount > 5' }))
    await project.cli('run', '--branch', 'dev')
    const { stdout } = await project.cli('diff', 'dev', '--html', join(project.folder, 'diff.html'))
    expect(stdout).toMatch(/silver\.orders/)
    const page = await readFile(join(project.folder, 'diff.html'), 'utf8')
    expect(page).toContain('&lt;img src=x onerror=alert(1)&gt;&amp;&#39;&lt;/td&gt;')
    expect(page).toContain("default-src 'none'")
    expect(page).not.toMatch(/<(?:img|script|link|iframe)\b|(?:src|href)="(?!#)|url\(|@import/)
    for (const tag of ['table', 'tr', 'td', 'th', 'details', 'ul', 'li', 'code', 'body'])
      expect([tag, page.split(new RegExp(`<${tag}[ >]`)).length], tag).toEqual([
        tag,
        page.split(`</${tag}>`).length,
      ])
  })
})
