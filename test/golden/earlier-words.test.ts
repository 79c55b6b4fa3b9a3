import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Checkpoints } from '../../src/log/checkpoints.js'
import type { Changes, LakeState } from '../../src/log/commit.js'
import { CommitLog } from '../../src/log/log.js'
import { Journal } from '../../src/step/journal.js'
import { MemoryStorage } from '../../src/storage/memory.js'
import { Project, repository, step, temporaryFolder } from '../support/project.js'
import { seed } from '../support/seed.js'

/*
 * A lake, and the log of the program that made it, from before commits, manifests and steps were
 * written in the words of now (ADR 86): see earlier-words/README.md.
 */

const folder = join(repository, 'test/golden/earlier-words')

interface Program {
  CommitLog: typeof CommitLog
  Journal: new (
    storage: MemoryStorage,
  ) => Pick<Journal, 'begin' | 'resumable'> & { keep: Journal['checkpoint'] }
}

/** The program of before: what it reads, refuses and writes is what it did then. */
async function earlierProgram(): Promise<Program> {
  const place = await temporaryFolder()
  mkdirSync(join(place, 'dist/log'), { recursive: true })
  writeFileSync(join(place, 'package.json'), '{"version":"0.1.0","type":"module"}')
  const code = gunzipSync(readFileSync(join(folder, 'program.mjs.gz')))
  writeFileSync(join(place, 'dist/log/program.mjs'), code)
  return import(join(place, 'dist/log/program.mjs'))
}

async function open(): Promise<Project> {
  const project = await Project.create({})
  cpSync(folder, project.folder, { recursive: true })
  execFileSync('tar', ['-xzf', 'lake.tar.gz'], { cwd: project.folder })
  return project
}

const sales = (project: Project, at?: number) =>
  project.query('select id, cast(amount as varchar) as amount from silver.sales order by id', at)
const visits = async (project: Project, at?: number) =>
  (await project.query('select count(*) as n, sum(pages) as pages from silver.visits', at))[0]
const days = async (project: Project) =>
  (await project.query('select day, visits, pages from gold.days order by day')).length
const stock = (project: Project) =>
  project.query('select item, pieces from silver.stock order by item')
const history = async (project: Project) =>
  (await project.query('select count(*) as n, count(valid_to) as past from history.sales'))[0]

async function whole(project: Project): Promise<void> {
  const { code, stdout } = await project.cli('verify', '--deep')
  expect(code, stdout).toBe(0)
}

const now = [
  { id: 2, amount: '25.00' },
  { id: 4, amount: '40.00' },
]
const then = [{ id: 1, amount: '10.00' }, { id: 2, amount: '20.50' }, now[1]]
const kept = { n: 30n, pages: 2295n }
const all = { n: 40n, pages: 2460n }

/** Words that nothing of now writes. */
const earlier = /"(forget|whole|lasting|driving|raw|keep|same|inexact|sound|said|ended\.\w+)":/

