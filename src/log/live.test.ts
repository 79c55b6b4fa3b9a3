import { describe, expect, it } from 'vitest'
import { vacuum } from '../maintain/vacuum.js'
import { ownIdentity } from '../storage/alive.js'
import { MemoryStorage } from '../storage/memory.js'
import { Heartbeat, type LiveEntry, lookForLive } from './live.js'
import { CommitLog } from './log.js'

const MINUTE = 60_000
const entry: LiveEntry = {
  format: 1,
  kind: 'run',
  id: '20260131T090000000Z-1a2b3c',
  author: 'ada',
  host: 'elsewhere',
  pid: 1,
  started: new Date().toISOString(),
  commit: 0,
}

async function withEntry(change: Partial<LiveEntry>) {
  const storage = new MemoryStorage()
  const bytes = new TextEncoder().encode(JSON.stringify({ ...entry, ...change }))
  await storage.write(`_moraine/live/${entry.id}/000000000007.json`, bytes)
  return storage
}

describe('who is at work', () => {
  it('is seen while it works, and leaves nothing behind', async () => {
    const storage = new MemoryStorage()
    const run = Heartbeat.ofRun(storage, { ...entry })
    const reader = Heartbeat.ofReader(storage, 'eve', 4)
    await new Promise((resolve) => setImmediate(resolve))
    const { live, left } = await lookForLive(storage, Date.now())
    // A read that has only begun leaves nothing that would have to be removed.
    expect(live).toMatchObject([{ id: entry.id, certain: true, pid: process.pid }])
    expect(left).toEqual([])
    await run.stop()
    await reader.stop()
    expect(storage.objects.size).toBe(0)
  })

  it.each([
    ['a process that is gone', { ...ownIdentity(), pid: 2 ** 30 }],
    ['a process whose number another has now', { ...ownIdentity(), process: '-1' }],
    ['something that says nothing', { format: 9 as 1 }],
  ])('is not %s: vacuum removes what it left', async (_, change) => {
    const storage = await withEntry(change)
    expect((await lookForLive(storage, Date.now())).live).toEqual([])
    const info = { author: 'eve', run: null }
    await vacuum(new CommitLog(storage), storage, { grace: 0, remove: true, info })
    expect([...storage.objects.keys()].filter((path) => path.includes('/live/'))).toEqual([])
  })

  it.each([
    ['another container of the same host name', { machine: 'another' }],
    [
      'an earlier version, which did not say where its process ids are ones',
      { machine: undefined },
    ],
  ])(
    'is whoever was heard of lately, be it %s, where its process id means another process or none',
    async (_, other) => {
      const { process: _began, ...own } = ownIdentity()
      const minutes = (n: number) => Date.now() + n * MINUTE
      for (const pid of [own.pid, 2 ** 30]) {
        const storage = await withEntry({ ...own, ...other, pid } as LiveEntry)
        const { live, left } = await lookForLive(storage, minutes(4))
        expect([live.map(({ certain }) => certain), left]).toEqual([[true], []])
        // Its age says otherwise: from now on nobody knows, and it is in the way of nobody.
        const later = await lookForLive(storage, minutes(6))
        expect(later.live.map(({ certain }) => certain)).toEqual([false])
        expect((await lookForLive(storage, minutes(8 * 24 * 60))).live).toEqual([])
      }
    },
  )

  it('is not known of another machine that is silent: that is told, and it is in the way of nobody', async () => {
    const storage = await withEntry({})
    const at = (minutes: number) => ({
      grace: MINUTE,
      remove: true,
      info: { author: 'eve', run: null },
      now: () => new Date(Date.now() + minutes * MINUTE),
    })
    const log = new CommitLog(storage)
    await expect(vacuum(log, storage, at(3))).rejects.toThrow(`Run ${entry.id} of ada is still`)
    // A longer grace leaves it all that it has written.
    await vacuum(log, storage, { ...at(3), grace: 5 * MINUTE })
    expect((await vacuum(log, storage, at(60))).silent).toMatchObject([{ id: entry.id }])
    expect((await vacuum(log, storage, at(8 * 24 * 60))).silent).toEqual([])
    expect(storage.objects.size).toBe(0)
  })

  it('is no reason to fail where nothing can be written', async () => {
    class ReadOnly extends MemoryStorage {
      override async write(): Promise<void> {
        throw new Error('read-only')
      }
    }
    const reader = Heartbeat.ofRun(new ReadOnly(), { ...entry })
    await expect(reader.stop()).resolves.toBeUndefined()
  })
})
