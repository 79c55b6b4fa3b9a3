import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeSealed } from '../../../src/storage/sealed.js'
import { Project } from '../../support/project.js'

const definition = `
import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'
export default defineLake({ name: 'away', datasets: [bronze('rows', { from: files('in') })] })
`

const commands = [
  ['verify'],
  ['verify', '--deep'],
  ['repair'],
  ['repair', '--yes'],
  ['optimize'],
  ['vacuum'],
  ['vacuum', '--delete', '--grace', '0s'],
  ['copy', 'copied'],
]

describe('a lake that is not there', () => {
  it('is no success of a nightly command, whether its folder is gone or an empty mount point', async () => {
    const project = await Project.create({ 'lake.ts': definition, 'in/1.csv': 'id\n1\n' })
    const lake = join(project.folder, 'lake')
    expect((await project.cli('run')).code).toBe(0)
    for (const command of commands) {
      if (command[0] === 'copy') continue
      expect([command, (await project.cli(...command)).code]).toEqual([command, 0])
    }
    await rename(lake, join(project.folder, 'gone'))
    const isRefused = async (command: string[]) => {
      const { code, stdout, stderr } = await project.cli(...command)
      expect([command, code, stdout]).toEqual([command, 1, ''])
      expect(stderr).toContain(`There is no lake at ${lake} yet`)
      expect(stderr).toContain('check that its disk is mounted')
    }
    for (const command of commands) await isRefused(command)
    const json = await project.cli('--json', 'verify')
    expect([json.code, json.stdout]).toEqual([1, expect.stringContaining('There is no lake at')])
    const history = await project.cli('history')
    expect([history.code, history.stdout]).toEqual([
      0,
      `There is no lake at ${lake} yet. Fill the lake with: moraine run\n`,
    ])
    expect((await project.cli('status')).code).toBe(0)
    expect((await project.cli('plan')).code).toBe(0)
    await mkdir(lake)
    await writeFile(join(lake, 'lost+found'), '')
    for (const command of commands) await isRefused(command)
    // A server that waits for rows has said what lies there; there is none the more.
    await mkdir(join(lake, '_moraine'))
    await writeFile(join(lake, '_moraine/lake.json'), encodeSealed({ format: 2, id: 'x' }))
    for (const command of commands.slice(0, 2)) await isRefused(command)
    await rm(join(lake, '_moraine'), { recursive: true })
    // Nothing was written where no lake is.
    expect(await readdir(lake)).toEqual(['lost+found'])
    expect(await readdir(project.folder)).not.toContain('copied')
  })
})

it('tells what is skipped because its name starts with _, and reads it where it is named', async () => {
  const project = await Project.create({
    'lake.ts': definition,
    'in/1.csv': 'id\n1\n',
    'in/_SUCCESS': '',
    'in/_foo.csv': 'id\n2\n',
    'in/__proto__.csv': 'id\n3\n',
    'in/_b/x.csv': 'id\n4\n',
  })
  const note =
    '2 files and 1 folder are skipped because their names start with _: in/__proto__.csv, in/_b/, in/_foo.csv (to read them, give the path to files())'
  const plan = (await project.cli('plan')).stdout
  expect(plan.split(note)).toHaveLength(2)
  const run = (await project.cli('run')).stdout
  expect(run.split(note)).toHaveLength(2)
  const ids = () => project.query('SELECT id FROM bronze.rows ORDER BY id')
  expect(await ids()).toEqual([{ id: '1' }])
  const named = ["'in'", "'in/_*.csv'", "'in/_b'"].join(', ')
  await project.write({ 'lake.ts': definition.replace("files('in')", `files([${named}])`) })
  const all = (await project.cli('run')).stdout
  expect(all).not.toContain('skipped')
  expect(await ids()).toEqual(['1', '2', '3', '4'].map((id) => ({ id })))
  const only = await Project.create({ 'lake.ts': definition, 'in/_foo.csv': 'id\n2\n' })
  const none = await only.cli('run')
  expect(none.stdout + none.stderr).toContain('in/_foo.csv (to read it, give the path to files())')
  await only.write({ 'lake.ts': definition.replace("'in'", "'in/_foo.csv'") })
  const one = (await only.cli('run')).stdout
  expect(one).toContain('✔')
})