describe('a lake of the earlier words', () => {
  it('is read and checked as it is', async () => {
    const project = await open()
    expect(await sales(project)).toEqual(now)
    expect(await visits(project)).toEqual(kept)
    expect(await visits(project, 5)).toEqual(all)
    // Days whose visits are gone stay.
    expect(await days(project)).toBe(8)
    expect(await stock(project)).toEqual([
      { item: 'bolt', pieces: 6 },
      { item: 'nut', pieces: 7 },
    ])
    expect(await history(project)).toEqual({ n: 5n, past: 3n })
    expect(await project.query('select count(*) as n from discarded.sales')).toEqual([{ n: 1n }])
    // What came as `+21` is not what its value gives back: its text stands in the column of before.
    expect(
      await project.query("select pages from bronze.visits where pages in ('+21', '090')"),
    ).toEqual([{ pages: '+21' }, { pages: '090' }])
    await whole(project)
  })

  it('goes on: nothing is built again, and what is new is written in the words of now', async () => {
    const project = await open()
    const { number } = await project.state()
    const again = await project.run({ valuesFrom: 1 })
    expect(again.steps.map(({ outcome }) => outcome)).toEqual(again.steps.map(() => 'unchanged'))
    const since = (await new CommitLog(project.storage).latest(20)).filter((c) => c.number > number)
    expect(since.flatMap(({ changes }) => Object.keys(changes.tables ?? {}))).toEqual([])
    await project.write({
      'lake/bronze/landing/sales/3.csv':
        // A sale from before its key was gone, and a new one.
        'id,amount,sold_at,op\n1,11.00,2026-01-02 08:00:00,\n7,70.00,2026-02-01 00:00:00,\n',
      'stock/3.csv': 'item,pieces\nnut,1\n',
      'visits/2.csv': 'id,pages,seen_at\n50,1,2026-01-01 09:00:00\n51,1,2010-01-01 09:00:00\n',
    })
    const run = await project.run({ valuesFrom: 1 })
    expect(run.outcome, JSON.stringify(run.steps)).toBe('done')
    expect(step(run, 'silver.visits').reason).not.toContain('all')
    expect(await sales(project)).toEqual([...now, { id: 7, amount: '70.00' }])
    expect(await history(project)).toEqual({ n: 7n, past: 4n })
    expect(await stock(project)).toEqual([{ item: 'nut', pieces: 1 }])
    expect(await visits(project)).toEqual({ n: 31n, pages: 2296n })
    expect(await days(project)).toBe(8)
    await whole(project)
    const log = new CommitLog(project.storage)
    for (let n = number + 1; n <= (await log.head()).number; n++) {
      const path = `_moraine/log/main/${String(n).padStart(20, '0')}.json`
      const text = new TextDecoder().decode(await project.storage.read(path))
      expect(text).not.toMatch(earlier)
      expect(JSON.parse(text).features).toHaveProperty('plain-words')
      for (const { manifest } of JSON.parse(text).changes.batches ?? [])
        expect(new TextDecoder().decode(await project.storage.read(manifest))).not.toMatch(earlier)
    }
    // Batches that were read expire once they are older than a second, as before.
    await sleep(1100)
    await project.run({ valuesFrom: 1 })
    expect((await project.state()).expired).toEqual({ 'bronze.sales': 3 })
  })

  it('goes back, and forward again, over both words', async () => {
    const project = await open()
    await project.write({
      'lake/bronze/landing/sales/3.csv': 'id,amount,sold_at,op\n7,70.00,2026-02-01 00:00:00,\n',
    })
    const { number } = await project.state()
    expect((await project.run({ valuesFrom: 1 })).outcome).toBe('done')
    for (const [to, rows, of] of [
      [5, then, all],
      [number, now, kept],
      [10, now, all],
    ] as const) {
      expect((await project.cli('rollback', '--to', String(to))).code).toBe(0)
      expect(await sales(project)).toEqual(rows)
      expect(await visits(project)).toEqual(of)
      await whole(project)
    }
    const last = await project.run({ valuesFrom: 1 })
    expect(last.outcome, JSON.stringify(last.error)).toBe('done')
    expect(await sales(project)).toEqual([...now, { id: 7, amount: '70.00' }])
    expect(await visits(project)).toEqual(kept)
    // Days whose visits have gone once more stay.
    expect(await days(project)).toBe(8)
    await whole(project)
  })

  it('brings its batches back from the archive that the earlier version wrote', async () => {
    const project = await open()
    const { code, stdout, stderr } = await project.cli('rebuild', 'sales', '--from', 'archive')
    expect(code, stdout + stderr).toBe(0)
    expect(stdout).toContain('7 rows of 2 files in 2 batches')
    // Without those that a rollback brought back a second time.
    expect(stdout).toContain('7 rows in = 2 kept + 1 discarded + 3 superseded + 1 deletion')
    await whole(project)
  })

  it('says nothing of where and by whom it was made', () => {
    const bytes = execFileSync('tar', ['-xzOf', join(folder, 'lake.tar.gz')])
    expect(bytes.includes(Buffer.from('file:///data/shop/lake'))).toBe(true)
  })
})

