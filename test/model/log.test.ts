import { describe, expect, it, vi } from 'vitest'
import { MoraineError } from '../../src/errors.js'
import type { Changes, LakeState } from '../../src/log/commit.js'
import { CommitLog } from '../../src/log/log.js'
import type { MemoryStorage } from '../../src/storage/memory.js'
import { amount } from '../support/effort.js'
import { explore, type World } from './explore.js'

/*
 * Every interleaving of writers over a storage that loses requests and answers, and of writers that
 * die before or after any operation: the real log, with nothing replaced but the storage, the clock
 * and chance.
 */

const effects = (writer: number, interval?: number) => {
  let ids = 0
  return {
    now: () => new Date(0),
    id: () => `writer ${writer} commit ${++ids}`,
    pause: async () => {},
    ...(interval ? { interval } : {}),
  }
}
const table = (metadata: string) => ({ metadata, definition: {}, rows: 1, bytes: 1, files: 1 })
const writes = (name: string, by: string): Changes => ({ tables: { [name]: table(by) } })
/** More faults in one history take minutes: for CI's full run. */
const deep = amount(0, 0, 1)
/** Of the ways in which things may go, those that are looked at in a sample. */
const most = amount(3000, Infinity)
if (deep) vi.setConfig({ testTimeout: 3_600_000 })

type Outcome = 'committed' | 'conflict' | 'failed' | 'dead'

/** One writer's work: reads the head, then commits what it is given, one after the other. */
async function write(
  storage: MemoryStorage,
  writer: number,
  changes: readonly Changes[],
  ends: Outcome[][],
  interval?: number,
) {
  const log = new CommitLog(storage, 'main', effects(writer, interval))
  const mine: Outcome[] = []
  ends[writer] = mine
  try {
    for (const change of changes) {
      const base = await log.head()
      await log.commit(base, change, { author: `w${writer}`, run: null, message: `${base.number}` })
      mine.push('committed')
    }
  } catch (error) {
    mine.push(error instanceof MoraineError && error.kind === 'conflict' ? 'conflict' : 'failed')
  }
}

async function history(world: World) {
  const log = new CommitLog(world.storage)
  const commits = []
  for await (const { commit } of log.entries()) commits.push(commit)
  return { commits, head: await log.head() }
}

/** What every finished history must show. */
async function holds(world: World, ends: readonly Outcome[][]): Promise<LakeState> {
  const { commits, head } = await history(world)
  expect(commits.map((commit) => commit.number)).toEqual(commits.map((_, i) => i + 1))
  expect(new Set(commits.map((commit) => commit.id)).size).toBe(commits.length)
  // Nobody has changed a table that somebody else changed after it was read.
  for (const { number, changes, message } of commits) {
    if (!/^\d+$/.test(message)) continue
    const between = commits.slice(Number(message), number - 1)
    const mine = Object.keys(changes.tables ?? {})
    for (const other of between)
      expect(mine.filter((name) => name in (other.changes.tables ?? {}))).toEqual([])
  }
  ends.forEach((outcomes, writer) => {
    const found = commits.filter((commit) => commit.author === `w${writer}`).length
    const committed = outcomes.filter((outcome) => outcome === 'committed').length
    const last = outcomes.at(-1)
    // A commit whose fate its writer could not learn is there once or not at all.
    const unknown = world.dead.has(writer) || last === 'failed' ? 1 : 0
    expect(found).toBeGreaterThanOrEqual(committed)
    expect(found).toBeLessThanOrEqual(committed + unknown)
    if (last === 'conflict' && !world.dead.has(writer)) expect(found).toBe(committed)
  })
  return head
}

