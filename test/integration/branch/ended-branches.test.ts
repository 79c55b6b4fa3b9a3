import { join } from 'node:path'
import { expect, it } from 'vitest'
import { definition, lakeOfPeople } from '../../support/people.js'
import type { Project } from '../../support/project.js'
import { csv, lakeFile, onBranch, shop } from './shop.js'

/** Branches that ended a moment ago, while main has let go of what they began with. */

const asked = async (project: Project, ...args: string[]) => {
  const { code, stdout, stderr } = await project.cli(...args)
  return { code, stdout, stderr }
}

/** Has main go on, and removes what it was before. */
async function goneOn(project: Project): Promise<void> {
  await project.write({ 'data/2.csv': csv([[4, 'paid', '40.00']]) })
  await project.run()
  const args = ['vacuum', '--history', '0s', '--grace', '0s', '--delete']
  const { code, stdout } = await asked(project, ...args)
  expect([code, stdout]).toEqual([0, expect.stringContaining('✔ Removed')])
}

it.each([
  ['was deleted', ['branch', 'delete', 'dev']],
  ['was published', ['promote', 'dev']],
])('keep no vacuum from its work where one %s', async (_, end) => {
  const project = await shop()
  await project.cli('branch', 'create', 'dev')
  await project.write(lakeFile({ minimum: 20 }))
  expect((await asked(project, 'run', '--branch', 'dev')).code).toBe(0)
  expect((await asked(project, ...end)).code).toBe(0)
  await goneOn(project)
  expect(await asked(project, 'vacuum')).toMatchObject({ code: 0, stderr: '' })
  expect(await asked(project, 'vacuum', '--delete')).toMatchObject({ code: 0, stderr: '' })
  expect((await asked(project, 'verify', '--deep')).code).toBe(0)
})

it('leave to a branch that lives all that it has', async () => {
  const project = await shop()
  await project.cli('branch', 'create', 'dev')
  await project.cli('branch', 'create', 'gone')
  await project.cli('branch', 'delete', 'gone')
  await goneOn(project)
  const vacuumed = await asked(project, 'vacuum', '--grace', '0s', '--delete')
  expect(vacuumed).toMatchObject({ code: 0, stderr: '' })
  const counted = await asked(
    project,
    ...['query', 'select count(*) as n from silver.orders', '--branch', 'dev', '--json'],
  )
  expect(JSON.parse(counted.stdout)).toEqual([{ n: 3 }])
  // What it needs and is gone is damage, whatever ended branches have of it.
  const { log } = await onBranch(project, 'dev')
  const metadata = (await log.head()).tables['silver.orders']?.metadata as string
  await project.storage.remove(metadata)
  const refused = await asked(project, 'vacuum', '--delete')
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining(metadata)])
})

it('keep no vacuum from its work once rows are forgotten, nor that of a copy', async () => {
  const project = await lakeOfPeople()
  await project.cli('branch', 'create', 'dev')
  await project.write({
    'lake.ts': definition,
    'people/4.csv': 'id,name,email,age,v,place,op\np-1,One,one@example.org,5,9,town-1,\n',
  })
  await project.run()
  expect((await asked(project, 'branch', 'delete', 'dev')).code).toBe(0)
  expect((await asked(project, 'forget', 'people', '--key', 'ada-4711', '--yes')).code).toBe(0)
  expect(await asked(project, 'vacuum')).toMatchObject({ code: 0, stderr: '' })
  expect((await asked(project, 'copy', 'there')).code).toBe(0)
  const vacuumed = await asked(project, 'vacuum', '--root', join(project.folder, 'there'))
  expect(vacuumed).toMatchObject({ code: 0, stderr: '' })
})
