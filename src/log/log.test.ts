import { cp, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from '../../test/support/until.js'
import { MoraineError } from '../errors.js'
import { renameChanges } from '../plan/removed.js'
import { LocalStorage } from '../storage/local.js'
import { MemoryStorage } from '../storage/memory.js'
import { RetryingStorage } from '../storage/retrying.js'
import type { BatchPointer, Changes, CommitInfo, LakeState, TableState } from './commit.js'
import { encodeCommit } from './entry.js'
import { CommitLog } from './log.js'
import { verifyLake } from './verify/verify.js'

const info: CommitInfo = { author: 'ada', run: null, message: 'test' }
const table = (metadata: string): TableState => ({
  metadata,
  definition: {},
  rows: 1,
  bytes: 1,
  files: 1,
})
const change = (name: string, metadata = name): Changes => ({ tables: { [name]: table(metadata) } })
const quick = { now: () => new Date(), id: () => crypto.randomUUID(), pause: async () => {} }

describe('the commit log', () => {
  it('folds commits to a state, also at an earlier commit', async () => {
    const log = new CommitLog(new MemoryStorage())
    const one = await log.commit(await log.head(), change('silver.a', 'v1'), info)
    await log.commit(
      one,
      { ...change('silver.a', 'v2'), offsets: { 'silver.a': { 'bronze.a': 3 } } },
      info,
    )
    expect((await log.head()).tables['silver.a']?.metadata).toBe('v2')
    expect((await log.head()).offsets['silver.a']).toEqual({ 'bronze.a': 3 })
    expect((await log.stateAt(1)).tables['silver.a']?.metadata).toBe('v1')
    expect((await log.stateAt(new Date(one.time as string))).number).toBe(1)
    await expect(log.stateAt(3)).rejects.toThrow('There is no commit 3')
  })

  it('lets changes of different tables follow each other, whoever comes first', async () => {
    const storage = new MemoryStorage()
    const [a, b] = [new CommitLog(storage, 'main', quick), new CommitLog(storage, 'main', quick)]
    const base = await a.head()
    await a.commit(base, change('silver.a'), info)
    const state = await b.commit(base, change('silver.b'), info)
    expect(Object.keys(state.tables)).toEqual(['silver.a', 'silver.b'])
  })

  it('refuses a change of what somebody else changed since', async () => {
    const storage = new MemoryStorage()
    const [a, b] = [new CommitLog(storage, 'main', quick), new CommitLog(storage, 'main', quick)]
    const base = await a.head()
    await a.commit(base, change('silver.a', 'first'), info)
    await expect(b.commit(base, change('silver.a', 'second'), info)).rejects.toMatchObject({
      kind: 'conflict',
      message: 'Commit 1 has changed the same: table silver.a',
    })
    expect((await a.head()).tables['silver.a']?.metadata).toBe('first')
  })

  it('applies every change once when many write at the same time', async () => {
    const storage = new MemoryStorage()
    const names = Array.from({ length: 12 }, (_, i) => `gold.t${i}`)
    await Promise.all(
      names.map(async (name) => {
        const log = new CommitLog(storage, 'main', quick)
        await log.commit(await log.head(), change(name), info)
      }),
    )
    const state = await new CommitLog(storage).head()
    expect(state.number).toBe(12)
    expect(Object.keys(state.tables).sort()).toEqual([...names].sort())
  })

  it('knows its own commit again when the answer was lost', async () => {
    class Lossy extends MemoryStorage {
      lost = 0
      override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
        const answer = await super.createIfAbsent(path, bytes)
        if (path.includes('/log/') && this.lost++ === 0) throw new Error('connection reset')
        return answer
      }
    }
    const log = new CommitLog(new Lossy(), 'main', quick)
    const state = await log.commit(await log.head(), change('silver.a'), info)
    expect(state.number).toBe(1)
  })

  it('keeps its times rising although the clock goes back', async () => {
    let now = new Date('2026-01-02T00:00:00.000Z')
    const log = new CommitLog(new MemoryStorage(), 'main', {
      ...quick,
      now: () => now,
    })
    const one = await log.commit(await log.head(), change('silver.a'), info)
    now = new Date('2026-01-01T00:00:00.000Z')
    const two = await log.commit(one, change('silver.b'), info)
    expect(two.time).toBe('2026-01-02T00:00:00.001Z')
  })

  it.each([
    ['is damaged', (text: string) => text.slice(0, 40), 'is not JSON'],
    ['was changed', (text: string) => text.replace('"ada"', '"eve"'), 'is damaged: its SHA-256'],
    [
      'was changed, and its checksum with it',
      (text: string) => {
        const { sha256: _, ...commit } = JSON.parse(text)
        return new TextDecoder().decode(encodeCommit({ ...commit, author: 'eve' }))
      },
      'does not follow',
    ],
    [
      'has a format of the future',
      (text: string) =>
        text.replace('"format": 2', '"format": 9').replace(/,\n "sha256": "\w+"/, ''),
      'has format 9',
    ],
  ])('says so when an entry %s', async (_, spoil, message) => {
    const storage = new MemoryStorage()
    const log = new CommitLog(storage)
    const one = await log.commit(await log.head(), change('silver.a'), info)
    await log.commit(one, change('silver.b'), info)
    const [path] = [...storage.objects.keys()]
    const text = new TextDecoder().decode(storage.objects.get(path as string))
    storage.objects.set(path as string, new TextEncoder().encode(spoil(text)))
    await expect(new CommitLog(storage).head()).rejects.toThrow(message)
  })

  it('refuses a storage that lets two writers create one object', async () => {
    class Careless extends MemoryStorage {
      override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
        this.objects.set(path, bytes)
        return true
      }
    }
    await expect(new CommitLog(new Careless()).probe()).rejects.toThrow(MoraineError)
    await expect(new CommitLog(new MemoryStorage()).probe()).resolves.toBeUndefined()
  })

  it('answers before a checkpoint is written, where others wait, and writes one at a time', async () => {
    const waiting: (() => void)[] = []
    class Slow extends MemoryStorage {
      override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
        if (/checkpoints.*json$/.test(path)) await new Promise<void>((go) => waiting.push(go))
        return super.createIfAbsent(path, bytes)
      }
    }
    const storage = new Slow()
    const effects = { ...quick, interval: 2, answersFirst: true } as const
    const log = new CommitLog(storage, 'main', effects)
    for (let i = 1; i <= 5; i++) await log.commit(await log.head(), change(`silver.t${i}`), info)
    const written = () => [...storage.objects.keys()].filter((p) => /checkpoints.*json$/.test(p))
    await until('a checkpoint is begun', () => waiting.length > 0)
    expect(written()).toEqual([])
    expect((await new CommitLog(storage).head()).number).toBe(5)
    waiting.shift()?.()
    await until('it is written', () => written().length === 1)
    await log.commit(await log.head(), change('silver.t6'), info)
    await until('the next one is begun', () => waiting.length > 0)
    waiting.shift()?.()
    await until('it is written', () => written().length === 2)
    const state = await new CommitLog(storage).head()
    expect([state.number, Object.keys(state.tables).length]).toEqual([6, 6])
    const { problems } = await verifyLake(storage, new CommitLog(storage))
    expect(problems.filter((problem) => problem.includes('checkpoint'))).toEqual([])
  })

  it('reads a checkpoint instead of all commits, and the same state comes out', async () => {
    const storage = new MemoryStorage()
    const log = new CommitLog(storage, 'main', quick)
    let state = await log.head()
    for (let i = 0; i < 130; i++)
      state = await log.commit(state, change(`silver.t${i % 7}`, `v${i}`), info)
    const reads: string[] = []
    const counted = new Proxy(storage, {
      get: (target, name) => {
        const value = Reflect.get(target, name)
        if (name !== 'readIfPresent')
          return typeof value === 'function' ? value.bind(target) : value
        return (path: string) => {
          reads.push(path)
          return target.readIfPresent(path)
        }
      },
    })
    expect(await new CommitLog(counted).head()).toEqual(state)
    expect(reads.length).toBeLessThan(50)
    expect((await new CommitLog(storage).stateAt(70)).tables['silver.t6']?.metadata).toBe('v69')
    const latest = await new CommitLog(storage).latest(3)
    expect(latest.map(({ number }) => number)).toEqual([130, 129, 128])
  })

  it.each([
    ['torn', (text: string) => text.slice(0, 90)],
    ['empty', () => ''],
    ['changed', (text: string) => text.replace('"v99"', '"v98"')],
    ['of the future', (text: string) => text.replace('"format":2', '"format":7')],
  ])('passes over a checkpoint that is %s, and verify names it', async (_, spoil) => {
    const storage = new MemoryStorage()
    const log = new CommitLog(storage, 'main', quick)
    let state = await log.head()
    for (let i = 0; i < 100; i++)
      state = await log.commit(state, { offsets: { x: { y: `v${i}` } } }, info)
    const [path] = [...storage.objects.keys()].filter((p) => p.includes('/checkpoints/')).slice(-1)
    const text = new TextDecoder().decode(storage.objects.get(path as string))
    storage.objects.set(path as string, new TextEncoder().encode(spoil(text)))
    expect(await new CommitLog(storage).head()).toEqual(state)
    const { problems } = await verifyLake(storage, new CommitLog(storage))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(path)
  })

  it('brings an earlier state back as a new commit, and goes forward again the same way', async () => {
    const log = new CommitLog(new MemoryStorage(), 'main', quick)
    const batch = (number: number): BatchPointer => ({
      dataset: 'bronze.a',
      number,
      batch: `${number}-${Math.random()}`,
      manifest: `m${number}`,
      rows: 1,
      bytes: 1,
    })
    let state = await log.commit(
      await log.head(),
      { ...change('silver.a', 'v1'), batches: [batch(1)], watermarks: { 'bronze.a': 1 } },
      info,
    )
    const before = state
    state = await log.commit(
      state,
      {
        ...change('silver.b', 'v1'),
        batches: [batch(2)],
        watermarks: { 'bronze.a': 2 },
        offsets: { 'silver.b': { 'bronze.a': 2 } },
      },
      info,
    )
    const after = state
    const same = ({ tables, batches, offsets, watermarks }: LakeState) => ({
      tables,
      batches,
      offsets,
      watermarks,
    })
    const back = await log.rollback(1, { author: 'ada', run: null }, true)
    expect(back.number).toBe(3)
    expect(same(back)).toEqual(same(before))
    const forth = await log.rollback(2, { author: 'ada', run: null }, true)
    expect(same(forth)).toEqual(same(after))
    // What was read before a rollback does not fit what is there after it.
    await expect(log.commit(after, change('silver.c'), info)).rejects.toMatchObject({
      kind: 'conflict',
    })
    expect((await log.rollback(4, { author: 'ada', run: null })).number).toBe(4)
  })

  it.each([
    [1, 2],
    [4, 8],
    [7, 8],
    [42, 60],
    [50, 130],
    [99, 100],
    [99, 101],
    [100, 101],
    [3, 130],
  ])(
    'refuses to read or write when commit %i of %i is gone, and names the object',
    async (gone, last) => {
      const storage = new MemoryStorage()
      const log = new CommitLog(storage, 'main', quick)
      let state = await log.head()
      for (let i = 0; i < last; i++)
        state = await log.commit(state, change(`silver.t${i % 3}`, `v${i}`), info)
      const path = `_moraine/log/main/${String(gone).padStart(20, '0')}.json`
      storage.objects.delete(path)
      const isRefused = expect.objectContaining({
        kind: 'corrupt',
        message: expect.stringContaining(path),
      })
      const { problems } = await verifyLake(storage, new CommitLog(storage))
      expect(problems).toEqual([`the log: ${path} is missing`])
      const all = async () => {
        for await (const { commit } of new CommitLog(storage).entries())
          expect(commit).toBeDefined()
      }
      await expect(all()).rejects.toEqual(isRefused)
      // A checkpoint behind the gap still tells what was there: reading goes on, and nothing is
      // written over.
      const reader = new CommitLog(storage, 'main', quick)
      if (last >= 50 && gone < Math.floor(last / 50) * 50) {
        const head = await reader.head()
        expect(head).toEqual(state)
        expect((await reader.commit(head, change('silver.a'), info)).number).toBe(last + 1)
      } else {
        await expect(reader.head()).rejects.toEqual(isRefused)
        await expect(reader.stateAt(last)).rejects.toEqual(isRefused)
      }
      expect(storage.objects.has(path)).toBe(false)
    },
  )

  it('takes commits that arrive while it looks for a gap for what they are', async () => {
    const storage = new MemoryStorage()
    const writer = new CommitLog(storage, 'main', quick)
    let state = await writer.head()
    let lists = 0
    const busy = new Proxy(storage, {
      get: (target, name) => {
        const value = Reflect.get(target, name)
        if (name !== 'list') return typeof value === 'function' ? value.bind(target) : value
        return async (prefix: string) => {
          if (prefix.includes('/log/') && lists++ < 3)
            state = await writer.commit(state, change('silver.a', `v${lists}`), info)
          return target.list(prefix)
        }
      },
    })
    expect((await new CommitLog(busy).head()).number).toBe(3)
  })

  it('shows no commit whose files vacuum has removed, and rolls back to none', async () => {
    const log = new CommitLog(new MemoryStorage(), 'main', quick)
    let state = await log.head()
    for (let i = 0; i < 4; i++) state = await log.commit(state, change('silver.a', `v${i}`), info)
    await log.commit(state, { horizon: 3 }, info)
    const gone = expect.objectContaining({
      kind: 'usage',
      hint: 'The oldest complete commit is 3.',
    })
    await expect(log.visibleAt(2)).rejects.toEqual(gone)
    await expect(log.rollback(2, { author: 'ada', run: null })).rejects.toEqual(gone)
    expect((await log.visibleAt(3)).tables['silver.a']?.metadata).toBe('v2')
    // What was removed does not come back with an older state.
    expect((await log.rollback(3, { author: 'ada', run: null })).horizon).toBe(3)
  })

  it('never loses what arrived, however often and wherever to it is rolled back', async () => {
    const step = fc.oneof(
      fc.record({ arrives: fc.constantFrom('bronze.a', 'bronze.b') }),
      fc.record({ builds: fc.constantFrom('silver.a', 'silver.b') }),
      fc.record({ back: fc.double({ min: 0, max: 1, noNaN: true }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const log = new CommitLog(new MemoryStorage(), 'main', quick)
        const arrived = new Set<string>()
        let state = await log.head()
        for (const one of steps) {
          if ('back' in one) {
            const to = Math.floor(one.back * state.number)
            const { tables } = await log.stateAt(to)
            state = await log.rollback(to, { author: 'ada', run: null })
            expect(state.tables).toEqual(tables)
          } else if ('builds' in one) {
            const offsets = { [one.builds]: { 'bronze.a': state.batches['bronze.a']?.length ?? 0 } }
            state = await log.commit(state, { ...change(one.builds), offsets }, info)
          } else {
            const number = (state.batches[one.arrives]?.at(-1)?.number ?? 0) + 1
            const batch = `${one.arrives} ${arrived.size}`
            arrived.add(batch)
            const pointer = {
              dataset: one.arrives,
              number,
              batch,
              manifest: batch,
              rows: 1,
              bytes: 1,
            }
            state = await log.commit(
              state,
              { batches: [pointer], watermarks: { [one.arrives]: batch } },
              info,
            )
          }
          const there = Object.values(state.batches).flat()
          expect(new Set(there.map(({ batch }) => batch))).toEqual(arrived)
          for (const [name, batches] of Object.entries(state.batches)) {
            expect(batches.map(({ number }) => number)).toEqual(batches.map((_, i) => i + 1))
            expect(state.watermarks[name]).toBe(batches.at(-1)?.batch)
          }
          for (const offsets of Object.values(state.offsets))
            expect(offsets['bronze.a']).toBeLessThanOrEqual(state.batches['bronze.a']?.length ?? 0)
        }
      }),
      { seed: 11, numRuns: 100 },
    )
  })

  describe('a rollback that keeps what arrived', () => {
    const pointer = (number: number, batch = `b${number}`, dataset = 'bronze.a'): BatchPointer => {
      return { dataset, number, batch, manifest: batch, rows: 1, bytes: 1 }
    }
    const who = { author: 'ada', run: null }
    const names = (state: LakeState, dataset = 'bronze.a') =>
      state.batches[dataset]?.map(({ batch }) => batch)

    it('brings back what has expired meanwhile, as tables have not read it', async () => {
      const log = new CommitLog(new MemoryStorage(), 'main', quick)
      let state = await log.commit(await log.head(), { batches: [pointer(1), pointer(2)] }, info)
      state = await log.commit(state, { batches: [pointer(3)] }, info)
      state = await log.commit(state, { expire: { 'bronze.a': 3 } }, info)
      state = await log.commit(state, { batches: [pointer(4)] }, info)
      expect(names(state)).toEqual(['b4'])
      state = await log.rollback(1, who)
      expect(names(state)).toEqual(['b1', 'b2', 'b3', 'b4'])
      expect(state.expired?.['bronze.a'] ?? 0).toBe(0)
    })

    it('brings what expired back once, however often and wherever to it is rolled back', async () => {
      const log = new CommitLog(new MemoryStorage(), 'main', quick)
      let state = await log.commit(await log.head(), { batches: [pointer(1)] }, info)
      state = await log.commit(state, { batches: [pointer(2)] }, info)
      state = await log.commit(state, { expire: { 'bronze.a': 1 } }, info)
      state = await log.commit(state, { expire: { 'bronze.a': 2 } }, info)
      const all = ['b1', 'b2']
      const left = new Map([
        [3, ['b2']],
        [4, []],
      ])
      for (const to of [1, 3, 2, 4, 1, 4, 3, 1, 5, 6]) {
        state = await log.rollback(to, who)
        expect(names(state) ?? [], `rolled back to ${to}`).toEqual(
          left.get(to) ?? (to === 6 ? ['b2'] : all),
        )
      }
      await log.rollback(1, who)
      state = await log.head()
      state = await log.commit(state, { expire: { 'bronze.a': 2 } }, info)
      // What was undone, once it had expired, has not arrived.
      state = await log.rollback(1, who, true)
      expect(names(state)).toEqual(['b1'])
      expect(names(await log.rollback(1, who))).toEqual(['b1'])
    })

    it('is refused where intake was undone and done anew: numbers would stand for two batches', async () => {
      const log = new CommitLog(new MemoryStorage(), 'main', quick)
      let state = await log.commit(await log.head(), { batches: [pointer(1)] }, info)
      state = await log.commit(state, { batches: [pointer(2, '2x')] }, info)
      await log.rollback(1, who, true)
      state = await log.commit(await log.head(), { batches: [pointer(2, '2y')] }, info)
      await expect(log.rollback(2, who)).rejects.toMatchObject({
        kind: 'usage',
        message: expect.stringContaining('bronze.a was ingested again since commit 2'),
      })
      expect(names(await log.rollback(2, who, true))).toEqual(['b1', '2x'])
    })

    it('gives a renamed dataset its old name back, with what arrived under the new one', async () => {
      const log = new CommitLog(new MemoryStorage(), 'main', quick)
      const mark = (name: string, value: string) => ({ watermarks: { [name]: value } })
      let state = await log.commit(
        await log.head(),
        { batches: [pointer(1)], ...mark('bronze.a', 'one') },
        info,
      )
      state = await log.commit(
        state,
        renameChanges(state, 'bronze.a', 'bronze.b', [], String),
        info,
      )
      state = await log.commit(
        state,
        { batches: [pointer(2, 'b2', 'bronze.b')], ...mark('bronze.b', 'two') },
        info,
      )
      expect(names(state, 'bronze.b')).toEqual(['b1', 'b2'])
      state = await log.rollback(1, who)
      expect(names(state)).toEqual(['b1', 'b2'])
      expect(state.batches['bronze.b'] ?? []).toEqual([])
      expect(state.watermarks).toEqual({ 'bronze.a': 'two' })
      // And forth and back by name, as often as wanted.
      for (const [from, to] of [
        ['a', 'b'],
        ['b', 'a'],
        ['a', 'b'],
      ] as const)
        state = await log.commit(
          state,
          renameChanges(state, `bronze.${from}`, `bronze.${to}`, [], String),
          info,
        )
      expect(names(state, 'bronze.b')).toEqual(['b1', 'b2'])
      expect(state.renamed).toEqual({ 'bronze.a': 'bronze.b' })
    })
  })

  it.each([
    ['discards a batch that another has just read', 1],
    ['reads a batch that another has just discarded', 0],
  ])('refuses who %s', async (_, first) => {
    const storage = new MemoryStorage()
    const [a, b] = [new CommitLog(storage, 'main', quick), new CommitLog(storage, 'main', quick)]
    const batch = { dataset: 'bronze.a', number: 1, batch: 'x', manifest: 'x', rows: 1, bytes: 1 }
    const base = await a.commit(await a.head(), { batches: [batch] }, info)
    const discards: Changes = {
      cut: { 'bronze.a': 0 },
      batches: [{ ...batch, manifest: 'y', rows: 0, discarded: 1 }],
    }
    const reads: Changes = { ...change('silver.a'), offsets: { 'silver.a': { 'bronze.a': 1 } } }
    const [one, other] = first === 1 ? [reads, discards] : [discards, reads]
    await a.commit(base, one, info)
    await expect(b.commit(base, other, info)).rejects.toMatchObject({ kind: 'conflict' })
  })

  it('keeps a branch to itself', async () => {
    const storage = new MemoryStorage()
    const main = new CommitLog(storage, 'main', quick)
    const one = await main.commit(await main.head(), change('silver.a', 'v1'), info)
    const branch = await main.fork('trial-1', one)
    await branch.commit(await branch.head(), change('silver.a', 'v2'), info)
    await branch.commit(await branch.head(), change('gold.a', 'v1'), info)
    await main.commit(one, change('silver.other', 'v1'), info)
    expect((await main.head()).tables['silver.a']?.metadata).toBe('v1')
    const opened = (await new CommitLog(storage).openBranch('trial-1')) as CommitLog
    expect((await opened.head()).tables['silver.a']?.metadata).toBe('v2')
    expect((await opened.stateAt(1)).number).toBe(1)
    await expect(main.fork('trial-1', one)).rejects.toThrow('Branch trial-1 already exists')
  })
})