describe('a program of before', () => {
  it("refuses by name what it can not read, and its commits are in nobody's way", async () => {
    const project = await open()
    const { storage } = project
    const program = await earlierProgram()
    const before = new program.CommitLog(storage)
    const base = await before.head()
    const info = { author: 'ada', run: null, message: 'meanwhile' }
    await project.commit({ offsets: { 'gold.x': { 'silver.x': 'v1' } } })
    const refused = {
      kind: 'version',
      message: `Commit ${base.number + 1} uses plain-words, which this version of Moraine (0.1.0) can't read`,
      hint: expect.stringContaining(`moraine query --at ${base.number}`),
    }
    // It was under way when the new one wrote its first commit.
    await expect(
      before.commit(base, { watermarks: { 'bronze.x': 1 } }, info),
    ).rejects.toMatchObject(refused)
    await expect(new program.CommitLog(storage).head()).rejects.toMatchObject(refused)
    expect((await new program.CommitLog(storage).visibleAt(base.number)).tables).toEqual(
      base.tables,
    )
    expect((await project.state()).number).toBe(base.number + 1)
  })

  it('does not begin at a checkpoint that it can not read', async () => {
    const storage = new MemoryStorage()
    const program = await earlierProgram()
    const effects = { now: () => new Date(), id: () => crypto.randomUUID(), pause: async () => {} }
    const log = new CommitLog(storage, 'main', { ...effects, interval: 1 })
    const info = { author: 'ada', run: null, message: 'test' }
    for (let i = 1; i <= 3; i++)
      await log.commit(await log.head(), { offsets: { a: { b: i } } }, info)
    expect((await new Checkpoints(storage, 'main').known()).checkpoints.length).toBeGreaterThan(0)
    await expect(new program.CommitLog(storage).head()).rejects.toMatchObject({
      kind: 'version',
      message: expect.stringContaining('Commit 1 uses plain-words'),
    })
  })

  it('leaves a step behind when it is stopped, from which the next run goes on', async () => {
    const storage = new MemoryStorage()
    const program = await earlierProgram()
    const own = { metadata: 'm', definition: {}, rows: 1, bytes: 1, files: 1 }
    const tables = {
      'silver.a': { ...own, raw: ['id'], keep: { by: 'at', until: '2026-01-01T00:00:00.000Z' } },
      'ended.a': own,
    }
    const run = '20260101T000000000Z-aaaaaa'
    const journal = new program.Journal(storage)
    await journal.begin(run, '2026-01-01T00:00:00.000Z')
    await journal.keep(run, 'silver.a', { work: 'abc', tables: tables as never, result: {} })
    expect((await new Journal(storage).resumable('abc'))?.tables).toEqual({
      'silver.a': {
        ...own,
        inputColumns: ['id'],
        retention: { column: 'at', expiredBefore: '2026-01-01T00:00:00.000Z' },
      },
      'tombstones.a': own,
    })
    // And not the other way round: what a new one left is none of its own.
    await new Journal(storage).checkpoint(run, 'silver.b', { work: 'def', tables: {}, result: {} })
    expect(await new program.Journal(storage).resumable('def')).toBeUndefined()
    expect(await new Journal(storage).resumable('def')).toBeDefined()
  })
})

