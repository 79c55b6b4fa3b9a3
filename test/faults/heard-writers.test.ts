import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { moraine, Project, repository } from '../support/project.js'

const definition = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { inbox } from 'moraine/sources'
const sales = silver('sales', {
  from: bronze('sales', { from: inbox({ settle: '20ms' }), archive: true }), key: 'id', cursor: 'sold_at',
  schema: z.object({ id: t.int(), amount: t.decimal(9, 2), sold_at: t.timestamp() }),
})
const days = gold('days', {
  query: sql\`select cast(sold_at as date) as day, count(*) as n from \${sales} group by 1\`,
})
export default defineLake({ name: 'heard', datasets: [days] })
`

const file = (from: number) =>
  `id,amount,sold_at\n${Array.from({ length: 20 }, (_, i) => `${from + i},1.50,2026-01-0${(i % 9) + 1} 00:00:00`).join('\n')}\n`

const preload = join(repository, 'test/faults/heard-writes.mjs')

/** Runs a command that is watched. */
async function watched(project: Project, args: readonly string[], root = 'lake') {
  const report = join(project.folder, 'heard.txt')
  await writeFile(report, '')
  const ended = await moraine(['-C', project.folder, ...args], {
    NODE_OPTIONS: `--import ${preload}`,
    MORAINE_HEARD: report,
    MORAINE_HEARD_ROOT: join(project.folder, root),
  })
  const lines = (await readFile(report, 'utf8')).split('\n').filter((line) => line !== '')
  expect([args, ended.code, ended.stderr]).toEqual([args, 0, ''])
  return lines
}

it('whatever command writes data, it says before that it is at work, and leaves nothing of that behind', async () => {
  const project = await Project.create({ 'lake.ts': definition })
  const drop = (name: string, from: number) =>
    project.write({ [`lake/bronze/landing/sales/${name}.csv`]: file(from) })
  for (const from of [1, 100, 200]) {
    await drop(`${from}`, from)
    await project.run()
  }
  await drop('late', 300)
  const commands = [
    ['run'],
    ['optimize', '--order-by', 'amount', 'silver.sales'],
    ['discard-batch', 'sales', '2'],
    ['rebuild', 'sales', '--from', 'archive'],
    ['vacuum', '--history', '0s', '--grace', '0s', '--delete'],
  ]
  for (const command of commands) {
    const lines = await watched(project, command)
    expect([command, lines.length > 0]).toEqual([command, true])
    expect([command, lines.filter((line) => line.startsWith('unheard'))]).toEqual([command, []])
  }
  const copied = await watched(project, ['copy', join(project.folder, 'copy')], 'copy')
  expect(copied.length).toBeGreaterThan(0)
  expect(copied.filter((line) => line.startsWith('unheard'))).toEqual([])
  const [data] = (
    await readdir(join(project.folder, 'lake/bronze/sales'), { recursive: true })
  ).filter((name) => name.endsWith('.parquet'))
  await rm(join(project.folder, 'lake/bronze/sales', data as string))
  const repaired = await watched(project, ['repair', '--yes'])
  expect(repaired.length).toBeGreaterThan(0)
  expect(repaired.filter((line) => line.startsWith('unheard'))).toEqual([])
  for (const root of ['lake', 'copy']) {
    const live = join(project.folder, root, '_moraine/live')
    const left = await readdir(live, { recursive: true, withFileTypes: true })
    expect(left.filter((entry) => entry.isFile())).toEqual([])
  }
})

/**
 * Starts a command that is stopped when it is about to write the first data, and waits for that.
 */
async function stoppedWriting(
  project: Project,
  args: readonly string[],
  around: readonly string[] = [],
): Promise<ChildProcess & { goOn(): Promise<unknown> }> {
  const report = join(project.folder, 'heard.txt')
  await rm(report, { force: true })
  const command = [process.execPath, '--import', preload, join(repository, 'bin/moraine.js')]
  const [first = '', ...rest] = [...around, ...command, '-C', project.folder, ...args]
  const env = {
    ...process.env,
    MORAINE_HEARD: report,
    MORAINE_HEARD_ROOT: join(project.folder, 'lake'),
    MORAINE_HEARD_STOP: '1',
  }
  // A group of its own: what is in a container is known here by other process ids.
  const child = spawn(first, rest, { env, stdio: 'ignore', detached: true })
  const signal = (name: NodeJS.Signals) => process.kill(-(child.pid as number), name)
  onTestFinished(() => {
    if (child.exitCode === null && child.signalCode === null) signal('SIGKILL')
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  while (!(await readFile(report, 'utf8').catch(() => ''))) {
    expect(child.exitCode).toBe(null)
    await sleep(20)
  }
  return Object.assign(child, {
    goOn: () => {
      signal('SIGCONT')
      return ended
    },
  })
}

it.runIf(process.platform === 'linux')(
  'vacuum with a grace that is shorter than an optimize that is still at work is refused, and says whose it is',
  async () => {
    const project = await Project.create({ 'lake.ts': definition })
    await project.write({ 'lake/bronze/landing/sales/1.csv': file(1) })
    await project.run()
    const args = ['optimize', '--order-by', 'amount', 'silver.sales']
    const child = await stoppedWriting(project, args)
    const refused = await project.cli('vacuum', '--grace', '0s', '--delete')
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toContain('moraine optimize of')
    expect(refused.stderr).toContain('is still running')
    expect(await child.goOn()).toBe(0)
    expect((await project.cli('vacuum', '--grace', '0s', '--delete')).code).toBe(0)
  },
)

/** Runs a command where process ids are others, under the same host name, as containers do. */
const container = ['unshare', '-rpf', '--mount-proc', 'sh', '-c', '"$@"; exit $?', 'sh']
const canContain = spawnSync(container[0] as string, [...container.slice(1), 'true']).status === 0

it.runIf(canContain)(
  'a container keeps what it works on, though another of the same host name knows no process of its id',
  async () => {
    const project = await Project.create({ 'lake.ts': definition })
    await project.write({ 'lake/bronze/landing/sales/1.csv': file(1) })
    const inside = await stoppedWriting(project, ['run'], container)
    const outside = await project.cli('run')
    expect([outside.code, outside.stderr]).toEqual([0, ''])
    expect(outside.stdout).toContain('no files have arrived')
    const vacuum = await project.cli('vacuum', '--grace', '0s', '--delete')
    expect(vacuum.stderr).toContain('is still running')
    expect(await inside.goOn()).toBe(0)
    expect(await project.query('select count(*) as n from silver.sales')).toEqual([{ n: 20n }])
    // It is killed the next time: what it had claimed is there again once nothing more is heard of
    // it.
    await project.write({ 'lake/bronze/landing/sales/2.csv': file(100) })
    const killed = await stoppedWriting(project, ['run'], container)
    process.kill(-(killed.pid as number), 'SIGKILL')
    const live = join(project.folder, 'lake/_moraine/live')
    const old = new Date(Date.now() - 10 * 60_000)
    for (const entry of await readdir(live, { recursive: true, withFileTypes: true }))
      if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), old, old)
    expect((await project.cli('run')).code).toBe(0)
    expect(await project.query('select count(*) as n from silver.sales')).toEqual([{ n: 40n }])
  },
)
