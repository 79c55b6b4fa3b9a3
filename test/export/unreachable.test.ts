import { expect, it } from 'vitest'
import { moraine, Project } from '../support/project.js'

it('commits the lake where a warehouse is away, and shows no secret of its address', async () => {
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, gold, sql, warehouse } from 'moraine'
import { files, postgres, secret } from 'moraine/sources'
const raw = bronze('one', { from: files('one.csv') })
const daily = gold('daily', { query: sql\`select count(*) as n from \${raw}\` })
const url = secret('env:WAREHOUSE_URL')
export default defineLake({
  name: 'shop',
  datasets: [daily],
  exports: [warehouse(postgres({ url }), { tables: [daily] })],
})`,
    'one.csv': 'a\n1\n',
  })
  const run = (...args: string[]) =>
    moraine(['-C', project.folder, ...args], {
      WAREHOUSE_URL: 'postgres://shop:hidden-pass@127.0.0.1:1/reports',
    })
  const ran = await run('run')
  expect(ran.code).toBe(1)
  expect(ran.stdout).toContain('PostgreSQL at 127.0.0.1:1/reports: connection refused')
  expect((await project.state()).tables['gold.daily']?.rows).toBe(1)
  const all = [ran, await run('plan'), await run('export', '--json'), await run('export', '--full')]
  for (const { stdout, stderr } of all) expect(stdout + stderr).not.toContain('hidden-pass')
  const without = await moraine(['-C', project.folder, 'export'], { WAREHOUSE_URL: '' })
  expect(without.stdout).toContain('The secret env:WAREHOUSE_URL is missing or empty')
})

it('tries again with the next run, though nothing is new, until the warehouse has what it lacked', async () => {
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, duckdbFile, gold, sql, warehouse } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('one', { from: files('*.csv') })
const daily = gold('daily', { query: sql\`select count(*) as n from \${raw}\` })
export default defineLake({
  name: 'shop',
  datasets: [daily],
  exports: [warehouse(duckdbFile('out/reports.duckdb'), { tables: [daily] })],
})`,
    'one.csv': 'a\n1\n',
  })
  // The folder of its file is not there yet.
  const first = await project.cli('run')
  expect(first.code).toBe(1)
  expect(first.stdout).toContain('gold.daily → duckdb: daily  failed')
  // It is still away: a run that has nothing to do fails, too.
  const still = await project.cli('run')
  expect(still.code).toBe(1)
  expect(still.stdout).toContain('gold.daily → duckdb: daily  failed')
  await project.write({ 'out/readme.txt': 'reports' })
  const again = await project.cli('run')
  expect(again).toMatchObject({ code: 0 })
  expect(again.stdout).toContain('gold.daily → duckdb: daily  1 row (first export)')
  // It has all: the next run does not ask it.
  const last = await project.cli('run')
  expect(last.code).toBe(0)
  expect(last.stdout).not.toContain('duckdb')
})
