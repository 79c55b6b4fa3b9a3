import { describe, expect, it, vi } from 'vitest'
import { MoraineError } from '../../src/errors.js'
import type { TableEffects } from '../../src/iceberg/effects.js'
import { Table } from '../../src/iceberg/table.js'
import { namedBranch } from '../../src/log/branch/named.js'
import type { Changes, CommitInfo, LakeState, TableState } from '../../src/log/commit.js'
import { CommitLog } from '../../src/log/log.js'
import { damageOf, verifyLake } from '../../src/log/verify/verify.js'
import { vacuum } from '../../src/maintain/vacuum.js'
import type { MemoryStorage } from '../../src/storage/memory.js'
import { amount } from '../support/effort.js'
import { explore, type Scenario, World } from './explore.js'

/*
 * Writers that were stopped for longer than the grace, beside a vacuum that removes what they have
 * written: the real log, the real vacuum and real Iceberg tables, in every interleaving of what
 * they do with storage, with crashes.
 */

const info: CommitInfo = { author: 'ada', run: null, message: 'test' }
const effects = (writer: number) => {
  let ids = 0
  return {
    now: () => new Date(0),
    id: () => `writer ${writer} commit ${++ids}`,
    pause: async () => {},
  }
}
/** All that is written before the vacuum begins is older than its grace. */
const later = () => new Date('2100-01-01T00:00:00Z')
const DAY = 86_400_000

