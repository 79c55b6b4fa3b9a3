import { readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Table } from '../../src/iceberg/table.js'
import { Project, step } from '../support/project.js'

const definition = `
import { bronze, defineLake, gold, month, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('sales', { from: files('in/*.csv') })
const sales = silver('sales', {
  from: raw, key: 'id', cursor: 'sold_at', partitionBy: [month('sold_at')],
  schema: z.object({ id: t.int(), amount: t.decimal(9, 2), sold_at: t.timestamp() }),
})
const months = gold('months', { query: sql\`select date_trunc('month', sold_at) as m, count(*) as n, sum(amount) as amount from \${sales} group by 1\` })
export default defineLake({ name: 'kept', datasets: [months] })
`

/** Forty sales of two months; each file has rows of its own. */
const file = (batch: number) =>
  `id,amount,sold_at\n${Array.from({ length: 40 }, (_, i) => `${batch * 40 + i},${i}.25,2026-0${(i % 2) + 1}-03 00:00:00`).join('\n')}\n`

async function lakeOf(batches: number): Promise<Project> {
  const project = await Project.create({ 'lake.ts': definition })
  for (let batch = 0; batch < batches; batch++) {
    await project.write({ [`in/${batch}.csv`]: file(batch) })
    expect((await project.run()).outcome).toBe('done')
  }
  return project
}

const rows = (project: Project, at?: number) =>
  project.query('select id, amount, sold_at from silver.sales order by id', at)

async function filesOf(project: Project, name: string): Promise<number> {
  const { tables } = await project.state()
  return (await (await Table.load(project.storage, tables[name]?.metadata as string)).scan()).length
}

/** Makes all files of the lake look old. */
async function age(project: Project): Promise<void> {
  const root = join(project.folder, 'lake')
  const old = new Date(Date.now() - 30 * 86_400_000)
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), old, old)
}

describe('optimize', () => {
  it('puts small files together; the rows stay, and nothing is built again', async () => {
    const project = await lakeOf(5)
    const before = await rows(project)
    const { number } = await project.state()
    expect(await filesOf(project, 'silver.sales')).toBe(10)
    const { stdout, code } = await project.cli('optimize', 'silver.sales')
    expect(code).toBe(0)
    expect(stdout).toContain('10 files → 2')
    expect(await filesOf(project, 'silver.sales')).toBe(2)
    expect(await rows(project)).toEqual(before)
    expect(await rows(project, number)).toEqual(before)
    const again = await project.run()
    expect(again.steps.map(({ outcome }) => outcome)).toEqual([
      'unchanged',
      'unchanged',
      'unchanged',
    ])
    expect((await project.cli('optimize')).stdout).toContain('Nothing to do')
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    // What comes later is taken in as always.
    await project.write({ 'in/9.csv': file(9) })
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('select sum(n) as n from gold.months')).toEqual([{ n: 240n }])
  })

  it('applies what was deleted row by row, once it is asked for', async () => {
    const project = await lakeOf(1)
    // Two sales of January change, then one of February: their files are too dear to be written again.
    for (const [i, ids] of [[0, 2], [1]].entries()) {
      const changed = ids.map((id) => `${id},1000,2026-0${(id % 2) + 1}-03 00:00:00`)
      await project.write({ [`in/changed${i}.csv`]: `id,amount,sold_at\n${changed.join('\n')}\n` })
      const record = await project.run({ rewriteUpTo: 0 })
      expect(step(record, 'silver.sales')).toMatchObject({ counts: { replaced: ids.length } })
      const { tables } = await project.state()
      const table = await Table.load(project.storage, tables['silver.sales']?.metadata as string)
      const lists = (await table.plan()).flatMap(({ deletes }) => deletes)
      expect(lists.map((list) => list.rows)).toEqual(i === 0 ? [2] : [2, 1])
      expect(table.totals.rows).toBe(40)
    }
    const before = await rows(project)
    expect(before.length).toBe(40)
    expect((await project.query('select sum(amount) as a from gold.months'))[0]?.a).toBe(
      String((await project.query('select sum(amount) as a from silver.sales'))[0]?.a),
    )
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    expect((await project.cli('optimize')).code).toBe(0)
    const { tables } = await project.state()
    const table = await Table.load(project.storage, tables['silver.sales']?.metadata as string)
    expect((await table.plan()).every(({ deletes }) => deletes.length === 0)).toBe(true)
    expect(table.snapshot?.summary['total-delete-files']).toBe('0')
    expect(table.snapshot?.summary['total-position-deletes']).toBe('0')
    expect(await rows(project)).toEqual(before)
  })

  it('lays the rows of each partition out in an order', async () => {
    const project = await lakeOf(2)
    expect((await project.cli('optimize', 'silver.sales', '--order-by', 'amount')).code).toBe(0)
    const amounts = await project.query(
      "select amount from silver.sales where sold_at < '2026-02-01'",
    )
    expect(amounts).toEqual([...amounts].sort((a, b) => Number(a.amount) - Number(b.amount)))
    const again = await project.run()
    expect(again.steps.every(({ outcome }) => outcome === 'unchanged')).toBe(true)
  })

  it('says what there is when a table is not', async () => {
    const project = await lakeOf(1)
    const { code, stderr } = await project.cli('optimize', 'silver.sale')
    expect(code).toBe(2)
    expect(stderr).toContain('There is no table silver.sale in this lake')
    expect(stderr).toContain('silver.sales')
  })

  it('gives way to a run that changes the table at the same time', async () => {
    const project = await lakeOf(4)
    await project.write({ 'in/7.csv': file(7) })
    const both = await Promise.all([project.cli('optimize'), project.cli('run')])
    for (const { stdout, stderr } of both) expect(stdout + stderr).not.toMatch(/\n +at /)
    expect((await project.cli('run')).code).toBe(0)
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    expect((await rows(project)).length).toBe(200)
  })
})

