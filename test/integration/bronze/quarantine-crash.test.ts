import { spawn } from 'node:child_process'
import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Landing } from '../../../src/bronze/ingest/landing.js'
import { quarantinedIn } from '../../../src/log/quarantined.js'
import { amount, drawn } from '../../support/effort.js'
import { killed, pointsOf } from '../../support/kills.js'
import { POISON } from '../../support/poison.js'
import { moraine, Project, repository } from '../../support/project.js'

/**
 * A decoder that takes the process with it: whoever writes rows that hold the marker down for the
 * engine is killed.
 */
const crash = `
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
const real = fs.createWriteStream
fs.createWriteStream = ((path: string, ...rest: never[]) => {
  const stream = real(path, ...rest)
  const write = stream.write.bind(stream)
  stream.write = ((chunk: unknown, ...more: never[]) => {
    if (path.endsWith('records') && String(chunk).includes('${POISON}')) process.kill(process.pid, 'SIGKILL')
    return write(chunk as never, ...more)
  }) as never
  return stream
}) as never
syncBuiltinESMExports()
`

const lake = (from: string, before = '') => `${before}
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files, inbox, ingest } from 'moraine/sources'
const raw = bronze('events', { from: ${from} })
const events = silver('events', { from: raw, schema: z.object({ id: t.int(), v: t.int() }), key: 'id' })
export default defineLake({ name: 'shop', datasets: [events] })
`
/** What a definition does to a process is done to that of one command. */
const own = (project: Project, ...args: string[]) => moraine(['-C', project.folder, ...args])
const rows = (project: Project) => project.query('SELECT id, v FROM silver.events ORDER BY id')
const quarantined = async (project: Project) =>
  quarantinedIn(await project.state()).map(({ object }) => object)

const put = {
  'ingest()': async (project: Project, all: object[]) => {
    const requests = all.map((row, i) => ({ key: `k${i}`, rows: [JSON.stringify(row)] }))
    const landing = new Landing(project.storage, 'events')
    await landing.write(requests.slice(0, 7))
    await landing.write(requests.slice(7))
  },
  "inbox({ settle: '1ms' })": async (project: Project, all: object[]) => {
    const folder = join(project.folder, 'lake/bronze/landing/events')
    await mkdir(folder, { recursive: true })
    // As one value, so that it is written down before it is read.
    for (const [i, row] of all.entries())
      await writeFile(join(folder, `${100 + i}.json`), JSON.stringify([row]))
  },
}

it.each(Object.entries(put))(
  'an object that takes the process with it is found: %s',
  async (from, put) => {
    const project = await Project.create({ 'lake.ts': lake(from, crash) })
    const all = Array.from({ length: 20 }, (_, i) => ({ id: i % 10, v: i }))
    await put(
      project,
      all.map((row, i) => (i === 5 || i === 12 ? { ...row, note: POISON } : row)),
    )
    let crashes = 0
    while ((await own(project, 'run')).code !== 0) expect(++crashes).toBeLessThan(12)
    expect(crashes).toBeGreaterThan(0)
    const expected = (without: number[]) =>
      Array.from({ length: 10 }, (_, id) => ({ id, v: without.includes(id + 10) ? id : id + 10 }))
    // The second of its key could not be read: the first stays.
    expect(await rows(project)).toEqual(expected([12]))
    // It is tried again in processes of their own: no run ends of it any more.
    for (let i = 0; i < 3; i++) expect((await own(project, 'run')).code).toBe(0)
    const found = await quarantined(project)
    expect(found).toMatchObject([{ held: true }, { held: true }])
    expect(found[0]?.reason).toContain('ended by SIGKILL')
    const list = await own(project, 'quarantine')
    expect(list.stdout).toContain(found[1]?.id)
    await project.write({ 'lake.ts': lake(from) })
    const retried = await own(project, 'quarantine', 'retry', 'events')
    expect([retried.code, retried.stderr]).toEqual([0, ''])
    expect(await rows(project)).toEqual(expected([]))
    expect(await project.storage.list('_moraine/reading/')).toEqual([])
  },
)

