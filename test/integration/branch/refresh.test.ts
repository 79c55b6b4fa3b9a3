import { describe, expect, it } from 'vitest'
import { refreshBranch } from '../../../src/log/branch/refresh.js'
import { CommitLog } from '../../../src/log/log.js'
import type { Files, Project } from '../../support/project.js'
import { csv, lakeFile, onBranch, shop } from './shop.js'

/** What a branch takes along when it is brought to main's newest state, and what it leaves. */

const author = { author: 'ada', run: null }
const edited = (files: Files, from: string, to: string): Files => ({
  'lake.ts': String(files['lake.ts']).replace(from, to),
})

async function done(project: Project, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await project.cli(...args)
  expect([code, stderr]).toEqual([0, ''])
  return stdout
}

async function countOf(project: Project, table: string, ...args: string[]) {
  const [row] = JSON.parse(
    await done(project, 'query', `select count(*) as n from ${table}`, '--json', ...args),
  )
  return Number(row.n)
}

const headOf = async (project: Project, name: string) => (await onBranch(project, name)).log.head()

describe('branch refresh', () => {
  it('reads nothing twice after an empty batch, though main builds that table anew', async () => {
    const keyless = (rule?: string) =>
      edited(lakeFile(rule ? { rule } : {}), "key: 'order_id',", '')
    const project = await shop(keyless())
    await project.write({ 'data/2.csv': 'order_id,status,amount\n' })
    await project.run({ select: ['bronze.orders'] })
    await done(project, 'branch', 'create', 'dev')
    await done(project, 'run', '--branch', 'dev')
    const [there, main] = [await headOf(project, 'dev'), await project.state()]
    expect(there.offsets['silver.orders']).toEqual({ 'bronze.orders': 2 })
    expect(main.offsets['silver.orders']).toEqual({ 'bronze.orders': 1 })
    expect(there.tables['silver.orders']).toEqual(main.tables['silver.orders'])

    await project.write({ ...keyless('amount > 0'), 'data/3.csv': csv([[7, 'paid', '7.00']]) })
    await project.run()
    expect(await countOf(project, 'silver.orders')).toBe(4)
    const refreshed = JSON.parse(await done(project, 'branch', 'refresh', 'dev', '--json'))
    expect(refreshed.dropped).toEqual([])
    expect((await headOf(project, 'dev')).offsets).toEqual((await project.state()).offsets)
    await done(project, 'run', '--branch', 'dev')
    expect(await countOf(project, 'silver.orders', '--branch', 'dev')).toBe(4)
    await project.cli('promote', 'dev')
    expect(await countOf(project, 'silver.orders')).toBe(4)
  })

  it('leaves what main has dropped, and what it has under another name', async () => {
    const project = await shop()
    await done(project, 'branch', 'create', 'dev')
    await project.write({
      ...lakeFile({ minimum: 20, rule: 'amount < 30' }),
      'data/2.csv': csv([[4, 'paid', '25.00']]),
    })
    await done(project, 'run', '--branch', 'dev')
    const sales = edited(
      edited(lakeFile({ rule: 'amount < 30' }), "silver('orders'", "silver('sales'"),
      'datasets: [raw, orders, byStatus]',
      'datasets: [raw, orders]',
    )
    await project.write(sales)
    await done(project, 'rename', 'silver.orders', 'silver.sales')
    await done(project, 'drop', 'gold.by_status')
    const refreshed = JSON.parse(await done(project, 'branch', 'refresh', 'dev', '--json'))
    expect(refreshed.kept).toEqual([])
    expect((await headOf(project, 'dev')).tables).toEqual((await project.state()).tables)
    await done(project, 'run', '--branch', 'dev')
    await done(project, 'promote', 'dev')
    const { tables, offsets } = await project.state()
    expect(Object.keys(tables).sort()).toEqual(['discarded.sales', 'silver.sales'])
    expect(Object.keys(offsets)).toEqual(['silver.sales'])
  })

  it('builds anew what a rollback of main has taken from it, too', async () => {
    const project = await shop()
    await done(project, 'branch', 'create', 'dev')
    await project.write(lakeFile({ minimum: 20 }))
    await done(project, 'run', '--branch', 'dev')
    await project.cli('rollback', '--to', '1')
    expect((await project.state()).tables).toEqual({})
    const refreshed = JSON.parse(await done(project, 'branch', 'refresh', 'dev', '--json'))
    expect(refreshed.dropped).toEqual(['gold.by_status'])
    await done(project, 'run', '--branch', 'dev')
    expect(await countOf(project, 'silver.orders', '--branch', 'dev')).toBe(3)
    await done(project, 'promote', 'dev')
    expect(await countOf(project, 'silver.orders')).toBe(3)
  })

  it.each([true, false])(
    'takes along what a run publishes meanwhile, unless main took its batches back: %s',
    async (isTakenBack) => {
      const project = await shop()
      const { number } = await project.state()
      await project.write({ 'data/2.csv': csv([[4, 'paid', '40.00']]) })
      await project.run({ select: ['bronze.orders'] })
      await done(project, 'branch', 'create', 'dev')
      if (isTakenBack) await project.cli('rollback', '--to', String(number), '--undo-intake')
      else {
        await project.write({ 'data/3.csv': csv([[5, 'paid', '50.00']]) })
        await project.run({ select: ['bronze.orders'] })
      }
      const main = await project.state()
      expect(main.batches['bronze.orders']).toHaveLength(isTakenBack ? 1 : 3)

      const log = new CommitLog(project.storage)
      const fork = log.fork.bind(log)
      log.fork = async (...args) => {
        await done(project, 'run', '--branch', 'dev')
        return fork(...args)
      }
      await refreshBranch(log, 'dev', author)
      expect((await headOf(project, 'dev')).offsets['silver.orders']).toEqual({
        'bronze.orders': isTakenBack ? 1 : 2,
      })
      expect(await countOf(project, 'silver.orders', '--branch', 'dev')).toBe(isTakenBack ? 3 : 4)
    },
  )
})
