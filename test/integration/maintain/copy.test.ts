import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import { copyLake } from '../../../src/maintain/copy.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { moraine, Project, temporaryFolder } from '../../support/project.js'

const lake = `
import { bronze, defineLake, gold, month, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in'), format: 'raw' }),
  schema: z.object({ id: t.int(), day: t.date(), amount: t.decimal(10, 2).min(0) }),
  key: 'id', partitionBy: [month('day')],
})
const daily = gold('daily', { query: sql\`select day, sum(amount) as amount from \${orders} group by day\`, incremental: { by: 'day' } })
export default defineLake({ name: 'orders', datasets: [daily] })
`

const csv = (from: number, to: number) =>
  `id,day,amount\n${Array.from({ length: to - from }, (_, i) => `${from + i},2026-0${(i % 3) + 1}-01,${i % 50 === 7 ? '-1' : i}`).join('\n')}\n`

/** A lake with rows that are deleted by lists of positions. */
async function filled(): Promise<Project> {
  const project = await Project.create({ 'lake.ts': lake, 'in/a.csv': csv(0, 3000) })
  await project.run({ rewriteUpTo: 0 })
  await project.write({ 'in/b.csv': csv(10, 40) })
  await project.run({ rewriteUpTo: 0 })
  return project
}

const answers = [
  'SELECT count(*) AS n, sum(amount) AS s FROM silver.orders',
  'SELECT * FROM gold.daily ORDER BY day',
  'SELECT count(*) AS n FROM discarded.orders',
  'SELECT count(*) AS n FROM bronze.orders',
]

interface Backup {
  project: Project
  /** A project with the copy as its lake; its paths are longer. */
  there: Project
  /** Brings the copy up to date; says whether it was stopped before its end. */
  copy: (steps?: number) => Promise<boolean>
}

async function backedUp(use: (backup: Backup) => Promise<void>): Promise<void> {
  const project = await filled()
  const there = Project.at(join(await temporaryFolder(), 'a-backup-of-the-shop'))
  const engine = await DuckDB.start({ threads: 2 })
  const copy = async (steps = Number.POSITIVE_INFINITY) => {
    const stop = new AbortController()
    let left = steps
    const copying = copyLake(
      project.storage,
      there.storage,
      await engine.open(),
      stop.signal,
      () => {
        left--
        if (left <= 0) stop.abort()
      },
    )
    return copying.then(
      () => false,
      (error) => {
        if (stop.signal.aborted) return true
        throw error
      },
    )
  }
  try {
    expect(await copy()).toBe(false)
    await use({ project, there, copy })
    const root = join(there.folder, 'lake')
    const verified = await project.cli('--root', root, 'verify', '--deep')
    expect([verified.stdout, verified.code]).toEqual([
      expect.stringContaining('All values could be read'),
      0,
    ])
  } finally {
    await engine.close()
  }
}

const toldBy = (project: Project) =>
  project.reading(async (rows) => [
    await rows(answers[0] as string),
    await rows('SELECT count(*) AS n, count(DISTINCT id) AS keys FROM silver.orders'),
  ])

describe('a copy that is brought up to date', () => {
  it('answers as before until it is whole again, wherever that is stopped', () =>
    backedUp(async ({ project, there, copy }) => {
      const before = await toldBy(there)
      const isOfTables = ({ path }: { path: string }) => !path.startsWith('_moraine/')
      const files = (await there.storage.list('')).filter(isOfTables)
      await project.write({ 'in/c.csv': csv(30, 60) })
      await project.run({ rewriteUpTo: 0 })
      let stopped = 0
      while (await copy(stopped + 1)) {
        stopped++
        expect(await toldBy(there)).toEqual(before)
      }
      expect(stopped).toBeGreaterThan(3)
      expect(await toldBy(there)).toEqual(await toldBy(project))
      // Nothing that its log led to was written again.
      for (const file of files) expect(await there.storage.stat(file.path)).toEqual(file)
    }))

  it('notes one checksum of a file, also once its snapshots were forgotten at home', () =>
    backedUp(async ({ project, there, copy }) => {
      const vacuum = ['vacuum', '--history', '0s', '--grace', '0s', '--delete']
      expect((await project.cli(...vacuum)).stderr).toBe('')
      await project.write({ 'in/c.csv': csv(30, 60) })
      await project.run({ rewriteUpTo: 0 })
      expect(await copy()).toBe(false)
      const said = new Map<string, Set<string>>()
      for (const { path } of await there.storage.list('_moraine/checksums/')) {
        const [, body = ''] = new TextDecoder().decode(await there.storage.read(path)).split('\n')
        for (const [of, sum] of Object.entries<string>(JSON.parse(body)))
          said.set(of, (said.get(of) ?? new Set()).add(sum))
      }
      expect(said.size).toBeGreaterThan(3)
      expect([...said].filter(([, sums]) => sums.size > 1)).toEqual([])
    }))

  it('keeps files that are damaged since where they come from', () =>
    backedUp(async ({ project, there, copy }) => {
      const before = await toldBy(there)
      const files = (await project.storage.list('silver/orders/data/')).map(({ path }) => path)
      const isDeletes = (path: string) => path.endsWith('-deletes.parquet')
      for (const path of [files.find(isDeletes), files.find((path) => !isDeletes(path))])
        await project.storage.restore(path as string, new TextEncoder().encode('half of it'))
      expect(await copy()).toBe(false)
      expect(await toldBy(there)).toEqual(before)
    }))
})

