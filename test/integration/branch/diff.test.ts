import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { LakeDiff } from '../../../src/branch/diff/diff.js'
import { Table } from '../../../src/iceberg/table.js'
import type { Project } from '../../support/project.js'
import { change, csv, type lakeFile, onBranch, shop } from './shop.js'

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
    const amount = silver?.rows?.columns.find(({ column }) => column === 'amount')
    expect(amount?.sum).toEqual({ before: '30.00', after: null })
    expect(gold).toMatchObject({
      definition: ['its query changed'],
      columns: [{ column: 'most', change: 'added', breaking: false }],
      rows: { key: [], added: 1, removed: 1 },
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
    const noKey = await diffOf(project, 'main..dev', '--key', 'n,amount,nothing')
    expect(noKey.datasets[0]?.rows?.note).toMatch(
      /only one side has the key column 'nothing'|whole/,
    )
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
})