/** Names that are the same in each world. */
function named(from: number): TableEffects {
  let ids = from
  return {
    now: () => new Date(0),
    uuid: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`,
    snapshotId: () => ++ids,
  }
}

/** A world's tables, each time with the same names. */
class Tables {
  private readonly effects: TableEffects

  constructor(private readonly storage: MemoryStorage) {
    this.effects = named(0)
  }

  create(): Table {
    return Table.create(this.storage, 'silver/a', this.effects).reshape({
      columns: [{ name: 'id', type: { kind: 'int' } }],
      partitions: [],
    })
  }

  /** A version with one more file; the files before stay. */
  async version(before: Table, name: string): Promise<{ table: Table; state: TableState }> {
    const path = `silver/a/data/${name}.parquet`
    await this.storage.write(path, new TextEncoder().encode(name))
    const bytes = name.length
    const file = { path: this.storage.locate(path), rows: 1, bytes, partition: [] }
    const added = [{ ...file, columns: new Map() }]
    const table = await before.write({ removed: new Set(), added })
    return { table, state: { metadata: table.file as string, definition: {}, ...table.totals } }
  }
}

const silver = (state: TableState): Changes => ({ tables: { 'silver.a': state } })

type Outcome = 'committed' | 'refused' | 'failed'

async function outcomeOf(work: () => Promise<unknown>): Promise<Outcome> {
  try {
    await work()
    return 'committed'
  } catch (error) {
    return error instanceof MoraineError && error.kind === 'conflict' ? 'refused' : 'failed'
  }
}

function sweep(world: World, writer: number, history?: number): Promise<Outcome> {
  const storage = world.storageOf(writer)
  return outcomeOf(() =>
    vacuum(new CommitLog(storage, 'main', effects(writer)), storage, {
      grace: DAY,
      remove: true,
      info,
      now: later,
      effects: named(1000),
      ...(history === undefined ? {} : { history }),
    }),
  )
}

/**
 * Ends that were looked at, by what lay there: nothing but the log's content differs from one to
 * the other.
 */
const looked = new Map<string, LakeState>()

/** Whatever has happened: all that can be seen is there. */
async function whole(world: World): Promise<LakeState> {
  const entries = await world.storage.list('_moraine/log/')
  const log = entries.map(({ path }) => new TextDecoder().decode(world.storage.objects.get(path)))
  const key = JSON.stringify([[...world.storage.objects.keys()].sort(), log])
  const known = looked.get(key)
  if (known) return known
  const { problems } = await verifyLake(world.storage, new CommitLog(world.storage))
  expect(problems).toEqual([])
  const head = await new CommitLog(world.storage).head()
  looked.set(key, head)
  return head
}

/** What is made once, and lies in each world from its beginning. */
async function prepared<T>(
  make: (world: World) => Promise<T>,
): Promise<[(world: World) => void, T]> {
  const first = new World(0)
  const made = await make(first)
  const put = ({ storage }: World) => {
    for (const [path, bytes] of first.storage.objects) storage.objects.set(path, bytes)
  }
  return [put, made]
}

/** More faults in one history take minutes: for CI's full run. */
const deep = amount(0, 0, 1)
if (deep) vi.setConfig({ testTimeout: 3_600_000 })

/**
 * A table of which one version is committed and the next is written; the log as its writer had it,
 * long ago.
 */
async function stopped(world: World) {
  const tables = new Tables(world.storage)
  const one = await tables.version(tables.create(), 'one')
  const log = new CommitLog(world.storage, 'main', effects(9))
  const base = await log.commit(await log.head(), silver(one.state), info)
  const two = await tables.version(one.table, 'two')
  return { tables, one, two, base }
}

/** All that may happen without a fault, and a part of what may with one. */
async function exploreWithDeaths(scenario: Pick<Scenario, 'start' | 'check'>): Promise<void> {
  await explore({ ...scenario, writers: 2, faults: 0 })
  await explore({ ...scenario, writers: 2, faults: 1, most: amount(300, 4000, Infinity) })
}

const isThere = (world: World, { state }: { state: TableState }) =>
  world.storage.objects.has(state.metadata)

describe('a writer that goes on after it was stopped for longer than the grace', () => {
  it('commits what is there, or nothing, whenever the vacuum came', async () => {
    let outcomes: (Outcome | undefined)[] = []
    const [put, { base, two }] = await prepared(stopped)
    const seen = new Set<string>()
    const found = await explore({
      writers: 2,
      faults: deep,
      start: async (world) => {
        put(world)
        const mine: (Outcome | undefined)[] = []
        outcomes = mine
        const log = new CommitLog(world.storageOf(0), 'main', effects(0))
        world.runs(0, async () => {
          mine[0] = await outcomeOf(() => log.commit(base, silver(two.state), info))
        })
        world.runs(1, async () => {
          mine[1] = await sweep(world, 1)
        })
      },
      check: async (world) => {
        const head = await whole(world)
        const isCommitted = head.tables['silver.a']?.metadata === two.state.metadata
        if (outcomes[0] === 'committed') expect(isCommitted).toBe(true)
        if (outcomes[0] === 'refused') expect(isCommitted).toBe(false)
        seen.add(`${outcomes[0]} ${isThere(world, two) ? 'there' : 'gone'}`)
      },
    })
    expect(found.ends).toBeGreaterThan(5)
    // Each of these happens: it was first, it came behind a vacuum, it came while one was removing.
    expect([...seen]).toEqual(expect.arrayContaining(['committed there', 'refused gone']))
    expect([...seen]).not.toContain('committed gone')
  })

  it('does so when it had built on a version that others have replaced and history let go', async () => {
    const [put, { base, two }] = await prepared(async (world) => {
      const ready = await stopped(world)
      const other = await ready.tables.version(ready.one.table, 'other')
      const log = new CommitLog(world.storage, 'main', effects(9))
      await log.commit(ready.base, silver(other.state), info)
      return ready
    })
    await explore({
      writers: 2,
      faults: deep,
      start: async (world) => {
        put(world)
        const mine = new CommitLog(world.storageOf(0), 'main', effects(0))
        world.runs(
          0,
          async () => void (await outcomeOf(() => mine.commit(base, silver(two.state), info))),
        )
        world.runs(1, async () => void (await sweep(world, 1, 0)))
      },
      check: async (world) => {
        await whole(world)
      },
    })
  })

  it('leaves no branch whose files are gone, wherever its writer or the vacuum dies', async () => {
    let [kept, refused] = [0, 0]
    let outcome: Outcome | undefined
    const [put, { base, two }] = await prepared(stopped)
    await exploreWithDeaths({
      start: async (world) => {
        outcome = undefined
        put(world)
        const log = new CommitLog(world.storageOf(0), 'main', effects(0))
        world.runs(0, async () => {
          outcome = await outcomeOf(async () => {
            const branch = await log.fork('run-1', base)
            await branch.commit(await branch.head(), silver(two.state), info)
          })
        })
        world.runs(1, async () => void (await sweep(world, 1)))
      },
      check: async (world) => {
        await whole(world)
        const branch = await new CommitLog(world.storage).openBranch('run-1')
        if (branch) {
          const state = await branch.head()
          for (let number = 1; number <= state.number; number++) {
            const { problems } = await damageOf(world.storage, await branch.stateAt(number))
            expect(problems).toEqual([])
          }
        }
        if (outcome === 'committed') kept++
        else refused++
      },
    })
    expect(Math.min(kept, refused)).toBeGreaterThan(0)
  })

  it('names no branch of a state that is gone, wherever who creates it dies', async () => {
    let [made, refused] = [0, 0]
    let outcome: Outcome | undefined
    const [put, { base }] = await prepared(async (world) => {
      const ready = await stopped(world)
      const log = new CommitLog(world.storage, 'main', effects(9))
      const fresh = await ready.tables.version(ready.tables.create(), 'fresh')
      await log.commit(ready.base, silver(fresh.state), info)
      return ready
    })
    await exploreWithDeaths({
      start: async (world) => {
        outcome = undefined
        put(world)
        const main = new CommitLog(world.storageOf(0), 'main', effects(0))
        world.runs(0, async () => {
          const id = 'dev.0000'
          outcome = await outcomeOf(() => namedBranch(main, { name: 'dev', at: base, info, id }))
        })
        world.runs(1, async () => void (await sweep(world, 1, 0)))
      },
      check: async (world) => {
        const head = await whole(world)
        const id = head.branches?.dev
        if (id !== undefined) {
          const branch = await new CommitLog(world.storage).openBranch(id)
          const { problems } = await damageOf(world.storage, await (branch as CommitLog).head())
          expect(problems).toEqual([])
          made++
        } else refused++
        if (outcome === 'committed') expect(id).toBeDefined()
      },
    })
    expect(Math.min(made, refused)).toBeGreaterThan(0)
  })

  it('brings an earlier state back, or says that it is gone, beside a vacuum of the history', async () => {
    let [back, refused] = [0, 0]
    let outcome: Outcome | undefined
    const [put] = await prepared(async (world) => {
      const { base, tables } = await stopped(world)
      const log = new CommitLog(world.storage, 'main', effects(9))
      const fresh = await tables.version(tables.create(), 'fresh')
      await log.commit(base, silver(fresh.state), info)
    })
    await explore({
      writers: 2,
      faults: deep,
      start: async (world) => {
        outcome = undefined
        put(world)
        const mine = new CommitLog(world.storageOf(0), 'main', effects(0))
        world.runs(0, async () => {
          outcome = await outcomeOf(() => mine.rollback(1, info))
        })
        world.runs(1, async () => void (await sweep(world, 1, 0)))
      },
      check: async (world) => {
        await whole(world)
        if (outcome === 'committed') back++
        else refused++
      },
    })
    expect(Math.min(back, refused)).toBeGreaterThan(0)
  })
})
