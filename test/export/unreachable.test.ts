import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { MoraineError } from '../../src/errors.js'
import { dueExports } from '../../src/export/due.js'
import { Lakehouse } from '../../src/load/lakehouse.js'
import { Daemon } from '../../src/serve/daemon.js'
import { InThisThread } from '../../src/step/javascript.js'
import { LocalStorage } from '../../src/storage/local.js'
import type { StoredObject } from '../../src/storage/storage.js'
import { moraine, Project } from '../support/project.js'
import { until } from '../support/until.js'

/** A lake whose one table is exported to a file of DuckDB. */
const exporting = (file: string) => ({
  'lake.ts': `
import { bronze, defineLake, duckdbFile, gold, sql, warehouse } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('one', { from: files('*.csv') })
const daily = gold('daily', { query: sql\`select count(*) as n from \${raw}\` })
export default defineLake({
  name: 'shop',
  datasets: [daily],
  exports: [warehouse(duckdbFile('${file}'), { tables: [daily] })],
})`,
  'one.csv': 'a\n1\n',
})

it('commits the lake where a warehouse is away, and shows no secret of its address', async () => {
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, gold, sql, warehouse } from 'moraine'
import { files, postgres, secret } from 'moraine/sources'
const raw = bronze('one', { from: files('one.csv') })
const daily = gold('daily', { query: sql\`select count(*) as n from \${raw}\` })
const url = secret('env:WAREHOUSE_URL')
export default defineLake({
  name: 'shop',
  datasets: [daily],
  exports: [warehouse(postgres({ url }), { tables: [daily] })],
})`,
    'one.csv': 'a\n1\n',
  })
  const run = (...args: string[]) =>
    moraine(['-C', project.folder, ...args], {
      WAREHOUSE_URL: 'postgres://shop:hidden-pass@127.0.0.1:1/reports',
    })
  const ran = await run('run')
  expect(ran.code).toBe(1)
  expect(ran.stdout).toContain('PostgreSQL at 127.0.0.1:1/reports: connection refused')
  expect((await project.state()).tables['gold.daily']?.rows).toBe(1)
  const all = [ran, await run('plan'), await run('export', '--json'), await run('export', '--full')]
  for (const { stdout, stderr } of all) expect(stdout + stderr).not.toContain('hidden-pass')
  const without = await moraine(['-C', project.folder, 'export'], { WAREHOUSE_URL: '' })
  expect(without.stdout).toContain('The secret env:WAREHOUSE_URL is missing or empty')
})

it('tries again with the next run, though nothing is new, until the warehouse has what it lacked', async () => {
  // A file lies where the folder of its file is to be.
  const files = { ...exporting('blocks/reports.duckdb'), blocks: 'reports' }
  const project = await Project.create(files)
  const first = await project.cli('run')
  expect(first.code).toBe(1)
  expect(first.stdout).toContain('Check the path and its permissions')
  expect(first.stdout).toContain('gold.daily → duckdb: daily  failed')
  // It is still away: a run that has nothing to do fails, too.
  const still = await project.cli('run')
  expect(still.code).toBe(1)
  expect(still.stdout).toContain('gold.daily → duckdb: daily  failed')
  await rm(join(project.folder, 'blocks'))
  const again = await project.cli('run')
  expect(again).toMatchObject({ code: 0 })
  expect(again.stdout).toContain('gold.daily → duckdb: daily  1 row (first export)')
  // It has all: the next run does not ask it.
  const last = await project.cli('run')
  expect(last.code).toBe(0)
  expect(last.stdout).not.toContain('duckdb')
})

/** A storage that does not say which exports are due. */
class Forgetful extends LocalStorage {
  override async list(prefix: string): Promise<StoredObject[]> {
    if (prefix.startsWith('_moraine/exports')) throw new MoraineError('storage', 'access denied')
    return super.list(prefix)
  }
}

it('says so where nobody knows what is due, and the run is what it was', async () => {
  const project = await Project.create(exporting('reports.duckdb'))
  const storage = new Forgetful(join(project.folder, 'lake'))
  const record = await project.runOn(storage)
  expect(record).toMatchObject({
    outcome: 'done',
    exports: [{ dataset: 'gold.daily', outcome: 'failed', reason: 'access denied' }],
  })
  // One that publishes nothing has nothing to say.
  expect((await project.runOn(storage)).exports).toBeUndefined()
})

it('is remembered from the end of the run on, however long others are at it', async () => {
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, duckdbFile, gold, sql, warehouse } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('one', { from: files('*.csv') })
const [a, b] = ['a', 'b'].map((name) => gold(name, { query: sql\`select count(*) as n from \${raw}\` }))
export default defineLake({
  name: 'shop',
  datasets: [a, b],
  exports: [a, b].map((one) => warehouse(duckdbFile(one.name + '.duckdb'), { name: one.name, tables: [one] })),
})`,
    'one.csv': 'a\n1\n',
  })
  const house = Lakehouse.at(join(project.folder, 'lake'))
  const { storage, log } = house
  const lake = await project.load()
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let engines = 0
  const daemon = new Daemon({
    ...{ lake, storage, log, concurrency: 2, sweep: 60_000, onEvent: () => {} },
    javascript: new InThisThread(),
    // The second one is for the first export.
    startEngine: async () => {
      if (++engines === 2) await held
      return house.startEngine({ threads: 1 })
    },
  })
  const [a, b] = lake.datasets.filter(({ tier }) => tier === 'gold')
  if (!a || !b) throw new Error('There are two')
  const runs = [daemon.runNow([a])]
  await until('the first export begins', () => engines === 2)
  runs.push(daemon.runNow([b]))
  const isNoted = async () => (await dueExports(storage)).some((path) => path.includes('/b/'))
  await until('the second export is noted', isNoted)
  release()
  const done = await Promise.all(runs)
  expect(done.flatMap(({ exports = [] }) => exports.map(({ outcome }) => outcome))).toEqual([
    'exported',
    'exported',
  ])
  expect(await dueExports(storage)).toEqual([])
  await daemon.close()
})

it('is left to the next run where a run was stopped, which nobody waits for', async () => {
  const project = await Project.create(exporting('reports.duckdb'))
  const stop = new AbortController()
  const stopped = await project.run({
    signal: stop.signal,
    onEvent: (event) => {
      if (event.type === 'committed' && event.datasets.includes('gold.daily')) stop.abort()
    },
  })
  expect(stopped.outcome).toBe('cancelled')
  expect(stopped.exports).toEqual([])
  const { exports } = await project.run()
  expect(exports).toMatchObject([{ dataset: 'gold.daily', outcome: 'exported' }])
})
