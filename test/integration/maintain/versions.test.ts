import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Changes, Commit, FeatureUse } from '../../../src/log/commit.js'
import { encodeCommit } from '../../../src/log/entry.js'
import { CommitLog } from '../../../src/log/log.js'
import { entryPath } from '../../../src/log/reading/gaps.js'
import { verifyLake } from '../../../src/log/verify/verify.js'
import { Project } from '../../support/project.js'

const lake = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const schema = z.object({ id: t.int(), amount: t.decimal(10, 2) })
const orders = silver('orders', { from: bronze('orders', { from: files('orders/*.csv') }), schema, key: 'id' })
const refunds = silver('refunds', { from: bronze('refunds', { from: files('refunds/*.csv') }), schema, key: 'id' })
export default defineLake({ name: 'shop', datasets: [orders, refunds] })
`
const csv = 'id,amount\n1,10\n2,20\n'

/** A commit as a newer program makes it. */
async function commitOfTheFuture(
  project: Project,
  changes: object,
  features: Record<string, FeatureUse>,
): Promise<void> {
  const { number, time, hash } = await project.state()
  const commit: Commit = {
    format: 2,
    id: 'of the future',
    number: number + 1,
    time: time as string,
    previous: hash,
    author: 'bob',
    run: null,
    message: 'seal orders',
    program: '9.1.0',
    features,
    changes: changes as Changes,
  }
  const path = entryPath('_moraine/log/main', number + 1)
  await project.storage.createIfAbsent(path, encodeCommit(commit))
}

it('of a table that only newer versions can read the others are read; nothing is written', async () => {
  const files = { 'orders/1.csv': csv, 'refunds/1.csv': csv }
  const project = await Project.create({ 'lake.ts': lake, ...files })
  await project.run()
  const { number, tables } = await project.state()
  const sealed = { ...tables['silver.orders'], seal: 'x25519' }
  const seals: FeatureUse = { since: '9.1.0', needed: 'read', fields: ['changes.tables.*.seal'] }
  await commitOfTheFuture(project, { tables: { 'silver.orders': sealed } }, { seals })

  const ask = (name: string, ...more: string[]) =>
    project.cli('query', `select count(*) as n from silver.${name}`, ...more)
  const refused = await ask('orders')
  expect(refused.code).toBe(1)
  expect(refused.stderr).toMatch(/silver\.orders uses seals, which this version .* cannot read/)
  expect(refused.stderr).toContain('Use Moraine 9.1.0 or newer.')
  expect((await ask('refunds')).stdout).toContain('2')
  expect((await ask('orders', '--at', String(number))).stdout).toContain('2')

  await project.write({ 'refunds/2.csv': 'id,amount\n3,30\n' })
  for (const command of [['run'], ['optimize'], ['vacuum', '--grace', '0s', '--delete']]) {
    const { code, stdout, stderr } = await project.cli(...command)
    expect(code, stdout).toBe(1)
    expect(stderr).toContain('This lake uses seals, which this version of Moraine (')
    expect(stderr).toContain('cannot write')
  }
  expect((await project.state()).number).toBe(number + 1)
})

const rule = (least: number) => `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('orders/*.csv') }),
  schema: z.object({ id: t.int(), amount: t.decimal(10, 2).min(${least}) }), key: 'id',
})
const total = gold('total', { query: sql\`select sum(amount) as amount from \${orders}\` })
const refunds = silver('refunds', {
  from: bronze('refunds', { from: files('refunds/*.csv') }),
  schema: z.object({ id: t.int(), amount: t.decimal(10, 2) }), key: 'id',
})
export default defineLake({ name: 'shop', datasets: [total, refunds] })
`

/** The same with a rule that stands beside the schema. */
const ruled = (least: number) =>
  rule(0)
    .replace('gold, silver,', 'gold, rule, silver,')
    .replace('.min(0)', '')
    .replace("key: 'id',", `$&\n  rules: [rule('it is enough', sql\`amount >= ${least}\`)],`)

/** Two programs that keep one lake, each with a lake.ts of its own. */
async function twoPrograms(lake = rule) {
  const files = { 'orders/1.csv': csv, 'refunds/1.csv': csv }
  const [older, newer] = [
    await Project.create({ 'lake.ts': lake(0), ...files }),
    await Project.create({ 'lake.ts': lake(15), ...files }),
  ]
  const root = join(older.folder, 'lake')
  const cli =
    (project: Project) =>
    (...args: string[]) =>
      project.cli('--root', root, ...args)
  const total = async () => {
    const [row] = await older.query('select cast(amount as varchar) as amount from gold.total')
    return row?.amount
  }
  return { older, total, onOlder: cli(older), onNewer: cli(newer) }
}

it('who has an older lake.ts than the last run is told, and does not undo what others have built', async () => {
  const { older, total, onOlder, onNewer } = await twoPrograms()
  expect((await onOlder('run')).code).toBe(0)
  expect(await total()).toBe('30.00')
  expect((await onNewer('run')).code).toBe(0)
  expect(await total()).toBe('20.00')
  // The same lake.ts goes on as ever.
  expect((await onNewer('run')).stdout).toContain('Nothing to do')

  await older.write({ 'refunds/2.csv': 'id,amount\n3,30\n' })
  const planned = await onOlder('plan')
  expect(planned.code).toBe(1)
  expect(planned.stdout).toMatch(
    /! lake\.ts defines silver\.orders as of commit \d+ \(.*, Moraine .*\), but commit \d+ has replaced that definition/,
  )
  const { steps } = JSON.parse((await onOlder('--json', 'plan')).stdout)
  expect(steps.filter(({ older }: { older?: string }) => older)).toHaveLength(1)
  const refused = await onOlder('run')
  expect(refused.code).toBe(1)
  expect(refused.stdout + refused.stderr).toContain('lake.ts defines silver.orders as of commit')
  expect(refused.stdout + refused.stderr).toMatch(
    /moraine run --root \S+ silver\.orders --accept-definition/,
  )
  // What is not in question goes on.
  expect(await total()).toBe('20.00')
  expect(await older.query('select count(*) as n from silver.refunds')).toEqual([{ n: 3n }])
})

it('a definition that is wanted again is accepted once; then the other one is the older', async () => {
  const { total, onOlder, onNewer } = await twoPrograms()
  await onOlder('run')
  await onNewer('run')
  expect((await onOlder('run', 'silver.orders+', '--accept-definition')).code).toBe(0)
  expect(await total()).toBe('30.00')
  expect((await onOlder('run')).code).toBe(0)
  expect((await onNewer('run')).code).toBe(1)
  expect(await total()).toBe('30.00')
})

it('who has an older lake.ts brings no rows in that the rules of now discard, by a replay', async () => {
  const { total, onOlder, onNewer } = await twoPrograms(ruled)
  await onOlder('run')
  await onNewer('run')
  expect(await total()).toBe('20.00')
  const refused = await onOlder('replay', 'orders')
  expect(refused.code).toBe(1)
  expect(refused.stdout + refused.stderr).toContain('lake.ts defines silver.orders as of commit')
  expect(await total()).toBe('20.00')
  // Who has the newest lake.ts goes on as ever.
  expect((await onNewer('run')).stdout).toContain('Nothing to do')
})

it('a rollback brings tables back, not definitions: the next run builds by the newest again', async () => {
  const { older, total, onOlder, onNewer } = await twoPrograms()
  await onOlder('run')
  const { number } = await older.state()
  await onNewer('run')
  expect((await onNewer('rollback', '--to', String(number))).code).toBe(0)
  expect(await total()).toBe('30.00')
  expect((await onNewer('run')).code).toBe(0)
  expect(await total()).toBe('20.00')
  const log = new CommitLog(older.storage)
  const made = (await log.latest(20)).filter(({ definition }) => definition)
  expect(new Set(made.map(({ definition }) => definition)).size).toBe(2)
  expect((await verifyLake(older.storage, log)).problems).toEqual([])
})
