import { expect, it } from 'vitest'
import type { Changes, Commit, FeatureUse } from '../../src/log/commit.js'
import { encodeCommit } from '../../src/log/entry.js'
import { entryPath } from '../../src/log/gaps.js'
import { Project } from '../support/project.js'

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
  expect(refused.stderr).toMatch(/silver\.orders uses seals, which this version .* can't read/)
  expect(refused.stderr).toContain('Use Moraine 9.1.0 or newer.')
  expect((await ask('refunds')).stdout).toContain('2')
  expect((await ask('orders', '--at', String(number))).stdout).toContain('2')

  await project.write({ 'refunds/2.csv': 'id,amount\n3,30\n' })
  for (const command of [['run'], ['optimize'], ['vacuum', '--grace', '0s', '--delete']]) {
    const { code, stdout, stderr } = await project.cli(...command)
    expect(code, stdout).toBe(1)
    expect(stderr).toContain('This lake uses seals, which this version of Moraine (')
    expect(stderr).toContain("can't write")
  }
  expect((await project.state()).number).toBe(number + 1)
})
