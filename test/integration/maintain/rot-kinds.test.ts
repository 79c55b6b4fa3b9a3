import { readFile, rename, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Landing } from '../../../src/bronze/ingest/landing.js'
import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import { SqlError } from '../../../src/engine/sql-error.js'
import { MoraineError } from '../../../src/errors.js'
import { CommitLog } from '../../../src/log/log.js'
import type { ReadDeep } from '../../../src/log/verify/damage.js'
import { verifyLake } from '../../../src/log/verify/verify.js'
import { repairLake } from '../../../src/maintain/repair/repair.js'
import { sha256 } from '../../../src/storage/checksum.js'
import type { Storage } from '../../../src/storage/storage.js'
import { amount, turn } from '../../support/effort.js'
import { Project } from '../../support/project.js'
import { change, filesOf, flipped, kindOf, lakeOfAllKinds } from '../../support/rot.js'
import { random, seed } from '../../support/seed.js'

const look = (storage: Storage, deep: ReadDeep = async () => []) =>
  verifyLake(storage, new CommitLog(storage), { deep })

/** What is in a lake and has no checksum that is looked at, with why a flip there does no harm. */
const HARMLESS: Record<string, string> = {
  '_moraine/paused.json': 'only its name is read: whether there is one',
}

const KINDS = [
  ...['log', 'catalog', 'checksums', 'leases', 'live', 'paused', 'reading'].map(
    (of) => `_moraine/${of}.json`,
  ),
  ...['_moraine/checkpoints.head', 'fork', 'landed', 'quarantined', 'raw original'],
  ...['archive .csv', 'archive .json', 'bronze manifest', 'bronze .parquet'],
  ...['start', 'end', 'steps', 'profile'].map((of) => `${of} of a run`),
  ...['silver', 'gold', 'discarded', 'history', 'deleted', 'tombstones'].flatMap((tier) =>
    ['.parquet', 'manifest', 'manifest list', 'metadata'].map((of) => `${tier} ${of}`),
  ),
  ...['silver deletes', 'history deletes'],
]

describe('a bit that flips', () => {
  it('is found in each kind of file that a lake has', async () => {
    const project = await lakeOfAllKinds()
    const files = await filesOf(project)
    const kinds = new Map<string, string[]>()
    for (const path of files) kinds.set(kindOf(path), [...(kinds.get(kindOf(path)) ?? []), path])
    // Each kind is there: a lake that has none of it would prove nothing.
    expect([...kinds.keys()]).toEqual(expect.arrayContaining(KINDS))
    expect((await look(project.storage)).problems).toEqual([])
    const next = random(seed + 2 + turn)
    const unseen: string[] = []
    for (const [kind, of] of kinds)
      for (let i = 0; i < amount(1, 3); i++) {
        const path = of[Math.floor(next() * of.length)] as string
        const at = next()
        const undo = await change(project, path, (bytes) => flipped(bytes, at))
        const { damaged } = await look(project.storage)
        if (!damaged.some((found) => found.path === path) && !HARMLESS[kind])
          unseen.push(`${path} at ${at}`)
        await undo()
      }
    expect(unseen).toEqual([])
  })
})

const never = (): never => {
  throw new Error('there is none')
}

