import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Project } from '../../support/project.js'

/** What is ingested from an inbox is removed from it, so none may have the lake's own files. */

const lakeFile = (path: string) => `
  import { bronze, defineLake, silver, t, z } from 'moraine'
  import { files, inbox } from 'moraine/sources'
  const orders = silver('orders', {
    from: bronze('orders', { from: files('data/*.csv') }),
    schema: z.object({ id: t.int() }),
    key: 'id',
  })
  export default defineLake({ name: 'shop', datasets: [
    orders,
    bronze('dropped', { from: inbox({ path: '${path}', settle: '0ms' }) }),
  ] })
`

async function project(path: string): Promise<Project> {
  const made = await Project.create({
    'lake.ts': lakeFile('drop'),
    'data/1.csv': 'id\n1\n2\n',
  })
  await made.run()
  await symlink(join(made.folder, 'lake'), join(made.folder, 'link'))
  await made.write({ 'lake.ts': lakeFile(path) })
  return made
}

const filesOf = async (folder: string) =>
  (await readdir(folder, { recursive: true })).filter((name) => !/_moraine\/(runs|live)/.test(name))

describe('an inbox', () => {
  it.each([
    ['lake/silver/orders/data', 'lies in the lake'],
    ['lake', 'lies in the lake'],
    ['lake/bronze/landing', 'lies in the lake'],
    ['lake/bronze/landing/orders', 'lies in the lake'],
    ['link/silver', 'lies in the lake'],
    ['.', 'is a folder that the lake lies in'],
    ['/', 'is a folder that the lake lies in'],
  ])('at %s is refused, and nothing is taken from the lake', async (path, how) => {
    const made = await project(path)
    const before = await filesOf(join(made.folder, 'lake'))
    for (const command of ['plan', 'run']) {
      const { code, stdout, stderr } = await made.cli(command)
      expect(code).not.toBe(0)
      expect(`${stdout}${stderr}`.replace(/\s+/g, ' ')).toContain(how)
    }
    expect(await filesOf(join(made.folder, 'lake'))).toEqual(before)
    const { stdout } = await made.cli('query', '--format', 'csv', 'select id from silver.orders')
    expect(stdout).toBe('id\n1\n2\n')
  })

  it('may be the one that the lake has for it, by its path', async () => {
    const made = await project('lake/bronze/landing/dropped')
    const folder = join(made.folder, 'lake/bronze/landing/dropped')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'a.csv'), 'x\n7\n')
    expect((await made.cli('run')).code).toBe(0)
    const { stdout } = await made.cli('query', '--format', 'csv', 'select x from bronze.dropped')
    expect(stdout).toBe('x\n7\n')
  })
})