/** The same changes in the words of before, and of now. */
const twice = fc
  .record({ name: fc.constantFrom('a', 'b'), n: fc.nat(9), what: fc.nat(6) })
  .map(({ name, n, what }): { before: object; now: Changes } => {
    const own = { metadata: `v${n}`, definition: { query: 'x' }, rows: n, bytes: n, files: 1 }
    const batch = { dataset: `bronze.${name}`, number: 0, batch: '', manifest: `m${n}`, rows: n }
    const table = (is: object, was: object, tier = 'silver') => ({
      before: { tables: { [`${tier}.${name}`]: { ...own, ...was } } },
      now: { tables: { [`${tier}.${name}`]: { ...own, ...is } } } as Changes,
    })
    const choices = [
      table({ inputColumns: ['id'], counts: { in: n } }, { raw: ['id'], counts: { in: n } }),
      table(
        { retention: { column: 'at', oldest: `${n}`, expiredBefore: 't' } },
        { keep: { by: 'at', oldest: `${n}`, until: 't' } },
      ),
      table(
        { sameRowsAs: ['x'], drivingInputs: ['y'], expiringInputs: ['z'] },
        { same: ['x'], driving: ['y'], lasting: ['z'] },
        'gold',
      ),
      {
        before: { tables: { [`ended.${name}`]: n === 0 ? null : own } },
        now: { tables: { [`tombstones.${name}`]: n === 0 ? null : own } },
      },
      {
        before: { batches: [{ ...batch, bytes: 1, whole: true, names: [['a', 0]] }] },
        now: { batches: [{ ...batch, bytes: 1, fullExtract: true, collidingNames: [['a', 0]] }] },
      },
      { before: { forget: { [`bronze.${name}`]: n } }, now: { expire: { [`bronze.${name}`]: n } } },
      {
        before: {
          watermarks: { x: { reads: 'h', taken: ['1'], laid: n }, y: { taken: n, same: n } },
        },
        now: {
          watermarks: {
            x: { reads: 'h', knownRows: ['1'], feedCommits: n },
            y: { taken: n, same: n },
          },
        },
      },
    ]
    return choices[what] as { before: object; now: Changes }
  })

it('commits say the same in both words, and so do checkpoints, wherever the words change', async () => {
  const program = await earlierProgram()
  const info = { author: 'ada', run: null, message: 'test' }
  const effects = (interval: number) => ({
    now: () => new Date('2026-01-01T00:00:00Z'),
    id: () => crypto.randomUUID(),
    pause: async () => {},
    interval,
  })
  const shown = ({ hash: _, features: __, ...state }: LakeState) => JSON.stringify(state)
  await fc.assert(
    fc.asyncProperty(
      fc.array(twice, { minLength: 1, maxLength: 12 }),
      fc.nat(12),
      fc.constantFrom(1, 3),
      async (all, upgrade, interval) => {
        const [mixed, plain] = [new MemoryStorage(), new MemoryStorage()]
        const own = new CommitLog(plain, 'main', effects(interval))
        for (const [i, { before, now }] of all.entries()) {
          const Log = i < upgrade ? program.CommitLog : CommitLog
          const log = new Log(mixed, 'main', effects(interval))
          await log.commit(await log.head(), (i < upgrade ? before : now) as Changes, info)
          await own.commit(await own.head(), now, info)
        }
        const expected = await own.head()
        const state = await new CommitLog(mixed).head()
        expect(shown(state)).toBe(shown(expected))
        const checkpoints = new Checkpoints(mixed, 'main')
        for (const number of (await checkpoints.known()).checkpoints) {
          const folded = await new CommitLog(mixed).stateAt(number)
          expect(await checkpoints.isOf(folded), `checkpoint ${number}`).toBe(true)
          expect(shown(await checkpoints.read(number))).toBe(shown(await own.stateAt(number)))
        }
        for (let n = 1; n <= all.length; n++) {
          await new CommitLog(mixed, 'main', effects(interval)).rollback(n, info, true)
          await own.rollback(n, info, true)
          expect(shown(await new CommitLog(mixed).head())).toBe(shown(await own.head()))
        }
      },
    ),
    { seed, numRuns: 60 },
  )
})