const definition = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { ingest } from 'moraine/sources'
const clicks = silver('clicks', { from: bronze('clicks', { from: ingest() }), schema: z.object({ n: t.int() }) })
export default defineLake({ name: 'shop', datasets: [clicks] })`

describe('a request that was answered and waits', () => {
  const clicks = 'select n from silver.clicks order by n'

  it('is brought back where one bit of it flipped, and said', async () => {
    const project = await Project.create({ 'lake.ts': definition })
    const landing = new Landing(project.storage, 'clicks')
    await landing.write([{ key: 'a', rows: ['{"n":1}', '{"n":2}'] }])
    const [{ path } = never()] = await landing.list()
    await change(project, path, (bytes) => {
      // What was a 2 would be a 3.
      bytes[bytes.length - 3] = (bytes[bytes.length - 3] as number) ^ 1
      return bytes
    })
    expect((await look(project.storage)).damaged).toMatchObject([{ path, is: 'damaged' }])
    const { stdout } = await project.cli('run')
    expect(stdout).toContain('had flipped')
    expect(await project.query(clicks)).toEqual([{ n: 1 }, { n: 2 }])
  })

  it('that is damaged becomes no row: it is told, set aside, and holds nothing back', async () => {
    const project = await Project.create({ 'lake.ts': definition })
    const landing = new Landing(project.storage, 'clicks')
    await landing.write([{ key: 'a', rows: ['{"n":1}', '{"n":2}'] }])
    const [{ path } = never()] = await landing.list()
    await change(project, path, (bytes) => {
      // Both rows are still JSON.
      bytes[bytes.length - 3] = 0x37
      bytes[bytes.length - 11] = 0x38
      return bytes
    })
    const looked = await project.cli('repair')
    expect([looked.code, looked.stdout]).toEqual([
      1,
      expect.stringMatching(
        /bronze.landing.clicks.* is damaged[\s\S]*lost unless they are sent again/,
      ),
    ])
    await landing.write([{ key: 'b', rows: ['{"n":3}'] }])
    const run = await project.cli('run')
    expect([run.code, run.stdout]).toEqual([0, expect.stringContaining('it is in quarantine')])
    expect(await project.query(clicks)).toEqual([{ n: 3 }])
    const { stdout } = await project.cli('quarantine')
    expect(stdout).toContain('its SHA-256 does not match')
  })

  it('of an earlier version has no checksum, and is read', async () => {
    const project = await Project.create({
      'lake.ts': definition,
      'lake/bronze/landing/clicks/000001700000000-000001-0a0b0c0d.jsonl':
        '{"format":1,"requests":[{"key":"a","rows":2}]}\n{"n":1}\n{"n":2}\n',
    })
    expect((await look(project.storage)).problems).toEqual([])
    await project.run()
    expect(await project.query(clicks)).toEqual([{ n: 1 }, { n: 2 }])
  })
})

/** A storage that can't read some objects at this moment. */
function failing(inner: Storage, isBad: (path: string) => boolean, retryable: boolean): Storage {
  const message = retryable ? 'read ECONNRESET' : 'EACCES: permission denied'
  return new Proxy(inner, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (!['read', 'readIfPresent', 'stat', 'digest'].includes(String(name))) return value
      return async (path: string) => {
        if (isBad(path))
          throw new MoraineError('storage', `Can't read ${path}: ${message}`, { retryable })
        return Reflect.apply(value, target, [path])
      }
    },
  })
}

describe('a file that can not be read at this moment', () => {
  it('is not lost nor damaged, and nothing is put in its place', async () => {
    const project = await lakeOfAllKinds()
    const files = await filesOf(project)
    const kinds = [...new Set(files.map(kindOf))].filter((kind) => !HARMLESS[kind])
    const next = random(seed + 3)
    const lake = await project.load()
    const engine = await DuckDB.start({ threads: 2 })
    const sums = async () => {
      // Signs of life come by the clock.
      const all = (await filesOf(project)).filter((path) => !path.includes('/live/'))
      const root = join(project.folder, 'lake')
      return Promise.all(all.map(async (path) => [path, sha256(await readFile(join(root, path)))]))
    }
    const before = await sums()
    const wrong: string[] = []
    for (const [i, kind] of kinds.entries()) {
      const of = files.filter((path) => kindOf(path) === kind)
      const path = of[Math.floor(next() * of.length)] as string
      const storage = failing(project.storage, (one) => one === path, i % 2 === 0)
      const options = { lake, storage, engine, apply: true, author: 'test' }
      const done = await repairLake({ ...options, deep: async () => [] }).catch((error) => error)
      // Where the log itself can't be read the whole command says so.
      if (done instanceof MoraineError) {
        if (!/Can't read/.test(done.message)) wrong.push(`${path}: ${done.message}`)
        continue
      }
      if (done.mends.length > 0) wrong.push(`${path}: ${JSON.stringify(done.mends)}`)
      if (!JSON.stringify(done.unread).includes(path)) wrong.push(`${path} is not told of`)
    }
    await engine.close()
    expect(wrong).toEqual([])
    expect(await sums()).toEqual(before)
  })

  it('is told so when only the engine fails on it', async () => {
    const project = await lakeOfAllKinds()
    const broken: ReadDeep = async () => {
      throw new SqlError(
        'from x',
        new Error('IO Error: Could not read from file: Input/output error'),
      )
    }
    const { damaged, unread, problems } = await look(project.storage, broken)
    expect(damaged).toEqual([])
    expect(unread.length).toBeGreaterThan(5)
    expect(problems[0]).toMatch(/could not be read: IO Error.*; try again/)
  })

  it('of the user is no reason to say that rows are lost', async () => {
    const project = await lakeOfAllKinds()
    const { manifest = '' } = (await project.state()).batches['bronze.orders']?.[0] ?? {}
    const { files } = JSON.parse(String(await readFile(join(project.folder, 'lake', manifest))))
    const { path } = files[0].original
    await change(project, path, (bytes) => bytes.fill(0x5a, 40, 60))
    // A link that leads to itself can't be opened, and nobody knows what is there.
    await rename(join(project.folder, 'in'), join(project.folder, 'elsewhere'))
    await symlink('in', join(project.folder, 'in'))
    const engine = await DuckDB.start({ threads: 2 })
    const { storage } = project
    const lake = await project.load()
    const options = { lake, storage, engine, apply: true, author: 'test' }
    const done = await repairLake({ ...options, deep: async () => [] })
    await engine.close()
    expect(done.mends).toMatchObject([{ path, how: 'unread' }])
  })
})
