import { expect, it } from 'vitest'
import { Project, step } from '../../support/project.js'
import { lakeFile, shop } from '../branch/shop.js'

const lake = `
import { bronze, check, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv', { columns: ['id', 'status', 'amount', 'at'], header: true }) })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.int(), status: z.string(), amount: t.decimal(10, 2).nullable(), at: t.date() }),
  key: 'id',
  checks: [check.usualRows({ severity: 'warn' })],
})
export default defineLake({ name: 'shop', datasets: [orders] })
`

const csv = (from: number, rows: number) =>
  [
    'id,status,amount,at',
    ...Array.from({ length: rows }, (_, i) =>
      [
        from + i,
        i % 4 === 0 ? 'paid' : 'new',
        i % 2 === 0 ? '' : `${i}.50`,
        `2026-01-0${(i % 9) + 1}`,
      ].join(),
    ),
    '',
  ].join('\n')

it('tells what the rows of a run are like, and how that changes from run to run', async () => {
  const project = await Project.create({ 'lake.ts': lake, 'in/1.csv': csv(0, 100) })
  await project.run()
  const { stdout } = await project.cli('profile', 'orders')
  expect(stdout).toMatch(/silver\.orders: 100 rows of the run at /)
  expect(stdout).toMatch(/id +0\.0 +≈ \d+ +0 +99 /)
  expect(stdout).toMatch(/status +0\.0 +2 +new +paid +new \(75\.0 %\), paid \(25\.0 %\)/)
  expect(stdout).toMatch(/amount +50\.0 +≈ \d+ +1\.50 +99\.50/)
  await project.write({ 'in/2.csv': csv(100, 10).replaceAll(/,\d+\.50,/g, ',,') })
  await project.run()
  const column = await project.cli('profile', 'orders', '--column', 'amount', '--json')
  const found = JSON.parse(column.stdout) as { rows: number; nulls: number }[]
  expect(found.map(({ rows, nulls }) => [rows, nulls]).at(-1)?.[1]).toBeGreaterThan(0.5)
  expect(found.length).toBe(2)
  expect((await project.cli('profile', 'orders', '--column', 'nothing')).stderr).toContain(
    'Its columns are: id, status, amount, at',
  )
})

it('warns of a run with other numbers of rows than usual, once there are some to compare with', async () => {
  const project = await Project.create({ 'lake.ts': lake })
  let id = 0
  const load = async (n: number, rows: number) => {
    await project.write({ [`in/${n}.csv`]: csv(id, rows) })
    id += rows
    const record = await project.run()
    return step(record, 'silver.orders').checks?.[0]
  }
  for (const [n, rows] of [100, 105, 95, 102, 98].entries())
    expect((await load(n, rows))?.passed).toBe(true)
  expect((await load(10, 103))?.passed).toBe(true)
  expect(await load(11, 300)).toEqual({
    check: 'rows within 3 deviations of the last 14 runs',
    severity: 'warn',
    passed: false,
    message: '300 rows, but the last 6 runs had 101 on average',
  })
})

it('is told with what has changed a table since, and where no record of its runs is left', async () => {
  const project = await shop()
  await project.cli('branch', 'create', 'dev')
  await project.write(lakeFile({ minimum: 20 }))
  await project.cli('run', '--branch', 'dev')
  expect((await project.cli('profile', 'by_status')).stdout).not.toContain('changed it since')
  await project.cli('promote', 'dev')
  const { stdout } = await project.cli('profile', 'by_status')
  expect(stdout).toMatch(/Commit \d+ has changed it since \(promote branch dev at its commit \d+\)/)
  expect((await project.cli('profile', 'orders')).stdout).not.toContain('changed it since')
  const forgotten = await project.cli('forget', 'orders', '--key', '1', '--yes')
  expect(forgotten.stderr).toBe('')
  const gone = await project.cli('profile', 'orders')
  expect(gone.stderr).toContain('It is profiled once a run writes rows of it.')
  expect(gone.stderr).toContain('summarize from silver.orders')
})
