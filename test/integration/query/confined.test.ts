import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { moraine, temporaryFolder } from '../../support/project.js'

const definition = `
import { bronze, bucket, check, defineLake, gold, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', {
  from: raw,
  key: 'id',
  schema: z.object({ id: t.int(), day: t.date(), name: z.string().refine((name) => name !== 'x') }),
  rules: [rule('is positive', sql\`id > 0 -- and not null\`)],
  checks: [check.sql('no negative', sql\`select 1 from this_table where id < 0\`)],
  partitionBy: [bucket('id', 2)],
})
const days = gold('days', {
  query: sql\`select day, count(*) as n from \${orders} group by 1\`,
  incremental: { by: 'day' },
})
export default defineLake({ name: 'confined', datasets: [orders, days] })
`

it('a run builds as before when its engine can open nothing but the lake, wherever that lies', async () => {
  const folder = await temporaryFolder()
  const root = join(folder, "data [2024] *it's*, (ünï) 100% ?")
  await mkdir(join(folder, 'in'), { recursive: true })
  await writeFile(join(folder, 'lake.ts'), definition)
  await writeFile(
    join(folder, 'in', 'a.csv'),
    'id,day,name\n1,2026-01-01,a\n2,2026-01-02,x\n3,2026-01-02,c\n',
  )
  const run = (...args: string[]) => moraine(['-C', folder, '--root', root, ...args])
  const first = await run('run')
  expect([first.code, first.stderr]).toEqual([0, ''])
  await writeFile(join(folder, 'in', 'b.csv'), 'id,day,name\n3,2026-01-02,d\n4,2026-01-03,e\n')
  const second = await run('run')
  expect(second.stderr).toBe('')
  expect(second.code).toBe(0)
  const { stdout } = await run('query', '--format', 'csv', 'from gold.days order by day')
  expect(stdout).toBe('day,n\n2026-01-01,1\n2026-01-02,1\n2026-01-03,1\n')
})