describe('a log on a disk in whose place another one is mounted', () => {
  const lakeAt = async (folder: string, commits: number) => {
    const log = new CommitLog(new LocalStorage(folder), 'main', quick)
    for (let n = 1; n <= commits; n++)
      await log.commit(await log.head(), change('silver.a', `${folder} ${n}`), info)
    return log
  }
  const filesOf = async (folder: string) => (await readdir(folder, { recursive: true })).sort()
  let above: string
  let [here, away, other] = ['', '', '']
  beforeEach(async () => {
    above = await mkdtemp(join(tmpdir(), 'moraine-test-'))
    ;[here, away, other] = [join(above, 'here'), join(above, 'away'), join(above, 'other')]
  })
  afterEach(() => rm(above, { recursive: true, force: true }))
  const swap = async () => {
    await rename(here, away)
    await rename(other, here)
  }
  const swapBack = async () => {
    await rename(here, other)
    await rename(away, here)
  }

  // Another lake of as many commits would take the next one; a shorter one would get a hole.
  it.each([
    ['as many commits', 3, false],
    ['fewer commits', 1, false],
    ['more commits', 5, false],
    ['an older copy of the same lake', 2, true],
  ])('writes nothing to another lake with %s', async (_, commits, isCopy) => {
    const log = await lakeAt(here, isCopy ? commits : 3)
    if (isCopy) {
      await cp(here, other, { recursive: true })
      await log.commit(await log.head(), change('silver.b'), info)
    } else await lakeAt(other, commits)
    const base = await log.head()
    const before = await filesOf(other)
    await swap()
    const message = expect.stringContaining(`Another lake lies in ${here}`)
    const refused = { kind: 'storage', message }
    await expect(log.commit(base, change('silver.c'), info)).rejects.toMatchObject(refused)
    await expect(log.refuseOther()).rejects.toMatchObject(refused)
    if (commits > 3) await expect(log.head()).rejects.toMatchObject(refused)
    expect(await filesOf(here)).toEqual(before)
    const found = new CommitLog(new LocalStorage(here))
    expect((await found.head()).number).toBe(commits)
    await swapBack()
    await log.refuseOther()
    expect((await log.commit(base, change('silver.c'), info)).number).toBe(base.number + 1)
  })

  it.each([
    ['that has no commit either', 0],
    ['that has one', 1],
    ['that has some', 3],
  ])('writes no first commit to another lake %s, and does not read it', async (_, commits) => {
    const log = await lakeAt(here, 0)
    await log.probe()
    const base = await log.head()
    await (await lakeAt(other, commits)).probe()
    await swap()
    const before = await filesOf(here)
    const message = expect.stringContaining(`Another lake lies in ${here}`)
    const refused = { kind: 'storage', message }
    await expect(log.commit(base, change('silver.c'), info)).rejects.toMatchObject(refused)
    await expect(log.refuseOther()).rejects.toMatchObject(refused)
    await expect(log.probe()).rejects.toMatchObject(refused)
    if (commits > 0) await expect(log.head()).rejects.toMatchObject(refused)
    expect(await filesOf(here)).toEqual(before)
    await swapBack()
    await log.refuseOther()
    expect((await log.commit(base, change('silver.c'), info)).number).toBe(1)
    expect(await filesOf(other)).toEqual(before)
  })

  it('knows a lake again that another process has begun, and one that was begun anew', async () => {
    const reader = new CommitLog(new LocalStorage(here), 'main', quick)
    await reader.head()
    const writer = await lakeAt(here, 1)
    expect((await reader.head()).number).toBe(1)
    await reader.refuseOther()
    expect((await writer.head()).number).toBe(1)
    await rm(here, { recursive: true })
    const anew = await lakeAt(here, 0)
    await anew.probe()
    expect((await anew.commit(await anew.head(), change('silver.a'), info)).number).toBe(1)
  })

  it('is the same lake without what it said of itself, once it has commits', async () => {
    const storage = new LocalStorage(here)
    const log = new CommitLog(storage, 'main', quick)
    await log.probe()
    await log.commit(await log.head(), change('silver.a'), info)
    await new CommitLog(storage, 'main', quick).head()
    await rm(join(here, '_moraine/lake.json'))
    const next = new CommitLog(storage, 'main', quick)
    await next.probe()
    expect((await next.commit(await next.head(), change('silver.b'), info)).number).toBe(2)
  })

  it('is known to all who use a storage, however long they wait for it', async () => {
    const storage = new RetryingStorage(new LocalStorage(here))
    const log = new CommitLog(storage, 'main', quick)
    const base = await log.head()
    await log.probe()
    await (await lakeAt(other, 0)).probe()
    await swap()
    const beside = new CommitLog(storage.with({ total: 0 }), 'main', quick)
    const message = expect.stringContaining(`Another lake lies in ${here}`)
    await expect(beside.commit(base, change('silver.a'), info)).rejects.toMatchObject({ message })
  })

  it('is read where nothing can be written, if it was begun before', async () => {
    await (await lakeAt(here, 0)).probe()
    class ReadOnly extends LocalStorage {
      override createIfAbsent(): Promise<boolean> {
        return Promise.reject(new Error('EROFS'))
      }
    }
    const log = new CommitLog(new ReadOnly(here), 'main', quick)
    await log.refuseOther()
    expect((await log.head()).number).toBe(0)
  })

  it('is not begun by who reads it and can’t', async () => {
    class Failing extends LocalStorage {
      fails = false
      override async readIfPresent(path: string): Promise<Uint8Array | undefined> {
        if (this.fails && path.includes('/log/')) throw new Error('EIO')
        return super.readIfPresent(path)
      }
    }
    const storage = new Failing(here)
    const log = new CommitLog(storage, 'main', quick)
    await log.head()
    storage.fails = true
    await expect(log.head()).rejects.toThrow('EIO')
    expect(await storage.stat('_moraine/lake.json')).toBeUndefined()
  })

  it('says nothing of itself to who only reads it, nor where it was begun long ago', async () => {
    await lakeAt(here, 0)
    const reader = new CommitLog(new LocalStorage(here), 'main', quick)
    await reader.head()
    await expect(readdir(here)).rejects.toThrow('ENOENT')
    await lakeAt(here, 2)
    await rm(join(here, '_moraine/lake.json'))
    const old = new CommitLog(new LocalStorage(here), 'main', quick)
    await old.refuseOther()
    await old.commit(await old.head(), change('silver.a', 'x'), info)
    expect(await filesOf(here)).not.toContain('_moraine/lake.json')
  })

  it('writes nothing to it where the disk goes in the middle of a commit', async () => {
    await lakeAt(here, 3)
    await lakeAt(other, 3)
    const before = await filesOf(other)
    class Going extends LocalStorage {
      override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
        if (!path.endsWith('04.json')) return super.createIfAbsent(path, bytes)
        await swap()
        throw new MoraineError('storage', 'the disk is gone', { retryable: true })
      }
    }
    const log = new CommitLog(new Going(here), 'main', quick)
    await expect(log.commit(await log.head(), change('silver.c'), info)).rejects.toThrow(
      'Another lake lies in',
    )
    expect(await filesOf(here)).toEqual(before)
  })

  it('does not call a lake another one whose newest commit is damaged', async () => {
    const log = await lakeAt(here, 2)
    const [last] = (await filesOf(here)).filter((path) => /log\/main\/0*2\.json$/.test(path))
    await writeFile(join(here, last ?? ''), '{"format": 2, "num')
    await log.refuseOther()
  })
})
