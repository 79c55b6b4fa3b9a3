import { expect, it } from 'vitest'
import { templatesOf } from '../support/example-templates.js'
import { lakeOfPeople } from '../support/people.js'

/** What the role of the projection may read of bronze, as patterns. */
async function readOfBronze(): Promise<RegExp[]> {
  const { stacks } = await templatesOf('orders')
  const roles = stacks.flatMap(({ template }) => template.Resources.ProjectionRolePolicy ?? [])
  const found = [...JSON.stringify(roles).matchAll(/"\/(bronze\/[^"]*)"/g)]
  return found.map(([, path = '']) => {
    const parts = path.split('*').map((part) => part.replaceAll('.', '\\.'))
    return new RegExp(`^${parts.join('.*')}$`)
  })
}

it('the projection may read what describes a batch, whatever has become of it, and no rows', async () => {
  const project = await lakeOfPeople()
  expect((await project.cli('discard-batch', 'orders', '1')).stderr).toBe('')
  await project.run()
  const done = await project.cli('forget', 'people', '--key', 'ada-4711', '--yes')
  expect([done.stderr, done.code]).toEqual(['', 0])
  const patterns = await readOfBronze()
  const isRead = (path: string) => patterns.some((pattern) => pattern.test(path))
  const { batches } = await project.state()
  const manifests = Object.values(batches).flatMap((all) => all.map(({ manifest }) => manifest))
  expect(manifests.length).toBeGreaterThan(4)
  expect(manifests.filter((path) => !isRead(path))).toEqual([])
  const all = (await project.storage.list('bronze/')).map(({ path }) => path)
  expect(all.filter(isRead).sort()).toEqual(manifests.sort())
})
