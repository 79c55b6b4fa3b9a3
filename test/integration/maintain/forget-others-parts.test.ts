import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Snapshot } from '../../../src/iceberg/spec/metadata.js'
import { adding, changing, send } from '../../support/adopting.js'
import { Project } from '../../support/project.js'
import { tracesOf } from '../../support/traces.js'

/* Parts of gold that another engine has changed are its own: no build computes them again. */

const lake = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }), key: 'id', identifies: ['email'],
  schema: z.object({ id: t.int(), email: z.string(), day: t.date() }),
})
const daily = gold('daily', {
  writes: 'allow', incremental: { by: 'day' },
  query: sql\`select day, min(email) as first, count(*) as n from \${orders} group by day\`,
})
const weekly = gold('weekly', { query: sql\`select date_trunc('week', day) as week, sum(n) as n from \${daily} group by 1\` })
export default defineLake({ name: 'shop', datasets: [orders, daily, weekly] })
`

const lines = ['id,email,day', '1,ada-4711,2026-01-05', '2,bob-1,2026-01-05', '3,eve-22,2026-01-09']

it('refuses a person of such a part before anything is changed, and forgets all others', async () => {
  const project = await Project.create({ 'lake.ts': lake, 'in/1.csv': `${lines.join('\n')}\n` })
  expect((await project.run()).outcome).toBe('done')
  const rows = "SELECT DATE '2026-01-09' AS day, 'theirs' AS first, 7::BIGINT AS n"
  const made = await changing(project, 'gold.daily', [{ rows }])
  const sent = await send(project, adding(made as Snapshot[]), 'gold/tables/daily')
  expect(sent.json.error).toBe(undefined)
  expect((await project.run()).outcome).toBe('done')
  const forget = (email: string, ...more: string[]) =>
    project.cli('forget', 'orders', '--where', `email = '${email}'`, ...more)

  const { number } = await project.state()
  for (const more of [[], ['--yes']]) {
    const refused = await forget('eve-22', ...more)
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(
        /gold\.daily would be computed from its inputs, without 1 row added by other engines[\s\S]*moraine run gold\.daily --full --allow-loss[\s\S]*Nothing was changed/,
      ),
    ])
  }
  expect((await project.state()).number).toBe(number)

  const traces = (...texts: string[]) => tracesOf(join(project.folder, 'lake'), texts)
  const done = await forget('ada-4711', '--yes')
  expect([done.stderr, done.code]).toEqual(['', 0])
  expect(await traces('ada-4711')).toEqual([])
  expect(await project.query('select first, n from gold.daily order by day, first')).toEqual([
    { first: 'bob-1', n: 1n },
    { first: 'eve-22', n: 1n },
    { first: 'theirs', n: 7n },
  ])

  const dropped = await project.cli('run', 'gold.daily', '--full', '--allow-loss')
  expect([dropped.stderr, dropped.code]).toEqual(['', 0])
  const last = await forget('eve-22', '--yes')
  expect([last.stderr, last.code]).toEqual(['', 0])
  expect(await traces('eve-22')).toEqual([])
  expect((await project.run()).outcome).toBe('done')
})

it('says what to do where an engine changes such a part between the two halves of the work', async () => {
  const failing = lake
    .replace('import { bronze,', 'import { bronze, check,')
    .replace(
      "writes: 'allow',",
      "writes: 'allow', checks: [check.sql('all', sql`select 1 from this_table having sum(n) < 3`)],",
    )
  const project = await Project.create({ 'lake.ts': failing, 'in/1.csv': `${lines.join('\n')}\n` })
  expect((await project.run()).outcome).toBe('done')
  const forget = () => project.cli('forget', 'orders', '--where', "email = 'eve-22'", '--yes')
  expect((await forget()).stderr).toContain('could not be built without them')

  await project.write({ 'lake.ts': lake })
  const rows = "SELECT DATE '2026-01-09' AS day, 'theirs' AS first, 7::BIGINT AS n"
  const made = await changing(project, 'gold.daily', [{ rows }])
  const sent = await send(project, adding(made as Snapshot[]), 'gold/tables/daily')
  expect(sent.json.error).toBe(undefined)
  const refused = await forget()
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringMatching(
      /without 1 row added by other engines[\s\S]*moraine run gold\.daily --allow-loss[\s\S]*The rows are gone from bronze and silver/,
    ),
  ])
  const dropped = await project.cli('run', 'gold.daily', '--allow-loss')
  expect([dropped.stderr, dropped.code]).toEqual(['', 0])
  const done = await forget()
  expect([done.stderr, done.code]).toEqual(['', 0])
  expect(await tracesOf(join(project.folder, 'lake'), ['eve-22'])).toEqual([])
})
