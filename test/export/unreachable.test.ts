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
