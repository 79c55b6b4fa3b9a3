import { execFileSync } from 'node:child_process'
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { filesSource } from '../../../src/source/declare/files.js'
import { discoverFiles } from '../../../src/source/files/discover.js'
import { Project, step } from '../../support/project.js'
import { zip } from '../../support/zip.js'

const lake = (from: string) => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files, inbox } from 'moraine/sources'
const raw = bronze('rows', { from: ${from} })
export default defineLake({ name: 'links', datasets: [silver('rows', { from: raw, schema: z.object({ id: t.int() }), key: 'id' })] })
`
const csv = (id: number) => `id\n${id}\n`

/**
 * A folder with links of every kind: 1 to 4 are in it, under one name or several, and 666 is not.
 */
async function folderWithLinks(from: string): Promise<Project> {
  const project = await Project.create({
    'lake.ts': lake(from),
    'in/1.csv': csv(1),
    'in/sub/2.csv': csv(2),
    'in/.store/3.csv': csv(3),
    'in/4.zip': zip({ '4.csv': csv(4) }),
    'out/666.csv': csv(666),
    'out/667.zip': zip({ '667.csv': csv(667) }),
  })
  const link = (to: string, name: string) => symlink(to, join(project.folder, 'in', name))
  await link('1.csv', 'same.csv')
  await link('sub', 'also')
  await link('.store/3.csv', '3.csv')
  await link('.', 'loop')
  await link('../../in', 'sub/loop')
  await link('../out/666.csv', '666.csv')
  await link('../out/667.zip', '667.zip')
  await link('../out', 'outside')
  await link('/etc/passwd', 'passwd.csv')
  await link('nowhere.csv', 'dangling.csv')
  await link('self.csv', 'self.csv')
  return project
}

const ids = (project: Project) =>
  project.query('SELECT id FROM bronze.rows ORDER BY CAST(id AS INT)')
const leaves = (name: string) =>
  new RegExp(`${name.replaceAll('.', '\\.')} is a link to a place outside`)

describe('links in a folder lead to what is in it, each file once, and never out of it', () => {
  it.each([
    ['a folder', "files('in')", [1, 2, 3, 4]],
    ['a glob', "files('in/**/*.{csv,zip}')", [1, 2, 3, 4]],
    ['a glob of names', "files(['in/*.csv', 'in/*.zip', 'in/*/*.csv'])", [1, 2, 3, 4]],
    [
      'a list of files',
      "files(['in/1.csv', 'in/same.csv', 'in/also/2.csv', 'in/3.csv', 'in/4.zip', 'in/666.csv', 'in/667.zip', 'in/passwd.csv', 'in/sub/2.csv'])",
      [1, 2, 3, 4],
    ],
    ['an inbox', "inbox({ path: 'in', settle: '1ms' })", [1, 2, 3, 4]],
  ])('%s', async (_, from, expected) => {
    const project = await folderWithLinks(from)
    const run = await project.run()
    expect(run.outcome).toBe('done')
    expect((await ids(project)).map(({ id }) => Number(id))).toEqual(expected)
    const notes = (step(run, 'bronze.rows').notes ?? []).join('\n')
    for (const name of ['666.csv', '667.zip', 'passwd.csv']) expect(notes).toMatch(leaves(name))
  })

  it('a crawl finds the same', async () => {
    const project = await folderWithLinks("files('in/1.csv')")
    const { code, stdout } = await project.cli('crawl', 'in', '--json')
    expect(code).toBe(0)
    const { tables, notes } = JSON.parse(stdout) as {
      tables: { at: string; rows: number }[]
      notes: string[]
    }
    expect(tables.map(({ at, rows }) => [at, rows])).toEqual([
      ['in/*.csv', 2],
      ['in/4.zip', 1],
      ['in/sub/2.csv', 1],
    ])
    for (const name of ['666.csv', 'outside', 'passwd.csv'])
      expect(notes.join('\n')).toMatch(leaves(name))
    expect(notes).toContain('dangling.csv is a link to nothing')
    expect(notes).toContain('self.csv is a link to itself')
  })

  it('a link that is named by itself and leads out of its folder is an error that says so', async () => {
    const project = await folderWithLinks("files('in/666.csv')")
    const run = await project.run()
    expect(step(run, 'bronze.rows').error).toMatchObject({
      message: expect.stringContaining('There is no file at'),
      hint: 'in/666.csv is a link to a place outside in and is not followed: use the path it points to instead.',
    })
  })

  it('a folder that is reached by a link is the folder that was named', async () => {
    const project = await Project.create({ 'lake.ts': lake("files('now')"), 'v1/1.csv': csv(1) })
    await symlink('v1', join(project.folder, 'now'))
    expect((await project.run()).outcome).toBe('done')
    expect(await ids(project)).toEqual([{ id: '1' }])
  })

  it('many folders with links to each other end', async () => {
    const project = await Project.create({ 'lake.ts': lake("files('in')") })
    const names = Array.from({ length: 12 }, (_, i) => `d${i}`)
    for (const name of names) {
      await mkdir(join(project.folder, 'in', name), { recursive: true })
      await writeFile(join(project.folder, 'in', name, 'x.csv'), csv(1))
    }
    for (const from of names)
      for (const to of names)
        await symlink(`../${to}`, join(project.folder, 'in', from, `to-${to}`))
    const source = (path: string) => ({ ...filesSource([path], {}), base: project.folder })
    const own = names.map((name) => `in/${name}/x.csv`).sort()
    for (const path of ['in', 'in/**/*.csv', 'in/*/*.csv'])
      expect((await discoverFiles(source(path))).map(({ name }) => name)).toEqual(own)
  })
})

describe('a name that is not UTF-8', () => {
  const odd = (folder: string) =>
    Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.from([0xe9]), Buffer.from('.csv')])

  it.each(["files('in')", "files('in/*.csv')"])('is told by %s', async (from) => {
    const project = await Project.create({ 'lake.ts': lake(from), 'in/1.csv': csv(1) })
    await writeFile(odd(join(project.folder, 'in')), csv(2))
    const run = await project.run()
    expect(step(run, 'bronze.rows').notes).toEqual([
      'in/caf\\xE9.csv is skipped because its name is not valid UTF-8: rename it',
    ])
    expect(await ids(project)).toEqual([{ id: '1' }])
    const crawl = await project.cli('crawl', 'in')
    expect(crawl.stdout).toContain('caf\\xE9.csv is skipped')
  })

  it('is spelled by an inbox, and its file is ingested', async () => {
    const project = await Project.create({ 'lake.ts': lake("inbox({ settle: '1ms' })") })
    const folder = join(project.folder, 'lake/bronze/landing/rows')
    await mkdir(folder, { recursive: true })
    await writeFile(odd(folder), csv(1))
    // A file that is called as the other one is spelled.
    await writeFile(join(folder, 'caf\\xE9.csv'), csv(2))
    expect((await project.run()).outcome).toBe('done')
    expect((await project.run()).outcome).toBe('done')
    expect(await ids(project)).toEqual([{ id: '1' }, { id: '2' }])
    expect(await readdir(folder)).toEqual(expect.not.arrayContaining(['caf\\xE9.csv']))
  })
})

it('what is neither a file nor a folder stays in an inbox, is told of, and holds nothing back', async () => {
  const project = await Project.create({ 'lake.ts': lake("inbox({ settle: '1ms' })") })
  const folder = join(project.folder, 'lake/bronze/landing/rows')
  await mkdir(join(folder, 'deep'), { recursive: true })
  execFileSync('mkfifo', [join(folder, 'pipe.csv'), join(folder, 'deep/pipe.csv')])
  const socket = createServer().listen(join(folder, 'socket.csv'))
  onTestFinished(() => void socket.close())
  await new Promise((done) => socket.once('listening', done))
  await writeFile(join(folder, '.DS_Store'), 'x')
  await writeFile(join(folder, 'deep/1.csv'), csv(1))
  const run = await project.run()
  expect(step(run, 'bronze.rows').notes).toEqual([
    'pipe.csv is neither a file nor a folder',
    'socket.csv is neither a file nor a folder',
    'deep/pipe.csv is neither a file nor a folder',
  ])
  expect(await ids(project)).toEqual([{ id: '1' }])
})
