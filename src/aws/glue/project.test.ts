import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { MemoryGlue } from '../../../test/support/fake-glue.js'
import type { Lake } from '../../define/lake.js'
import { Table, type TablePointer } from '../../iceberg/table.js'
import { bronze, defineLake } from '../../index.js'
import type { LakeState, TableState } from '../../log/commit.js'
import { emptyState } from '../../log/fold.js'
import type { CommitLog } from '../../log/log.js'
import { files } from '../../source/index.js'
import { writeManifest } from '../../step/batches.js'
import { MemoryStorage } from '../../storage/memory.js'
import { markOf, POINTER } from './marks.js'
import { project } from './project.js'

const storage = Object.assign(new MemoryStorage(), { url: 's3://lakes/shop' })
storage.locate = (path: string) => `s3://lakes/shop/${path}`
const NAMES = ['silver.a', 'silver.b', 'gold.c']
const VERSIONS = 4
const versions: Record<string, TablePointer[]> = {}
let batches: LakeState['batches'][string]
let lake: Lake

beforeAll(async () => {
  lake = defineLake({ name: 'shop', datasets: [bronze('x', { from: files('x.csv') })] })
  for (const name of NAMES) {
    versions[name] = []
    for (let i = 0; i < VERSIONS; i++) {
      const columns = Array.from({ length: i + 1 }, (_, n) => ({
        name: `c${n}`,
        type: { kind: 'int' as const },
      }))
      const table = await Table.create(storage, `${name.replace('.', '/')}-${i}`)
        .reshape({ columns, partitions: [], about: { comment: `version ${i}` } })
        .write({ removed: 'all', added: [], deletes: [], summary: {} })
      versions[name].push(table.pointer)
    }
  }
  batches = await Promise.all(
    [1, 2, 3].map(async (number) => {
      const batch = `00000${number}-x`
      const data = `bronze/x/2026-01-01/${batch}/00001.parquet`
      const file = { name: 'x.csv', size: 1, modified: 0, sha256: '', rows: 1, broken: 0 }
      const { body: _, ...at } = await writeManifest(storage, `${data}.json`, {
        format: 2,
        dataset: 'bronze.x',
        batch,
        number,
        created: '2026-01-01T00:00:00Z',
        columns: ['id', 'n'],
        files: [{ ...file, data, bytes: 1, ...(number === 2 ? { values: { n: 'BIGINT' } } : {}) }],
      })
      return { dataset: 'bronze.x', number, batch, ...at, rows: 1, bytes: 1 }
    }),
  )
})

/** What is in the lake at a commit: a version of each table, or none; how many batches. */
interface Commit {
  tables: (number | null)[]
  from: number
  until: number
}

const commits = fc.array(
  fc.record<Commit>({
    tables: fc.tuple(...NAMES.map(() => fc.option(fc.nat(VERSIONS - 1)))),
    from: fc.nat(3),
    until: fc.nat(3),
  }),
  { minLength: 2, maxLength: 6 },
)

function stateOf({ tables, from, until }: Commit, number: number): LakeState {
  const pointers = tables.flatMap((version, i) => {
    const name = NAMES[i] as string
    const about = { definition: {}, rows: 0, bytes: 0, files: 0 }
    return version === null
      ? []
      : [[name, { ...(versions[name]?.[version] as TablePointer), ...about } as TableState]]
  })
  return {
    ...emptyState,
    number,
    tables: Object.fromEntries(pointers),
    batches: { 'bronze.x': batches.slice(from, until) },
  }
}

class Killed extends Error {}

/** A log whose head goes on by itself. */
function logOf(all: readonly Commit[]) {
  let at = 0
  const log = { head: async () => stateOf(all[at] as Commit, at + 1) } as unknown as CommitLog
  const next = () => {
    at = Math.min(at + 1, all.length - 1)
  }
  const end = () => {
    at = all.length - 1
  }
  return { log, next, end }
}

/** All that the catalog has of the lake, by names: pointers, and partitions. */
function shown({ databases }: MemoryGlue) {
  const pointers: Record<string, string | undefined> = {}
  const parts: Record<string, string[]> = {}
  for (const [database, tables] of databases)
    for (const [name, table] of tables) {
      if (!markOf(table)) continue
      pointers[`${database}.${name}`] = table.Parameters?.[POINTER]
      if (table.PartitionKeys?.length)
        parts[`${database}.${name}`] = table.parts.map(({ Values }) => Values[0] as string).sort()
    }
  return { pointers, parts }
}

function expected(state: LakeState) {
  const tables = Object.entries(state.tables).map(([name, { metadata }]) => [
    `shop_${name}`,
    storage.locate(metadata),
  ])
  const held = (state.batches['bronze.x'] ?? []).map(({ batch }) => batch)
  return {
    pointers: Object.fromEntries([
      ...tables,
      ...(held.length > 0 ? [['shop_bronze.x', undefined]] : []),
    ]),
    parts: held.length > 0 ? { 'shop_bronze.x': held } : {},
  }
}

