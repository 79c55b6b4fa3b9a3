import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { childrenOf, ended } from '../../support/processes.js'
import { Project, repository } from '../../support/project.js'
import { until } from '../../support/until.js'

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
  [['gold.bad', 'drop table silver.orders'], /Only SELECT/],
  [['gold.orders', 'select * from discarded.orders'], /no variable for discarded.orders/],
  [['silver.x', 'select 1 as one from silver.orders'], /is not a valid name of a gold dataset/],
  [
    ['gold.bad', 'select day from silver.orders', '--partition-by', 'day; drop'],
    /is not a valid partition column/,
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

it('SQL that begins with a comment is no option', async () => {
  const project = await Project.create(content)
  await project.run()
  const sql = '-- how many?\nselect count(*) as n from silver.orders'
  const asked = await project.cli('query', sql, '--format', 'csv')
  expect([asked.code, asked.stderr, asked.stdout]).toEqual([0, '', 'n\n3\n'])
})

const crawled = (name: string) => `import { bronze, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'

export const ${name} = silver('${name}', {
  from: bronze('${name}', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int(), day: t.date(), label: z.string() }),
  key: 'id',
})

export const datasets = [${name}]
`

it.each([
  [
    'spread into the list',
    `import { defineLake } from 'moraine'
import { datasets as crm } from './crm.js'
import { datasets as shop } from './shop.js'

export default defineLake({ name: 'shop', datasets: [...crm, ...shop] })
`,
  ],
  [
    'as one list, and one of them used here',
    `import { defineLake, gold, sql } from 'moraine'
import { datasets as crm, sales as sold } from './crm'
import * as shop from './shop.js'

// A word that means something here: leads.
const leads = gold('leads_by_day', { query: sql\`select day, count(*) as n from \${sold} group by 1\` })
const datasets = [...crm, ...shop.datasets, leads]
export default defineLake({ name: 'shop', datasets })
`,
  ],
])('datasets of files that a crawl wrote are imported: %s', async (_, lake) => {
  const project = await Project.create({
    'in/a.csv': content['in/a.csv'],
    'lake.ts': lake,
    'crm.ts': crawled('sales'),
    'shop.ts': crawled('leads'),
  })
  await project.run()
  const sql =
    'select s.day, count(*) as n from silver.sales s join silver.leads using (id) group by 1'
  const saved = await project.cli('query', sql, '--save-as', 'gold.won')
  expect([saved.code, saved.stderr]).toEqual([0, ''])
  expect(await project.query('select count(*) as n from gold.won')).toEqual([{ n: 3n }])
  expect((await project.run()).outcome).toBe('done')
  // Another one needs no import again.
  const again = await project.cli('query', sql, '--save-as', 'gold.won_again')
  expect([again.code, again.stderr]).toEqual([0, ''])
  const text = await readFile(join(project.folder, 'lake.ts'), 'utf8')
  expect(text.match(/import \{ leads/g)).toHaveLength(1)
})

it('a query that needs more than it may use is not saved, and lake.ts is as it was', async () => {
  const project = await Project.create(content)
  await project.run()
  const save = (...args: string[]) => project.cli('query', '--save-as', 'gold.all', ...args)
  const greedy = await save(
    '--memory',
    '500MB',
    'select len(range(300000000)) as n from silver.orders',
  )
  expect([greedy.code, greedy.stderr]).toEqual([
    1,
    expect.stringContaining('needs more memory than its limit of 500 MB'),
  ])
  const endless = await save(
    ...['--timeout', '3s'],
    'select count(*) as n from silver.orders, range(10000000000) a, range(10000000000) b where a.range * b.range = 1',
  )
  expect([endless.code, endless.stderr]).toEqual([
    1,
    expect.stringContaining('took longer than its limit of 3 s'),
  ])
  expect(await readFile(join(project.folder, 'lake.ts'), 'utf8')).toBe(lake)
  expect(JSON.parse((await project.cli('--json', 'verify')).stdout).problems).toEqual([])
})

it.each(['SIGINT', 'SIGTERM'] as const)(
  '%s while it is saved leaves lake.ts as it was, and no process',
  async (signal) => {
    const project = await Project.create(content)
    await project.run()
    const sql =
      'select count(*) as n from silver.orders, range(10000000000) a, range(10000000000) b where a.range * b.range = 1'
    const bin = join(repository, 'bin/moraine.js')
    const command = spawn(
      process.execPath,
      [bin, '-C', project.folder, 'query', '--save-as', 'gold.all', sql],
      { stdio: 'ignore' },
    )
    onTestFinished(() => void command.kill('SIGKILL'))
    const text = () => readFile(join(project.folder, 'lake.ts'), 'utf8')
    await until('lake.ts is changed', async () => (await text()) !== lake, command)
    await until('it has a process', () => childrenOf(command.pid as number).length > 0, command)
    await sleep(500)
    const children = childrenOf(command.pid as number)
    command.kill(signal)
    await once(command, 'exit')
    for (const child of children) await ended(child)
    expect(await text()).toBe(lake)
  },
)
