import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import { copyLake } from '../../../src/maintain/copy.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { moraine, Project } from '../../support/project.js'

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

  it('does not go where it lies, or another does', async () => {
    const project = await filled()
    expect((await project.cli('copy', 'lake')).stderr).toMatch(/The lake is already at .*lake/)
    const other = await filled()
    expect((await project.cli('copy', join(other.folder, 'lake'))).stderr).toMatch(
      /There is another lake at/,
    )
  })
})