describe('vacuum', () => {
  it('removes what nothing leads to, once it is old enough and asked for', async () => {
    const project = await lakeOf(3)
    await project.write({ 'lake/silver/sales/data/left-by-a-crash.parquet': 'x' })
    expect((await project.cli('vacuum')).stdout).toContain('Nothing to remove')
    await age(project)
    const dry = await project.cli('vacuum')
    expect(dry.stdout).toContain('silver/sales/data/left-by-a-crash.parquet')
    expect(dry.stdout).toContain('Nothing was removed')
    const { stdout } = await project.cli('vacuum', '--delete')
    expect(stdout).toMatch(/Removed \d+ files/)
    const left = await readdir(join(project.folder, 'lake/silver/sales/data'))
    expect(left).not.toContain('left-by-a-crash.parquet')
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    // All of the history is there.
    for (let at = 2; at <= 6; at += 2) expect((await rows(project, at)).length).toBe(20 * at)
    expect((await project.cli('vacuum', '--delete')).stdout).toContain('Nothing to remove')
  })

  it('lets go of what is older than the history that is wanted, and of nothing else', async () => {
    const project = await lakeOf(3)
    await project.cli('optimize')
    await age(project)
    const before = await rows(project)
    const wanted = ['vacuum', '--history', '0m', '--grace', '1d']
    const dry = JSON.parse((await project.cli('--json', ...wanted)).stdout)
    expect(dry).toMatchObject({ removed: false, expired: expect.arrayContaining(['silver.sales']) })
    expect(dry.files).toBeGreaterThan(10)
    const done = JSON.parse((await project.cli('--json', ...wanted, '--delete')).stdout)
    expect(done.files).toBe(dry.files)
    expect(await rows(project)).toEqual(before)
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    expect((await project.run()).steps.every(({ outcome }) => outcome === 'unchanged')).toBe(true)
    await project.write({ 'in/9.csv': file(9) })
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('select sum(n) as n from gold.months')).toEqual([{ n: 160n }])
  })

  it('leaves what a stopped run has finished, for the next one to take', async () => {
    const project = await lakeOf(1)
    await project.write({ 'in/1.csv': file(1) })
    // Silver is done and kept when the run is stopped before it publishes.
    const stop = new AbortController()
    const stopped = await project.run({
      keepAfter: 0,
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === 'step-finished' && event.result.dataset === 'silver.sales') stop.abort()
      },
    })
    expect(stopped.outcome).toBe('cancelled')
    await age(project)
    expect((await project.cli('vacuum', '--delete')).code).toBe(0)
    const next = await project.run()
    expect(step(next, 'silver.sales').notes).toEqual([`kept from run ${stopped.run}`])
    expect((await rows(project)).length).toBe(80)
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('lets go of records of runs from before the history that is wanted', async () => {
    const project = await lakeOf(2)
    const runs = async () => (await project.storage.folders('_moraine/runs/')).length
    await age(project)
    await project.cli('vacuum', '--delete')
    expect(await runs()).toBe(2)
    await project.write({ 'in/9.csv': file(9) })
    await project.run()
    await project.cli('vacuum', '--delete', '--history', '1d')
    const records = await project.storage.list('_moraine/runs/')
    expect(new Set(records.map(({ path }) => path.split('/')[2])).size).toBe(1)
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('takes no other word for a duration', async () => {
    const project = await lakeOf(1)
    const { code, stderr } = await project.cli('vacuum', '--grace', 'a week')
    expect(code).toBe(2)
    expect(stderr).toContain('--grace a week is not a duration')
  })
})