describe('whatever happens between writers, storage and chance', () => {
  it('three writers of which two want the same: none is lost, none is doubled', async () => {
    let ends: Outcome[][] = []
    const found = await explore({
      writers: 3,
      faults: 1 + deep,
      most,
      start: async (world) => {
        ends = [[], [], []]
        void write(world.storageOf(0), 0, [writes('silver.a', 'w0')], ends)
        void write(world.storageOf(1), 1, [writes('silver.a', 'w1')], ends)
        void write(world.storageOf(2), 2, [writes('silver.b', 'w2')], ends)
      },
      check: async (world) => {
        const head = await holds(world, ends)
        for (const writer of [0, 1, 2])
          if (world.dead.size === 0 && !ends[writer]?.includes('failed'))
            expect(ends[writer]?.[0]).toMatch(/committed|conflict/)
        // Whoever was told that it won is what readers see, unless somebody built on top of it.
        if (ends[2]?.[0] === 'committed') expect(head.tables['silver.b']?.metadata).toBe('w2')
      },
    })
    expect(found.ends).toBeGreaterThan(amount(10, 100))
  })

  it('writers that commit several times each all get through, in their order', async () => {
    let ends: Outcome[][] = []
    const found = await explore({
      writers: 3,
      faults: deep,
      most,
      start: async (world) => {
        ends = [[], [], []]
        void write(world.storageOf(0), 0, [writes('silver.a', '1'), writes('silver.a', '2')], ends)
        void write(world.storageOf(1), 1, [writes('silver.b', '1')], ends)
        void write(world.storageOf(2), 2, [writes('silver.c', '1')], ends)
      },
      check: async (world) => {
        const head = await holds(world, ends)
        if (ends[0]?.filter((end) => end === 'committed').length === 2)
          expect(head.tables['silver.a']?.metadata).toBe('2')
      },
    })
    expect(found.ends).toBeGreaterThan(amount(10, 100))
  })

  it('checkpoints that are written, lost or half-way change nothing that is read', async () => {
    let ends: Outcome[][] = []
    await explore({
      writers: 2,
      faults: 1 + deep,
      most,
      start: async (world) => {
        ends = [[], []]
        void write(
          world.storageOf(0),
          0,
          [writes('silver.a', '1'), writes('silver.a', '2')],
          ends,
          1,
        )
        void write(world.storageOf(1), 1, [writes('silver.b', '1')], ends, 1)
      },
      check: async (world) => {
        const head = await holds(world, ends)
        for (const path of [...world.storage.objects.keys()])
          if (path.startsWith('_moraine/checkpoints/')) world.storage.objects.delete(path)
        expect(await new CommitLog(world.storage).head()).toEqual(head)
      },
    })
  })

  it('a rollback brings a state back as it was, or nothing of it', async () => {
    let ends: Outcome[][] = []
    await explore({
      writers: 2,
      faults: 1,
      start: async (world) => {
        ends = [[], []]
        const log = new CommitLog(world.storage, 'main', effects(9))
        const info = { author: 'before', run: null, message: '' }
        const one = await log.commit(await log.head(), writes('silver.a', 'good'), info)
        await log.commit(one, writes('silver.a', 'bad'), info)
        const back = async () => {
          const mine: Outcome[] = []
          ends[0] = mine
          try {
            await new CommitLog(world.storageOf(0), 'main', effects(0)).rollback(1, {
              author: 'w0',
              run: null,
            })
            mine.push('committed')
          } catch {
            mine.push('failed')
          }
        }
        void back()
        void write(world.storageOf(1), 1, [writes('silver.a', 'worse')], ends)
      },
      check: async (world) => {
        const head = await holds(world, ends)
        if (ends[0]?.[0] === 'committed' && ends[1]?.[0] === 'conflict')
          expect(head.tables['silver.a']?.metadata).toBe('good')
        const metadata = head.tables['silver.a']?.metadata ?? ''
        expect(['good', 'bad', 'worse']).toContain(metadata)
      },
    })
  })

  it.each([1, 2, 3])(
    'an entry that somebody deletes is missed by all, commit %i of 3',
    async (gone) => {
      let ends: Outcome[][] = []
      const path = `_moraine/log/main/${String(gone).padStart(20, '0')}.json`
      let [refused, whole] = [0, 0]
      await explore({
        writers: 2,
        faults: deep,
        start: async (world) => {
          ends = [[], []]
          const log = new CommitLog(world.storage, 'main', effects(9))
          for (const name of ['silver.a', 'silver.b', 'silver.c'])
            await log.commit(await log.head(), writes(name, 'before'), {
              author: 'before',
              run: null,
              message: '',
            })
          void write(
            world.storageOf(0),
            0,
            [writes('silver.a', '1'), writes('silver.a', '2')],
            ends,
          )
          void world
            .storageOf(1)
            .remove(path)
            .catch(() => {})
        },
        check: async (world) => {
          try {
            const { commits, head } = await history(world)
            // Nobody was refused: then nothing is missing.
            expect(commits.map(({ number }) => number)).toEqual(commits.map((_, i) => i + 1))
            expect(head.number).toBe(commits.length)
            expect(world.storage.objects.has(path)).toBe(true)
            whole++
          } catch (error) {
            expect(error).toMatchObject({ kind: 'corrupt' })
            expect((error as Error).message).toContain(path)
            expect(world.storage.objects.has(path)).toBe(false)
            refused++
          }
        },
      })
      expect(refused).toBeGreaterThan(0)
      // A tail as well: its anchor is left. Only where the fault is that it was not deleted, all is
      // there.
      if (!deep) expect(whole).toBe(0)
    },
  )
})
