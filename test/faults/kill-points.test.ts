import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Lake } from '../../src/define/lake.js'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import type { ResultRow } from '../../src/engine/engine.js'
import { CommitLog } from '../../src/log/log.js'
import { verifyLake } from '../../src/log/verify/verify.js'
import { runLake } from '../../src/run/execute.js'
import { Relations } from '../../src/step/relations.js'
import { LocalStorage } from '../../src/storage/local.js'
import { amount, effort, sample } from '../support/effort.js'
import { killed, pointsOf, waysAt } from '../support/kills.js'
import { Project } from '../support/project.js'

/*
 * A run is killed before and after every single time that it touches the lake's folder: data files,
 * manifests, metadata, records, commits, checkpoints. On a laptop a few of these points, in CI
 * some, in its full run all.
 */

const definition = `
import { bronze, defineLake, gold, month, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const sales = silver('sales', {
  from: bronze('sales', { from: files('in/*.csv') }),
  key: 'id', cursor: 'sold_at', partitionBy: [month('sold_at')], deleteWhen: sql\`op = 'D'\`,
  schema: z.object({ id: t.int(), amount: t.decimal(9, 2), sold_at: t.timestamp() }),
})
const months = gold('months', {
  query: sql\`select date_trunc('month', sold_at) as month, count(*) as n, sum(amount) as amount from \${sales} group by 1\`,
  incremental: { by: 'month' },
})
export default defineLake({ name: 'kill', datasets: [months] })
`
const lines = (from: number, to: number, second: number) =>
  Array.from({ length: to - from }, (_, i) => {
    const id = from + i
    const op = second > 0 && id % 17 === 0 ? 'D' : ''
    const amount = id % 23 === 0 ? 'bad' : `${second}.25`
    return `${id},${amount},2026-0${(id % 3) + 1}-01 00:00:0${second},${op}`
  })
const file = (from: number, to: number, second: number) =>
  ['id,amount,sold_at,op', ...lines(from, to, second), ''].join('\n')

const results = [
  'select id, amount, sold_at from silver.sales order by id',
  'select month, n, amount from gold.months order by month',
  'select reasons, raw from discarded.sales order by raw',
  'select id, _kind from deleted.sales order by id',
]

/** A project whose lake has one load, and a second file that waits. */
async function prepare(): Promise<{ project: Project; lake: Lake; engine: DuckDB }> {
  const project = await Project.create({ 'lake.ts': definition, 'in/1.csv': file(1, 120, 0) })
  await project.run()
  await project.write({ 'in/2.csv': file(80, 200, 1) })
  // The next commit but one writes a checkpoint.
  const log = new CommitLog(project.storage)
  let state = await log.head()
  const info = { author: 'test', run: null, message: 'one of many' }
  while (state.number < 49)
    state = await log.commit(state, { offsets: { x: { y: state.number } } }, info)
  return { project, lake: await project.load(), engine: await DuckDB.start({ threads: 1 }) }
}

async function answers(engine: DuckDB, storage: LocalStorage): Promise<ResultRow[][]> {
  const session = await engine.open()
  const state = await new CommitLog(storage).head()
  const relations = new Relations(storage, state)
  for (const name of Object.keys(state.tables)) {
    const [tier = '', table = ''] = name.split('.')
    await session.define(tier, table, await relations.tableRelation(session, name))
  }
  const found: ResultRow[][] = []
  for (const sql of results) found.push(await session.rows(sql))
  session.close()
  return found
}

describe('a run that is killed at any point', () => {
  it('leaves the lake as before or as after; the next run completes it, and no row is lost or doubled', async () => {
    const { project, lake, engine } = await prepare()
    const before = await new CommitLog(project.storage).head()
    const inFolder = (name: string) => join(project.folder, name)

    // What a run that nobody disturbs does, and how often it touches the lake.
    await cp(inFolder('lake'), inFolder('whole'), { recursive: true })
    const points = await pointsOf(project, inFolder('whole'))
    const expected = await answers(engine, new LocalStorage(inFolder('whole')))
    expect(points.length).toBeGreaterThan(90)

    const kills = waysAt(sample(points, 4, 12), amount(1, 1, 10))
    let [done, deaths] = [0, 0]
    const worker = async (name: string) => {
      const own = await DuckDB.start({ threads: 1 })
      for (let how = kills.shift(); how; how = kills.shift()) {
        const root = inFolder(`${name}-${++done}`)
        await cp(inFolder('lake'), root, { recursive: true })
        const { died } = await killed(project, root, how)
        const storage = new LocalStorage(root)
        const after = await new CommitLog(storage).head()
        expect((await verifyLake(storage, new CommitLog(storage))).problems, how).toEqual([])
        // Tables, and how far they have read their inputs, change together or not at all.
        const tables = JSON.stringify(after.tables) !== JSON.stringify(before.tables)
        expect(JSON.stringify(after.offsets) !== JSON.stringify(before.offsets), how).toBe(tables)
        const run = await runLake(lake, { storage, engine: own })
        expect([how, run.outcome, run.steps.map((s) => s.error)]).toEqual([
          how,
          'done',
          run.steps.map(() => undefined),
        ])
        expect(await answers(own, storage), how).toEqual(expected)
        // A file that a kill left half read may have been set aside and put back: that takes a
        // batch more.
        const { batches, offsets } = await new CommitLog(storage).head()
        const last = Math.max(...(batches['bronze.sales'] ?? []).map(({ number }) => number))
        expect([2, 3], how).toContain(last)
        expect(offsets['silver.sales'], how).toEqual({ 'bronze.sales': last })
        if (died) deaths++
      }
      await own.close()
    }
    await Promise.all([worker('a'), worker('b')])
    await engine.close()
    // Runs differ in how often they touch the lake, the more so on a busy machine: the last points
    // may lie behind the end.
    expect(deaths).toBeGreaterThan(done / 2)
    if (effort === 'all') expect(deaths).toBeGreaterThanOrEqual(200)
  }, 3_600_000)
})
