import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Project } from '../support/project.js'

const lake = `import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'

const orders = silver('orders', {
  from: bronze('orders', { from: files('in') }),
  schema: z.object({ id: t.int(), day: t.date(), label: z.string() }),
  key: 'id',
})

export default defineLake({ name: 'shop', datasets: [orders] })
`
const content = {
  'lake.ts': lake,
  'in/a.csv': 'id,day,label\n1,2026-01-05,a`b\n2,2026-02-05,${x}\n3,2026-02-06,"c\\d"\n',
}

it('a query is published as a table, and its definition kept as code', async () => {
  const project = await Project.create(content)
  await project.run()
  const sql =
    "select day, label, 'silver.orders' as source, count(*) as n from SILVER.orders where label in ('a`b', '${x}', 'c\\d') group by all -- silver.orders"
  const saved = await project.cli(
    'query',
    '--save-as',
    'gold.by_day',
    '--partition-by',
    'month(day)',
    'label',
    '--',
    sql,
  )
  expect([saved.code, saved.stdout]).toEqual([
    0,
    '✔ gold.by_day has 3 rows. Its definition is in lake.ts.\n',
  ])
  const direct = await project.query(sql.replace(/ --.*/, ' order by day'))
  expect(await project.query('select * from gold.by_day order by day')).toEqual(direct)
  expect(direct).toHaveLength(3)
  const text = await readFile(join(project.folder, 'lake.ts'), 'utf8')
  expect(text).toContain("export const byDay = gold('by_day', {")
  expect(text).toContain('from ${orders} where')
  expect(text).toContain("partitionBy: [month('day'), 'label'],")
  // It is a dataset like any other from now on.
  await project.write({ 'in/b.csv': 'id,day,label\n4,2026-03-05,a`b\n' })
  expect((await project.run()).outcome).toBe('done')
  expect(await project.query('select * from gold.by_day')).toHaveLength(4)
})

it.each([
  [['gold.bad', 'select nothing from silver.orders'], /Referenced column "nothing"/],
  [['gold.bad', 'drop table silver.orders'], /Only a SELECT/],
  [['gold.orders', 'select * from discarded.orders'], /no variable for discarded.orders/],
  [['silver.x', 'select 1 as one from silver.orders'], /can't be the name of a gold dataset/],
  [
    ['gold.bad', 'select day from silver.orders', '--partition-by', 'day; drop'],
    /can't be a column to partition by/,
  ],
])(
  'what can not be saved leaves lake.ts as it was: %s',
  async ([name = '', sql = '', ...args], message) => {
    const project = await Project.create(content)
    await project.run()
    const { code, stderr } = await project.cli('query', sql, '--save-as', name, ...args)
    expect([code !== 0, stderr]).toEqual([true, expect.stringMatching(message)])
    expect(await readFile(join(project.folder, 'lake.ts'), 'utf8')).toBe(lake)
    expect(
      Object.keys((await project.state()).tables).filter((table) => table.startsWith('gold')),
    ).toEqual([])
  },
)
