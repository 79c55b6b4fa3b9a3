import { cp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import { Table } from '../../../src/iceberg/table.js'
import { CommitLog } from '../../../src/log/log.js'
import { verifyLake } from '../../../src/log/verify/verify.js'
import { type Repair, repairLake } from '../../../src/maintain/repair/repair.js'
import { vacuum } from '../../../src/maintain/vacuum.js'
import { amount, turn } from '../../support/effort.js'
import { Project } from '../../support/project.js'
import { change, filesOf, flipped, kindOf, lakeOfAllLayers } from '../../support/rot.js'
import { random, seed } from '../../support/seed.js'

/** What a deep look finds without reading values: checksums alone. */
const look = async ({ storage }: Project) =>
  verifyLake(storage, new CommitLog(storage), { deep: async () => [] })

const FLIPS = amount(30, 150, 600)

describe('a bit that flips', () => {
  it('is found wherever it is', async () => {
    const project = await lakeOfAllLayers()
    const files = await filesOf(project)
    const whole = await look(project)
    expect([whole.problems, whole.unchecked]).toEqual([[], 0])
    const next = random(seed + turn)
    const unseen: string[] = []
    for (let i = 0; i < FLIPS; i++) {
      // Each file in turn, so that small ones are hit as often.
      const path = files[i % files.length] as string
      const at = next()
      const undo = await change(project, path, (bytes) => flipped(bytes, at))
      const { damaged } = await look(project)
      if (!damaged.some((found) => found.path === path)) unseen.push(`${path} at ${at}`)
      await undo()
    }
    expect(unseen).toEqual([])
    expect((await look(project)).problems).toEqual([])
  })
})

const TRIALS = amount(4, 24, 90)

const tables = ['silver.orders', 'silver.visits', 'silver.rates', 'gold.daily', 'gold.pages']
const companions = ['discarded.orders', 'discarded.visits', 'history.orders']

/** All rows of all tables, and of bronze as silver would read it. */
const rowsOf = (project: Project) =>
  project.reading(async (rows) => {
    const found: Record<string, unknown> = {}
    for (const name of [...tables, ...companions])
      found[name] = await rows(`SELECT * FROM ${name} ORDER BY ALL`)
    return found
  })

async function repair(project: Project, more: Partial<Parameters<typeof repairLake>[0]> = {}) {
  const engine = await DuckDB.start({ threads: 2 })
  try {
    const { storage } = project
    const lake = await project.load()
    const options = { lake, storage, engine, apply: true, deep: async () => [], author: 'test' }
    return await repairLake({ ...options, ...more })
  } finally {
    await engine.close()
  }
}

describe('a file that is damaged', () => {
  it('is mended with the same rows, or it is said what is lost', async () => {
    const project = await lakeOfAllLayers()
    const lake = join(project.folder, 'lake')
    await cp(lake, join(project.folder, 'whole'), { recursive: true })
    const before = await rowsOf(project)
    const files = await filesOf(project)
    const kinds = [...new Set(files.map(kindOf))].sort()
    const next = random(seed + 1 + turn)
    const pick = <T>(of: readonly T[]) => of[Math.floor(next() * of.length)] as T
    for (let i = 0; i < TRIALS; i++) {
      const kind = kinds[(i + seed + turn * TRIALS) % kinds.length] as string
      const path = pick(files.filter((file) => kindOf(file) === kind))
      const how = pick(['flip', 'scribble', 'cut', 'remove'])
      const at = next()
      if (how === 'remove') await rm(join(lake, path))
      else
        await change(project, path, (bytes) => {
          if (how === 'flip') return flipped(bytes, at)
          const from = Math.floor(at * bytes.length)
          return how === 'cut'
            ? bytes.subarray(0, from)
            : bytes.fill(0x5a, from, Math.min(from + 9, bytes.length))
        })
      const what = `${how} of ${path} at ${at}`
      const dry = await repair(project, { apply: false })
      const done = await repair(project)
      const of = (mends: Repair['mends']) => mends.find((mend) => mend.path === path)?.how
      expect([what, of(done.mends)]).toEqual([what, of(dry.mends)])
      if (how === 'flip' && !/\.parquet$/.test(path))
        expect([what, of(done.mends)]).toEqual([what, 'bytes'])
      // What is lost is said, and nothing is said to be mended that is not.
      const wrong = [...done.left, ...done.earlier].some((problem) => problem.includes(path))
      if (of(done.mends) === 'lost') expect([what, wrong]).toEqual([what, true])
      if (done.left.length > 0) expect([what, of(done.mends)]).toEqual([what, 'lost'])
      // The log itself: nothing is read before it is whole.
      if (!/_moraine.log/.test(path) || done.left.length === 0)
        expect([what, await rowsOf(project).catch((error) => error.message)]).toEqual([
          what,
          // What is lost of a table can't be read; all else is as it was.
          done.left.length === 0 || !/^(silver|gold|discarded|history|deleted)/.test(path)
            ? before
            : expect.anything(),
        ])
      await rm(lake, { recursive: true })
      await cp(join(project.folder, 'whole'), lake, { recursive: true })
    }
  })
})

describe('a damaged file', () => {
  it('is not carried on by what rewrites tables, nor by a copy without a word', async () => {
    const project = await lakeOfAllLayers()
    const before = (await project.state()).number
    const { metadata } = (await project.state()).tables['silver.orders'] as { metadata: string }
    const table = await Table.load(project.storage, metadata)
    const [{ file } = never()] = await table.plan()
    const path = table.pathOf(file.path)
    await change(project, path, (bytes) => flipped(bytes, 0.1))
    const optimized = await project.cli('optimize', 'silver.orders')
    expect([optimized.code, optimized.stderr]).toEqual([
      1,
      expect.stringContaining(`${path} is damaged`),
    ])
    expect((await project.state()).number).toBe(before)
    const copied = await project.cli('copy', 'there')
    expect([copied.code, copied.stdout]).toEqual([1, expect.stringContaining(`${path} is damaged`)])
    // What is wrong there is known there, too.
    const there = await project.cli('--root', join(project.folder, 'there'), 'verify', '--deep')
    expect([there.code, there.stdout]).toEqual([1, expect.stringContaining(`${path} is damaged`)])
  })

  it('is found and mended from the command line, a lost one named with what is lost', async () => {
    const project = await lakeOfAllLayers()
    const state = await project.state()
    const { manifest = '' } = state.batches['bronze.orders']?.[0] ?? {}
    const { files } = JSON.parse(String(await readFile(join(project.folder, 'lake', manifest))))
    const { metadata } = state.tables['gold.pages'] as { metadata: string }
    const scribble = (bytes: Buffer) => bytes.fill(0x5a, 40, 60)
    await change(project, files[0].data, scribble)
    await change(project, metadata, scribble)
    const before = await project.query('select * from silver.orders order by all')
    const json = async (...args: string[]) =>
      JSON.parse((await project.cli(...args, '--json')).stdout)
    const { mends, applied } = (await json('repair')) as Repair
    expect(applied).toBe(false)
    expect(mends.map(({ path, how }) => [path, how])).toEqual([
      [files[0].data, 'made'],
      [metadata, 'made'],
    ])
    expect((await project.state()).number).toBe(state.number)
    const done = await project.cli('repair', '--yes')
    expect([done.code, done.stdout]).toEqual([
      0,
      expect.stringContaining('2 files repaired. No problems are left'),
    ])
    expect((await project.cli('verify', '--head', '--deep')).code).toBe(0)
    expect(await project.query('select * from silver.orders order by all')).toEqual(before)

    // Without what it was made from there is nothing to mend it with.
    const again = (await project.state()).batches['bronze.rates']?.[0]
    const batch = JSON.parse(
      String(await readFile(join(project.folder, 'lake', again?.manifest ?? ''))),
    )
    await change(project, batch.files[0].data, scribble)
    await rm(join(project.folder, 'rates/7.csv'))
    const lost = await project.cli('repair', '--yes')
    expect([lost.code, lost.stdout]).toEqual([
      1,
      expect.stringMatching(
        /rates.7\.csv, which it was read from, no longer exists\. This would lose the 20 rows of batch 1 in bronze\.rates/,
      ),
    ])
    expect(lost.stdout).toContain('moraine discard-batch rates 1')
  })

  it.each(['manifest list', 'manifest of data', 'manifest of deleted rows'])(
    'of a table with lists of deleted rows is mended: its %s',
    async (what) => {
      const project = await lakeOfAllLayers()
      const orders = 'select id, v, amount::varchar as amount from silver.orders order by all'
      const before = await project.query(orders)
      const { metadata } = (await project.state()).tables['silver.orders'] as { metadata: string }
      const table = await Table.load(project.storage, metadata)
      const manifests = await table.manifests()
      const of = (content: number) =>
        manifests.findLast((one) => one.content === content)?.manifest_path
      const location =
        what === 'manifest list'
          ? table.snapshot?.['manifest-list']
          : of(what === 'manifest of data' ? 0 : 1)
      await change(project, table.pathOf(location ?? ''), (bytes) => bytes.fill(0x5a, 40, 60))
      const done = await repair(project)
      expect([done.mends[0]?.how, done.left]).toEqual(['made', []])
      expect(await project.query(orders)).toEqual(before)
      expect((await look(project)).problemsNow).toBe(0)
    },
  )

  it('of earlier commits is let go with them: vacuum says how', async () => {
    const project = await lakeOfAllLayers()
    const { metadata } = (await project.state()).tables['silver.rates'] as { metadata: string }
    await change(project, metadata, (bytes) => bytes.fill(0x5a, 40, 60))
    expect((await repair(project)).left).toEqual([])
    const { storage } = project
    const info = { author: 'test', run: null }
    const options = { grace: -1, remove: true, info }
    await expect(vacuum(new CommitLog(storage), storage, options)).rejects.toMatchObject({
      message: expect.stringMatching(/metadata\.json is damaged: .*; commit \d+ refers to it/),
      hint: expect.stringContaining('--history'),
    })
    await vacuum(new CommitLog(storage), storage, { ...options, history: 0 })
    await vacuum(new CommitLog(storage), storage, options)
  })

  it('is mended beside a run, which loses nothing that it ingests meanwhile', async () => {
    const project = await lakeOfAllLayers()
    const { manifest = '' } = (await project.state()).batches['bronze.visits']?.[0] ?? {}
    const { files } = JSON.parse(String(await readFile(join(project.folder, 'lake', manifest))))
    await change(project, files[0].data, (bytes) => bytes.fill(0x5a, 40, 60))
    const own = await DuckDB.start({ threads: 2 })
    let opened = 0
    const engine = Object.assign(Object.create(own), {
      open: async () => {
        if (opened++ === 0) {
          await project.write({ 'lake/bronze/landing/visits/3.csv': 'page,n\n/late,9\n' })
          await project.run()
        }
        return own.open()
      },
    })
    const done = await repair(project, { engine }).finally(() => own.close())
    expect([opened > 0, done.left]).toEqual([true, []])
    expect(done.mends).toMatchObject([{ path: files[0].data, how: 'made' }])
    expect((await project.state()).batches['bronze.visits']).toHaveLength(3)
    expect((await project.run()).outcome).toBe('done')
    const late = "select count(*)::int as n from silver.visits where page = '/late'"
    expect(await project.query(late)).toEqual([{ n: 1 }])
  })

  it('that says which files a batch has is given up as it is told, and what is there comes again', async () => {
    const project = await lakeOfAllLayers()
    const { manifest = '' } = (await project.state()).batches['bronze.rates']?.[0] ?? {}
    const rates = 'select currency, rate from silver.rates order by all'
    const before = await project.query(rates)
    await change(project, manifest, (bytes) => bytes.fill(0x5a, 40, 60))
    const lost = await project.cli('repair', '--yes')
    expect([lost.code, lost.stdout]).toEqual([
      1,
      expect.stringContaining('moraine discard-batch rates 1'),
    ])
    const gone = await project.cli('discard-batch', 'rates', '1')
    expect([gone.code, gone.stderr]).toEqual([0, ''])
    expect(gone.stdout).toContain('ingests those that still exist again')
    expect((await project.cli('verify', '--head', '--deep')).code).toBe(0)
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query(rates)).toEqual(before)
  })

  it('of the log is given up only when that is asked for', async () => {
    const project = await lakeOfAllLayers()
    const { number } = await project.state()
    const last = `_moraine/log/main/${String(number).padStart(20, '0')}.json`
    await rm(join(project.folder, 'lake', last))
    const refused = await repair(project)
    expect(refused.mends).toMatchObject([{ path: last, how: 'lost' }])
    expect(refused.mends[0]?.text).toContain('moraine repair --allow-loss')
    await expect(project.state()).rejects.toThrow('is missing')
    const given = await repair(project, { allowLoss: true })
    expect([given.mends[0]?.how, given.left]).toEqual(['made', []])
    expect((await project.state()).number).toBe(number - 1)
    expect((await project.run({ rewriteUpTo: 0 })).outcome).toBe('done')
  })
})

