import { describe, expect, it } from 'vitest'
import { MoraineError } from '../../errors.js'
import { sha256 } from '../../storage/checksum.js'
import { MemoryStorage } from '../../storage/memory.js'
import { Checkpoints } from '../checkpoints.js'
import type { Changes, Commit, FeatureUse } from '../commit.js'
import { encodeCommit, parseEntry } from '../entry.js'
import { emptyState } from '../fold.js'
import { CommitLog } from '../log.js'
import { program } from '../program.js'
import { entryPath } from '../reading/gaps.js'

const info = { author: 'ada', run: null, message: 'test' }
const table = (metadata: string) => ({ metadata, definition: {}, rows: 1, bytes: 1, files: 1 })

/** A lake to which a program of the future has made the last commit. */
async function withCommit(change: object, features?: Record<string, FeatureUse>) {
  const storage = new MemoryStorage()
  const log = new CommitLog(storage)
  const tables = { 'silver.a': table('a1'), 'silver.b': table('b1') }
  const { number, time, hash } = await log.commit(await log.head(), { tables }, info)
  const commit: Commit = {
    format: 2,
    id: 'of the future',
    number: number + 1,
    time: time as string,
    previous: hash,
    ...info,
    program: '9.1.0',
    ...(features ? { features } : {}),
    changes: change as Changes,
  }
  await storage.createIfAbsent(entryPath('_moraine/log/main', number + 1), encodeCommit(commit))
  return { storage, log: new CommitLog(storage) }
}

const next: Changes = { tables: { 'silver.b': table('b2') } }

describe('a lake that a newer program has written to', () => {
  it.each([
    ['a kind of change', { snapshots: { x: 1 } }],
    ['a field of a table', { tables: { 'silver.a': { ...table('a2'), sealed: true } } }],
    ['a field of a batch', { batches: [{ dataset: 'bronze.a', number: 1, packed: 1 }] }],
    ['a name that objects have anyway', { constructor: { x: 1 } }],
  ])('is refused when nothing explains %s that is not known', async (_, change) => {
    const { log } = await withCommit(change)
    await expect(log.head()).rejects.toMatchObject({
      kind: 'corrupt',
      hint: 'It was made by Moraine 9.1.0: use that version, or a newer one.',
    })
    await expect(log.commit(await log.stateAt(1), next, info)).rejects.toThrow('does not know')
  })

  it('is read and written where what is new may be passed over', async () => {
    const sums: FeatureUse = { since: '9.1.0', needed: 'none', fields: ['changes.tables.*.sum'] }
    const change = { tables: { 'silver.a': { ...table('a2'), sum: 'abc' } } }
    const { storage, log } = await withCommit(change, { sums })
    const state = await log.head()
    expect(state.tables['silver.a']).toMatchObject({ metadata: 'a2', sum: 'abc' })
    await log.commit(state, next, info)
    // What is taken over stays explained: for whoever knows it, and whoever does not.
    await log.rollback(2, info)
    await log.rollback(1, info)
    await log.rollback(2, info)
    const last = (await new CommitLog(storage).entry(6)) as { commit: Commit }
    expect(last.commit.changes.tables?.['silver.a']).toMatchObject({ sum: 'abc' })
    expect(last.commit.features).toMatchObject({ sums })
    expect((await new CommitLog(storage).head()).tables).toEqual(state.tables)
  })

  it('is read, and not written, where writers must know what is new', async () => {
    const locks: FeatureUse = { since: '9.1.0', needed: 'write', fields: ['changes.locks'] }
    const { log } = await withCommit({ locks: { 'silver.a': 'bob' } }, { locks })
    const state = await log.head()
    expect(state.number).toBe(2)
    const refused = await log.commit(state, next, info).catch((error) => error)
    expect(refused).toBeInstanceOf(MoraineError)
    expect(refused).toMatchObject({
      kind: 'version',
      message: `This lake uses locks, which this version of Moraine (${program}) cannot write`,
    })
    expect(refused.hint).toContain('Use Moraine 9.1.0 or newer')
    expect((await log.head()).number).toBe(2)
  })

  it('is read up to the commit from which on readers must know what is new', async () => {
    const joins: FeatureUse = { since: '9.1.0', needed: 'read', fields: ['changes.joins'] }
    const { log } = await withCommit({ joins: { x: ['silver.a', 'silver.b'] } }, { joins })
    await expect(log.head()).rejects.toMatchObject({
      kind: 'version',
      message: `Commit 2 uses joins, which this version of Moraine (${program}) cannot read`,
      hint: 'Use Moraine 9.1.0 or newer. Earlier states of the lake can still be read with this version: moraine query --at 1',
    })
    expect((await log.visibleAt(1)).tables).toHaveProperty('silver.a')
  })

  it('is not read from a checkpoint behind such a commit either', async () => {
    const joins: FeatureUse = { since: '9.1.0', needed: 'read', fields: ['changes.joins'] }
    const { storage } = await withCommit({ joins: { x: ['silver.a', 'silver.b'] } }, { joins })
    const second = storage.objects.get(entryPath('_moraine/log/main', 2)) as Uint8Array
    const { time } = JSON.parse(new TextDecoder().decode(second))
    const own = { ...info, program: '9.1.0', changes: { offsets: { x: { y: 1 } } } }
    const third = {
      format: 2,
      id: 'later',
      number: 3,
      time,
      previous: sha256(second),
      ...own,
    } as const
    const bytes = encodeCommit(third)
    await storage.createIfAbsent(entryPath('_moraine/log/main', 3), bytes)
    const features = { joins }
    const state = { ...emptyState, number: 3, time, hash: sha256(bytes), features }
    await new Checkpoints(storage, 'main').write(state)
    await expect(new CommitLog(storage).head()).rejects.toMatchObject({
      kind: 'version',
      message: expect.stringContaining('Commit 2 uses joins'),
    })
  })

  it('leaves no checkpoint of a state of which it does not know all', async () => {
    const notes: FeatureUse = { since: '9.1.0', needed: 'none', fields: ['changes.notes'] }
    const { storage } = await withCommit({ notes: { 'silver.a': 'see there' } }, { notes })
    const often = { now: () => new Date(), id: () => crypto.randomUUID(), pause: async () => {} }
    const log = new CommitLog(storage, 'main', { ...often, interval: 1 })
    await log.commit(await log.head(), next, info)
    expect([...storage.objects.keys()].filter((path) => /checkpoints.*json$/.test(path))).toEqual(
      [],
    )
  })

  it('is refused as damaged when it does not say of its features what it should', () => {
    const bytes = new TextEncoder().encode('{"format":2,"features":{"x":{"needed":"read"}}}')
    expect(() => parseEntry(bytes, '1.json')).toThrow('1.json is damaged')
  })
})

describe('what this program writes', () => {
  it('says which version made it, and has nothing that it would not read itself', async () => {
    const storage = new MemoryStorage()
    const log = new CommitLog(storage)
    await log.commit(await log.head(), next, info)
    const entry = await new CommitLog(storage).entry(1)
    expect(entry?.commit).toMatchObject({ format: 2, program })
  })
})