describe('a projection', () => {
  it('shows the log, however many are at it, and wherever some of them are killed', async () => {
    const kills = fc.array(fc.nat(40), { minLength: 2, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(commits, kills, fc.scheduler(), async (all, ends, scheduler) => {
        const { log, next, end } = logOf(all)
        const newest = new Map<string, number>()
        const shared = new MemoryGlue()
        /** No table goes back to an earlier commit. */
        const look = () => {
          for (const [database, tables] of shared.databases)
            for (const [name, table] of tables) {
              const commit = markOf(table)?.commit ?? 0
              expect(commit).toBeGreaterThanOrEqual(newest.get(`${database}.${name}`) ?? 0)
              newest.set(`${database}.${name}`, commit)
            }
        }
        const projectors = ends.map(async (calls, i) => {
          let left = calls
          const glue = new MemoryGlue(async (name) => {
            if (left-- === 0) throw new Killed()
            await scheduler.schedule(Promise.resolve(), `${i} ${name}`)
            look()
            if (left % 5 === 0) next()
          })
          Object.assign(glue, { databases: shared.databases })
          await project({ lake, storage, log, glue }).catch((error) => {
            if (!(error instanceof Killed)) throw error
          })
        })
        await scheduler.waitFor(Promise.all(projectors))
        end()
        const done = await project({ lake, storage, log, glue: shared, full: true })
        expect(done.setAside).toEqual([])
        expect(shown(shared)).toEqual(expected(await log.head()))
        look()
        const calls = shared.calls
        const again = await project({ lake, storage, log, glue: shared })
        expect(again.changes).toEqual([])
        // Five databases are listed, and nothing else is asked.
        expect(shared.calls - calls).toBeLessThanOrEqual(10)
      }),
      { numRuns: 60 },
    )
  })

  it('never touches what others have put there', async () => {
    const places = fc.uniqueArray(fc.constantFrom(...NAMES), { maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(commits, places, places, async (all, strangers, moved) => {
        const { log, end } = logOf(all)
        const glue = new MemoryGlue()
        const at = (name: string) => name.split('.') as [string, string]
        for (const name of strangers) {
          const [layer, table] = at(name)
          await glue.createDatabase(`shop_${layer}`)
          glue.put(`shop_${layer}`, { Name: table, Parameters: { [POINTER]: 's3://other/1' } })
        }
        await project({ lake, storage, log, glue })
        for (const name of moved) {
          const [layer, table] = at(name)
          const found = glue.databases.get(`shop_${layer}`)?.get(table)
          if (found)
            glue.put(`shop_${layer}`, {
              ...found,
              Parameters: { ...found.Parameters, [POINTER]: 's3://other/2' },
            })
        }
        const before = structuredClone(glue.databases)
        end()
        const told = await project({ lake, storage, log, glue })
        for (const [database, tables] of before)
          for (const [name, table] of tables) {
            const isOthers = /^s3:\/\/other/.test(table.Parameters?.[POINTER] ?? '')
            if (!isOthers) continue
            expect(glue.databases.get(database)?.get(name)).toEqual(table)
            const isShown = `${database}.${name}`.replace('shop_', '') in (await log.head()).tables
            if (isShown || markOf(table))
              expect(told.setAside.map((one) => one.table)).toContain(`${database}.${name}`)
          }
        // What is ours, and was moved, is the lake's again once somebody says so.
        const back = await project({ lake, storage, log, glue, takeBack: NAMES })
        expect(back.setAside.every(({ why }) => /not made by/.test(why))).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('shows a lake where its copy does not take its place, whoever is further', async () => {
    const copy = Object.assign(Object.create(storage), { url: 's3://copies/shop' })
    copy.locate = (path: string) => `s3://copies/shop/${path}`
    const at = (...all: Commit[]) => ({ ...logOf(all), lake })
    const first = { tables: [0, 0, null], from: 0, until: 1 }
    const later = { tables: [1, 1, null], from: 0, until: 2 }
    const own = at(first)
    const glue = new MemoryGlue()
    await project({ ...own, storage, glue })
    const before = structuredClone(glue.databases)
    for (const [states, takeBack] of [
      [[first], []],
      [[first, later], []],
      [[first, later], NAMES],
    ] as const) {
      const { log, end } = at(...states)
      end()
      const told = await project({ lake, log, glue, storage: copy, takeBack: [...takeBack] })
      const aside = told.setAside.map(({ why }) => why)
      expect(aside).toContain('it belongs to silver.a of the lake shop at s3://lakes/shop')
      expect(aside.every((why) => why.includes('of the lake shop at s3://lakes/shop'))).toBe(true)
    }
    expect(glue.databases).toEqual(before)
    expect((await project({ ...own, storage, glue })).setAside).toEqual([])
  })
})
