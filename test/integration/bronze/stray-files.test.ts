import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { Landing } from '../../../src/bronze/ingest/landing.js'
import { IngestBuffer } from '../../../src/serve/ingest-buffer.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { Project, step } from '../../support/project.js'
import { Served } from '../../support/served.js'

const lake = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { ingest } from 'moraine/sources'
const events = bronze('events', { from: ingest() })
export default defineLake({ name: 'events', datasets: [silver('events', { from: events, schema: z.object({ id: t.int() }), key: 'id' })] })
`

/** What other programs, people and accidents leave in a folder. */
async function litter(folder: string): Promise<string[]> {
  await mkdir(join(folder, 'nested/deeper'), { recursive: true })
  await writeFile(join(folder, '.DS_Store'), Buffer.from([0, 0, 0, 1, 0x42, 0x75, 0x64, 0x31]))
  await writeFile(join(folder, 'notes.jsonl'), '{"id":666}\n')
  await writeFile(join(folder, '00000-x.jsonl.part'), '{"format":1')
  await writeFile(join(folder, 'nested/deeper/events.jsonl'), '{"id":667}\n')
  await symlink('/etc/passwd', join(folder, '000001735689600-000000-00000000.jsonl'))
  await symlink('nowhere', join(folder, 'dangling'))
  execFileSync('mkfifo', [join(folder, '000001735689600-000001-00000000.jsonl')])
  const socket = createServer().listen(join(folder, '000001735689600-000002-00000000.jsonl'))
  onTestFinished(() => void socket.close())
  await new Promise((done) => socket.once('listening', done))
  return (await readdir(folder)).sort()
}

const post = (url: unknown, body: string) =>
  fetch(`${url}/ingest/events`, { method: 'POST', body }).then(({ status }) => status)

it('what lies in a landing folder and is no landing object keeps neither serve nor runs from working', async () => {
  const project = await Project.create({ 'lake.ts': lake })
  const folder = join(project.folder, 'lake/bronze/landing/events')
  await mkdir(folder, { recursive: true })
  const left = await litter(folder)
  const served = Served.start(project)
  const { url } = await served.line(({ event }) => event === 'listening')
  expect(await post(url, '{"id":1}\n{"id":2}')).toBe(200)
  const told = await served.line(({ event }) => event === 'notes')
  expect(JSON.stringify(told)).toContain('.DS_Store, 00000-x.jsonl.part, notes.jsonl, nested/')
  expect(await served.stop()).toBe(0)
  expect(served.lines.filter(({ event }) => event === 'notes')).toHaveLength(1)
  expect(await post(url, '{"id":3}').catch(() => 0)).toBe(0)
  const buffer = new IngestBuffer(project.storage, 'events', new Map())
  await buffer.accept(['{"id":3}'], undefined)
  const run = await project.run()
  expect(step(run, 'bronze.events').notes).toEqual([
    'bronze/landing/events contains objects that the server did not write; they are ignored: .DS_Store, 00000-x.jsonl.part, notes.jsonl, nested/',
  ])
  expect(await project.query('SELECT id FROM silver.events ORDER BY id')).toEqual(
    [1, 2, 3].map((id) => ({ id })),
  )
  expect((await readdir(folder)).sort()).toEqual(left)
})

it('a landed object that a run ingests between the look and the reading is no failure', async () => {
  const project = await Project.create({ 'lake.ts': lake })
  const landing = new Landing(project.storage, 'events')
  for (let i = 0; i < 20; i++) await landing.write([{ key: `k${i}`, rows: [`{"id":${i}}`] }])
  /** Others remove that many objects each time that the folder was listed. */
  class Emptied extends LocalStorage {
    removed = [10]
    override async entries(prefix: string) {
      const found = await super.entries(prefix)
      for (const { path } of found.slice(0, this.removed.shift() ?? 0)) await super.remove(path)
      return found
    }
  }
  const emptied = new Emptied(project.storage.folder)
  const buffer = new IngestBuffer(emptied, 'events', new Map())
  await buffer.load()
  expect((await buffer.accept(['{"id":19}'], 'k19')).duplicate).toBe(true)
  // A run that finds them gone looks again, and ingests what is there.
  emptied.removed = [0, 5]
  const run = await project.runOn(emptied)
  expect(run.outcome).toBe('done')
  expect(await project.query('SELECT id FROM silver.events ORDER BY id')).toEqual(
    [15, 16, 17, 18, 19].map((id) => ({ id })),
  )
})

it('serve starts while runs ingest thousands of landed objects, and no row is lost or doubled', async () => {
  const project = await Project.create({ 'lake.ts': lake })
  const landing = new Landing(project.storage, 'events')
  const most = 4000
  for (let at = 0; at < most; at += 200)
    await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        landing.write([{ key: `k${at + i}`, rows: [`{"id":${at + i}}`] }]),
      ),
    )
  const runs = [1, 2].map(() => project.cli('run'))
  // Each begins at another moment of the runs.
  for (let i = 0; i < 4; i++) {
    const served = Served.start(project)
    await served.line(({ event }) => event === 'listening')
    expect(await served.stop()).toBe(0)
  }
  for (const { code, stdout, stderr } of await Promise.all(runs)) {
    // Of two that build the same table one is told that the other was faster.
    const failed = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('✖'))
    expect(failed.filter((line) => !/changed the same: table silver/.test(line))).toEqual([])
    expect(code).toBe(failed.length > 0 ? 1 : 0)
  }
  await project.run()
  expect(await project.query('SELECT count(*) AS n FROM bronze.events')).toEqual([
    { n: BigInt(most) },
  ])
})

it('a file that is gone since it was listed is told of, and no failure', async () => {
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'
export default defineLake({ name: 'files', datasets: [bronze('rows', { from: files('in') })] })
`,
    'in/1.csv': 'id\n1\n',
    'in/2.csv': 'id\n2\n',
    'in/sub/3.csv': 'id\n3\n',
  })
  const run = await project.run({
    onEvent: ({ type }) => {
      if (type !== 'step-started') return
      rmSync(join(project.folder, 'in/2.csv'))
      rmSync(join(project.folder, 'in/sub'), { recursive: true })
    },
  })
  expect([run.outcome, step(run, 'bronze.rows').notes]).toEqual([
    'done',
    ['in/2.csv was removed after it was listed', 'in/sub/3.csv was removed after it was listed'],
  ])
  expect(await project.query('SELECT id FROM bronze.rows')).toEqual([{ id: '1' }])
  // It is new when it is there again.
  await project.write({ 'in/2.csv': 'id\n2\n' })
  expect((await project.run()).outcome).toBe('done')
  expect(await project.query('SELECT id FROM bronze.rows ORDER BY id')).toHaveLength(2)
})