describe('a lake without checksums', () => {
  it('says how many files have none, and gets them when it is asked for or as files are rewritten', async () => {
    const project = await Project.create({
      'lake.ts': `
        import { bronze, defineLake, silver, t, z } from 'moraine'
        import { files } from 'moraine/sources'
        const items = silver('items', { from: bronze('items', { from: files('in/*.csv') }), schema: z.object({ id: t.int() }) })
        export default defineLake({ name: 'shop', datasets: [items] })`,
      'in/1.csv': 'id\n1\n2\n',
    })
    await project.run()
    // As an earlier version has left them: nothing in the log says what metadata and manifests
    // were.
    const state = await project.state()
    const tables = Object.fromEntries(
      Object.entries(state.tables).map(([name, { sha256: _, ...table }]) => [name, table]),
    )
    const batches = (state.batches['bronze.items'] ?? []).map(({ sha256: _, ...batch }) => batch)
    await project.commit({ tables, batches, cut: { 'bronze.items': 0 } })
    const before = (await project.cli('verify', '--deep', '--head')).stdout
    expect(before).toContain('3 files have no checksum: another engine or an earlier version')
    expect((await project.cli('verify', '--record')).code).toBe(2)
    const recorded = (await project.cli('verify', '--deep', '--head', '--record')).stdout
    expect(recorded).toContain('3 files had no checksum: their current SHA-256 is now recorded')
    expect((await project.cli('verify', '--deep', '--head')).stdout).not.toContain('no checksum')
    const { metadata = '' } = tables['silver.items'] ?? {}
    await change(project, metadata, (bytes) => flipped(bytes, 0.5))
    expect((await project.cli('verify', '--deep', '--head')).stdout).toContain(
      `${metadata} is damaged`,
    )
    expect((await project.cli('repair', '--yes')).stdout).toContain('correcting one flipped bit')
  })
})

function never(): never {
  throw new Error('there is none')
}
