import { cp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import type { Engine } from '../../src/engine/engine.js'
import { Table } from '../../src/iceberg/table.js'
import { CommitLog } from '../../src/log/log.js'
import { verifyLake } from '../../src/log/verify/verify.js'
import { Relations } from '../../src/step/relations.js'
import { LocalStorage } from '../../src/storage/local.js'
import { amount, sample } from '../support/effort.js'
import { killed, pointsOf, trying, waysAt } from '../support/kills.js'
import type { Project } from '../support/project.js'
import { change, flipped, lakeOfAllLayers } from '../support/rot.js'

/*
 * A repair is killed before and after times that it touches the lake's folder: on a laptop some, in
 * CI all.
 */

const scribble = (bytes: Buffer) => bytes.fill(0x5a, 40, 60)

/** Damages one file of each way in which files are mended; returns their paths. */
async function damage(project: Project): Promise<Set<string>> {
  const state = await project.state()
  const { manifest = '' } = state.batches['bronze.visits']?.[0] ?? {}
  const batch = JSON.parse(String(await readFile(join(project.folder, 'lake', manifest))))
  const data = batch.files[0].data as string
  const table = await Table.load(
    project.storage,
    state.tables['silver.rates'] as { metadata: string },
  )
  const [{ file } = never()] = await table.plan()
  const built = table.pathOf(file.path)
  const bit = (state.tables['gold.daily'] as { metadata: string }).metadata
  await change(project, data, scribble)
  await change(project, built, scribble)
  await change(project, bit, (bytes) => flipped(bytes, 0.4))
  return new Set([data, built, bit])
}

const never = (): never => {
  throw new Error('there is none')
}

const command = ['repair', '--yes']
const columns = {
  'silver.visits': 'page, n',
  'silver.rates': 'currency, rate',
  'gold.daily': 'day, amount',
}

/** What the tables of a lake hold, read in this process. */
async function rowsOf(engine: Engine, root: string): Promise<string[]> {
  const storage = new LocalStorage(root)
  const relations = new Relations(storage, await new CommitLog(storage).head())
  const session = await engine.open()
  try {
    const found: string[] = []
    for (const [name, list] of Object.entries(columns)) {
      const sql = await relations.tableRelation(session, name)
      const rows = await session.rows(
        `SELECT CAST(t AS VARCHAR) AS row FROM (SELECT ${list} FROM (${sql})) AS t ORDER BY 1`,
      )
      found.push(rows.map(({ row }) => row).join('\n'))
    }
    return found
  } finally {
    await session.close()
  }
}

describe('a repair that is killed at any point', () => {
  it('leaves nothing worse than it was, and the next repair ends well with the same rows', async () => {
    const project = await lakeOfAllLayers()
    const inFolder = (name: string) => join(project.folder, name)
    const engine = await DuckDB.start({ threads: 2 })
    onTestFinished(() => engine.close())
    const expected = await rowsOf(engine, inFolder('lake'))
    expect(expected.every((text) => text.length > 20)).toBe(true)
    const damaged = await damage(project)

    await cp(inFolder('lake'), inFolder('whole'), { recursive: true })
    const points = await pointsOf(project, inFolder('whole'), { command })
    expect(await rowsOf(engine, inFolder('whole'))).toEqual(expected)
    expect(points.length).toBeGreaterThan(60)

    let [done, deaths] = [0, 0]
    await trying(waysAt(sample(points, 1, 5), amount(1, 1, 20)), async (how, folder) => {
      const root = inFolder(folder)
      await cp(inFolder('lake'), root, { recursive: true })
      if ((await killed(project, root, how, { command })).died) deaths++
      done++
      const storage = new LocalStorage(root)
      const found = await verifyLake(storage, new CommitLog(storage), { deep: async () => [] })
      const others = found.damaged.filter(({ path }) => !damaged.has(path))
      expect([how, others]).toEqual([how, []])
      const again = await project.cli('--root', root, 'repair', '--yes')
      expect([how, again.code, again.stderr]).toEqual([how, 0, ''])
      expect((await project.cli('--root', root, 'verify', '--head', '--deep')).code).toBe(0)
      expect([how, await rowsOf(engine, root)]).toEqual([how, expected])
      await rm(root, { recursive: true })
    })
    expect(deaths).toBeGreaterThan(done * amount(0.4, 0.5))
  }, 7_200_000)
})
