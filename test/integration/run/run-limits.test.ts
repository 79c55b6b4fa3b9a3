import { expect, it } from 'vitest'
import { Project } from '../../support/project.js'

const lakeWith = (query: string) => `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('sales', { from: files('sales.csv') })
const sales = silver('sales', { from: raw, schema: z.object({ id: t.int() }), key: 'id' })
const counts = gold('counts', { query: sql\`select count(*) as n from \${sales}\` })
const large = gold('large', { query: sql\`${query}\` })
export default defineLake({ name: 'shop', datasets: [sales, counts, large] })
`

it('a run whose SQL would take all memory is stopped with the reason, and the lake is whole', async () => {
  const project = await Project.create({
    'lake.ts': lakeWith('select len(range(id * 600000000)) as n from ${sales}'),
    'sales.csv': 'id\n1\n',
  })
  const { code, stdout, stderr } = await project.cli('run', '--memory', '600MB')
  expect(code).not.toBe(0)
  expect(stdout + stderr).toMatch(/Moraine stopped: it used [\d.]+ GiB|Out of memory: [\d.]+ GiB/)
  expect(JSON.parse((await project.cli('--json', 'verify')).stdout).problems).toEqual([])
  await project.write({ 'lake.ts': lakeWith('select id from ${sales}') })
  expect((await project.cli('run', '--memory', '600MB')).code).toBe(0)
  expect(await project.query('from gold.large')).toEqual([{ id: 1 }])
})

it('a run that sorts more than its memory goes on on disk, and is not stopped', async () => {
  const project = await Project.create({
    'lake.ts': lakeWith(
      'select count(*) as n from (select h from (select hash(i + id) as h from ${sales}, range(15000000) r(i)) order by h offset 1)',
    ),
    'sales.csv': 'id\n1\n',
  })
  expect((await project.cli('run', '--memory', '600MB')).code).toBe(0)
  expect(await project.query('from gold.large')).toEqual([{ n: 14_999_999n }])
})