describe('a lake that is copied', () => {
  it.each(['lake/copy', 'lake/silver', '.'])(
    'goes to no place in or around itself: %s',
    async (to) => {
      const project = await filled()
      const { code, stderr } = await project.cli('copy', to)
      expect([code, stderr]).toEqual([2, expect.stringContaining('lie within each other')])
      expect(await project.storage.list('copy/')).toEqual([])
    },
  )

  it('is the same there, with its history, and names nothing where it was', async () => {
    const project = await filled()
    const [deletes] = await project.reading((rows) =>
      rows(
        `SELECT count(DISTINCT file_name) AS n FROM parquet_schema('${project.folder}/lake/silver/orders/data/**/*.parquet') WHERE name = 'file_path'`,
      ),
    )
    expect(Number(deletes?.n)).toBeGreaterThan(0)
    const copied = await project.cli('copy', 'there')
    expect([copied.code, copied.stderr]).toEqual([0, ''])
    const there = join(project.folder, 'there')
    const json = async (root: string, ...args: string[]) => {
      const { stdout, stderr } = await moraine([
        '-C',
        project.folder,
        '--root',
        root,
        ...args,
        '--json',
      ])
      expect(stderr).toBe('')
      return stdout
    }
    for (const sql of answers)
      for (const at of [[], ['--at', '2']])
        expect(await json(there, 'query', sql, ...at)).toBe(
          await json(join(project.folder, 'lake'), 'query', sql, ...at),
        )
    const verified = await moraine(['-C', project.folder, '--root', there, 'verify', '--deep'])
    expect([verified.stdout + verified.stderr, verified.code]).toEqual([
      expect.stringContaining('All values could be read'),
      0,
    ])
    for (const tier of ['silver', 'gold', 'discarded'])
      for (const path of await readdir(join(there, tier), { recursive: true }))
        if (/\.(avro|json)$/.test(path))
          expect(
            (await readFile(join(there, tier, path))).includes(`${project.folder}/lake/`),
            path,
          ).toBe(false)
    // The copy goes on by itself, and the lake does not know of it.
    await project.write({ 'in/c.csv': csv(5000, 5100) })
    const run = await moraine(['-C', project.folder, '--root', there, 'run'])
    expect(run.code).toBe(0)
    expect(JSON.parse(await json(there, 'query', answers[3] as string))).toEqual([{ n: 3130 }])
    expect(await project.query(answers[3] as string)).toEqual([{ n: 3030n }])
    // Now they are two.
    const again = await project.cli('copy', 'there')
    expect([again.code, again.stderr]).toEqual([
      2,
      expect.stringMatching(/There is another lake at .*there/),
    ])
  })

  it('is not there before all of it is, and goes on where it was stopped', async () => {
    const project = await filled()
    const to = new LocalStorage(join(project.folder, 'there'))
    const engine = await DuckDB.start({ threads: 2 })
    try {
      for (let round = 1; ; round++) {
        const stop = new AbortController()
        let left = round * 15
        const copying = copyLake(project.storage, to, await engine.open(), stop.signal, () => {
          left--
          if (left <= 0) stop.abort()
        })
        const done = await copying.catch(() => undefined)
        if (done) break
        const log = await to.list('_moraine/log/')
        // Stopped before its end it has no log, or the beginning of it.
        expect(log.length).toBeLessThanOrEqual((await project.state()).number)
      }
    } finally {
      await engine.close()
    }
    const verified = await moraine([
      '-C',
      project.folder,
      '--root',
      join(project.folder, 'there'),
      'verify',
      '--deep',
    ])
    expect([verified.stdout, verified.code]).toEqual([
      expect.stringContaining('All values could be read'),
      0,
    ])
  })

  it('does not go where two writers could create the same object', async () => {
    const project = await filled()
    class Careless extends LocalStorage {
      override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
        await this.restore(path, bytes)
        return true
      }
    }
    const to = new Careless(join(project.folder, 'there'))
    const { signal } = new AbortController()
    const engine = await DuckDB.start({ threads: 2 })
    try {
      const copying = copyLake(project.storage, to, await engine.open(), signal)
      await expect(copying).rejects.toThrow('cannot store a lake')
    } finally {
      await engine.close()
    }
    expect(await to.list('')).toEqual([])
  })

  it('does not go where it lies, or another does', async () => {
    const project = await filled()
    expect((await project.cli('copy', 'lake')).stderr).toMatch(/The lake is already at .*lake/)
    const other = await filled()
    expect((await project.cli('copy', join(other.folder, 'lake'))).stderr).toMatch(
      /There is another lake at/,
    )
  })
})