it('kills by somebody put nothing into quarantine for good', async () => {
  const project = await Project.create({ 'lake.ts': lake('ingest()') })
  const landing = new Landing(project.storage, 'events')
  for (let i = 0; i < 60; i++) {
    await landing.write([{ key: `k${i}`, rows: [JSON.stringify({ id: i % 30, v: i })] }])
    if (i % 6 !== 0) continue
    const child = spawn(process.execPath, [
      join(repository, 'bin/moraine.js'),
      ...['-C', project.folder, 'run'],
    ])
    const ended = new Promise((resolve) => child.once('exit', resolve))
    // When its note is there it reads; whatever it is at then, it ends.
    for (let looks = 0; looks < 400 && child.exitCode === null; looks++) {
      if ((await project.storage.list('_moraine/reading/')).length > 0 && i % 4 === 0) break
      await sleep(10)
    }
    child.kill('SIGKILL')
    await ended
  }
  for (let i = 0; i < 4; i++) expect((await own(project, 'run')).code).toBe(0)
  expect(await quarantined(project)).toEqual([])
  expect(await rows(project)).toEqual(Array.from({ length: 30 }, (_, id) => ({ id, v: id + 30 })))
})

it('a file whose reading is killed twice is there after the next whole run', async () => {
  const project = await Project.create({
    'lake.ts': lake("files('in')"),
    'in/a.csv': 'id,v\n1,1\n',
  })
  const root = join(project.folder, 'lake')
  await project.run()
  const before = join(project.folder, 'before')
  await cp(root, before, { recursive: true })
  await project.write({ 'in/b.csv': 'id,v\n2,2\n' })
  const points = await pointsOf(project, root)
  const again = async () => {
    await rm(root, { recursive: true })
    await cp(before, root, { recursive: true })
  }
  // A moment at which it is being read.
  let reading = 0
  for (const at of points.filter((at) => at % 4 === 0)) {
    await again()
    await killed(project, root, `before:${at}`)
    reading = at
    if ((await project.storage.list('_moraine/reading/')).length > 0) break
  }
  for (const at of drawn([...points, ...points.map((p) => p + points.length)], amount(2, 6, 30))) {
    await again()
    await killed(project, root, `before:${reading}`)
    await project.write({ 'in/c.csv': 'id,v\n3,3\n' })
    await killed(project, root, `before:${at}`)
    const { code, stdout } = await own(project, 'run')
    expect([code, stdout]).toEqual([0, expect.not.stringContaining('could not be read')])
    expect(await rows(project)).toEqual([1, 2, 3].map((id) => ({ id, v: id })))
    expect(await quarantined(project)).toEqual([])
    await rm(join(project.folder, 'in/c.csv'))
  }
})

it('on a branch, too, with the source that its environment has', async () => {
  const project = await Project.create({
    'lake.ts': lake("files('in')").replace(
      'datasets: [events]',
      "datasets: [events], environments: { dev: { branch: 'dev', sources: { 'bronze.events': files('dev/*.txt', { format: 'jsonl' }) } } }",
    ),
    'in/a.csv': 'id,v\n1,1\n',
    'dev/a.txt': '{"id":2,"v":2}\n',
  })
  const root = join(project.folder, 'lake')
  const command = ['run', '--env', 'dev']
  await project.run()
  const before = join(project.folder, 'before')
  await cp(root, before, { recursive: true })
  for (const at of (await pointsOf(project, root, { command })).filter((at) => at % 3 === 0)) {
    await rm(root, { recursive: true })
    await cp(before, root, { recursive: true })
    await killed(project, root, `before:${at}`, { command })
    if ((await project.storage.list('_moraine/reading/')).length > 0) break
  }
  expect(await project.storage.list('_moraine/reading/')).toHaveLength(1)
  const { code, stdout } = await own(project, ...command)
  expect([code, stdout]).toEqual([0, expect.not.stringContaining('could not be read')])
  const asked = await own(project, 'query', '--json', '--env', 'dev', 'from silver.events')
  expect(JSON.parse(asked.stdout)).toMatchObject([{ id: 2, v: 2 }])
  expect(await rows(project)).toEqual([{ id: 1, v: 1 }])
})
