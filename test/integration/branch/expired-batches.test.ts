import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Project } from '../../support/project.js'

/*
 * Batches expire on main once main's tables have read them. A branch that has not can't read them
 * any more: what it has built of those before must not take the place of what main has.
 */

const lake = (rule = '', more = '') => ({
  'lake.ts': `
    import { bronze, defineLake, rule, silver, sql, t, z } from 'moraine'
    import { inbox } from 'moraine/sources'
    const raw = bronze('orders', { from: inbox({ settle: '0ms' }), keep: '30d' })
    const schema = z.object({ id: t.int(), amount: t.int() })
    const orders = silver('orders', {
      from: raw, schema, key: 'id', ${rule ? `rules: [rule('asked', sql\`${rule}\`)],` : ''}
    })
    ${more ? `const more = silver('${more}', { from: raw, schema, key: 'id' })` : ''}
    export default defineLake({ name: 'shop', datasets: [orders${more ? ', more' : ''}] })
  `,
})

async function arrives(project: Project, id: number, day: string): Promise<void> {
  const folder = join(project.folder, 'lake/bronze/landing/orders')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, `${id}.csv`), `id,amount\n${id},${id * 10}\n`)
  await project.run({ now: () => new Date(`${day}T10:00:00Z`) })
}

const idsOf = async (project: Project, table = 'silver.orders') =>
  (await project.query(`SELECT id FROM ${table} ORDER BY id`)).map(({ id }) => id)

async function done(project: Project, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await project.cli(...args)
  expect([code, stderr]).toEqual([0, ''])
  return stdout
}

/** Main has read the second batch, and lets it go; the branch has read the first one alone. */
async function expired(onBranch: Record<string, string>): Promise<Project> {
  const project = await Project.create(lake())
  await arrives(project, 1, '2026-01-01')
  await done(project, 'branch', 'create', 'dev')
  await project.write(onBranch)
  await done(project, 'run', '--branch', 'dev')
  await project.write(lake())
  await arrives(project, 2, '2026-01-02')
  await arrives(project, 3, '2026-06-01')
  const { batches, expired } = await project.state()
  expect(expired).toEqual({ 'bronze.orders': 2 })
  expect(batches['bronze.orders']?.map(({ number }) => number)).toEqual([3])
  return project
}

it('loses no row where a branch goes on from what it has built before they were read', async () => {
  const changed = lake('amount > 0')
  const project = await expired(changed)
  await project.write(changed)
  const published = await project.cli('promote', 'dev', '--refresh')
  expect(await idsOf(project)).toEqual([1, 2, 3])
  // As on main: of what is left, a table that has more can't be built.
  expect(published.code).toBe(1)
  const refused = await project.cli('run', '--branch', 'dev')
  expect(refused.stdout).toMatch(/rebuilt from all of its rows, but bronze.orders has expired/)
  const shown = JSON.parse(await done(project, 'branch', 'show', 'dev', '--json'))
  expect(shown.datasets).toEqual([])
})

it('publishes no new table that has a gap, and builds it of what there is', async () => {
  const changed = lake('', 'more')
  const project = await expired(changed)
  await project.write(changed)
  const refused = await project.cli('promote', 'dev')
  expect(refused.code).toBe(1)
  expect(refused.stderr).toMatch(
    /batches of bronze.orders that the branch has not read have expired on main/,
  )
  expect((await project.state()).tables).not.toHaveProperty('silver.more')
  const refreshed = JSON.parse(await done(project, 'branch', 'refresh', 'dev', '--json'))
  expect(refreshed.dropped).toEqual(['silver.more'])
  await done(project, 'run', '--branch', 'dev')
  await done(project, 'promote', 'dev')
  expect(await idsOf(project, 'silver.more')).toEqual([3])
  expect(await idsOf(project)).toEqual([1, 2, 3])
})
