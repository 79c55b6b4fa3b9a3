import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { until as named } from '../../test/support/until.js'
import { bronze } from '../define/dataset.js'
import type { Schedule } from '../define/model.js'
import { cron, every } from '../define/schedule.js'
import { MoraineError } from '../errors.js'
import { emptyState } from '../log/fold.js'
import type { Job } from '../plan/jobs.js'
import { StorageHealth } from '../serve/storage-health.js'
import { files } from '../source/declare/files.js'
import type { RunRecord } from '../step/events.js'
import { MemoryStorage } from '../storage/memory.js'
import type { Storage } from '../storage/storage.js'
import { Lease, pause, resume } from './leases.js'
import { type ScheduleEvent, Scheduler, type SchedulerOptions } from './scheduler.js'

const source = bronze('orders', { from: files('orders.csv', { columns: ['id'] }) })

const jobOf = (schedule: Schedule | undefined, event = false): Job => ({
  name: 'bronze.orders',
  schedule,
  event,
  datasets: [source],
})

const record = (outcome: RunRecord['outcome'], kind = 'source'): RunRecord => ({
  format: 1,
  run: 'r',
  outcome,
  started: '2026-01-01T00:00:00Z',
  finished: '2026-01-01T00:00:00Z',
  author: 'a',
  steps: [],
  commits: [],
  ...(outcome === 'failed' ? { error: { kind, message: 'no' } } : {}),
})

/** A clock that a test moves. */
class Clock {
  time = Date.parse('2026-01-01T10:00:00Z')
  readonly now = () => new Date(this.time)
  forward(seconds: number): void {
    this.time += seconds * 1000
  }
}

const until = (holds: () => boolean | Promise<boolean>) => named('it holds', holds)

function start(storage: Storage, clock: Clock, options: Partial<SchedulerOptions> & { job: Job }) {
  const runs: number[] = []
  const events: ScheduleEvent[] = []
  const scheduler = new Scheduler({
    storage,
    jobs: [options.job],
    head: async () => emptyState,
    now: clock.now,
    interval: 2,
    onEvent: (event) => events.push(event),
    ...options,
    run: async (job, signal, cause) => {
      runs.push(clock.time)
      return options.run ? options.run(job, signal, cause) : record('done')
    },
  })
  scheduler.start()
  onTestFinished(() => scheduler.stop())
  return { scheduler, runs, events }
}

/** A storage that is away while it is told to be. */
class Away extends MemoryStorage {
  isAway = false
  private check(): void {
    if (this.isAway) throw new MoraineError('storage', 'connection refused', { retryable: true })
  }
  override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    this.check()
    return super.createIfAbsent(path, bytes)
  }
  override async readIfPresent(path: string): Promise<Uint8Array | undefined> {
    this.check()
    return super.readIfPresent(path)
  }
  override async entries(prefix: string) {
    this.check()
    return super.entries(prefix)
  }
  override async list(prefix: string) {
    this.check()
    return super.list(prefix)
  }
}

describe('a scheduler whose storage goes away', () => {
  const begin = (storage: Away, clock: Clock, options: Partial<SchedulerOptions>) => {
    const told: string[] = []
    const health = new StorageHealth(storage, ({ type }) => told.push(type))
    onTestFinished(() => health.close())
    const job = jobOf(every('1h', { retries: 0 }))
    return { told, ...start(storage, clock, { job, health, ...options }) }
  }

  it('goes on with the run that failed by it, and uses up no retry', async () => {
    const [storage, clock] = [new Away(), new Clock()]
    let attempts = 0
    const { runs, events, told } = begin(storage, clock, {
      run: async () => {
        storage.isAway = attempts++ < 1
        return record(storage.isAway ? 'failed' : 'done', 'storage')
      },
    })
    await until(() => told.includes('storage-down'))
    expect(runs).toHaveLength(1)
    storage.isAway = false
    await until(() => runs.length === 2)
    await until(async () => (await new Lease(storage, 'bronze.orders').look()).succeeded !== null)
    expect(told).toEqual(['storage-down', 'storage-up'])
    const ended = events.filter((event) => event.type === 'job-finished')
    expect(ended.map(({ record, again }) => [record.outcome, again])).toEqual([
      ['failed', true],
      ['done', false],
    ])
  })

  it('begins nothing meanwhile, says so once, and runs what was due when it is back', async () => {
    const [storage, clock] = [new Away(), new Clock()]
    const { runs, events, told } = begin(storage, clock, {})
    await until(() => runs.length === 1)
    await until(async () => (await new Lease(storage, 'bronze.orders').look()).slot !== null)
    storage.isAway = true
    clock.forward(3600)
    await until(() => told.includes('storage-down'))
    clock.forward(3 * 3600)
    await sleep(50)
    expect(runs).toHaveLength(1)
    storage.isAway = false
    await until(() => runs.length === 2)
    expect(events.filter(({ type }) => type === 'warning' || type === 'job-failed')).toEqual([])
  })

  it('notes what was done although storage goes away at that moment', async () => {
    const [storage, clock] = [new Away(), new Clock()]
    const { runs, told } = begin(storage, clock, {
      run: async () => {
        storage.isAway = true
        return record('done')
      },
    })
    await until(() => told.includes('storage-down'))
    storage.isAway = false
    await until(async () => (await new Lease(storage, 'bronze.orders').look()).succeeded !== null)
    expect(runs).toHaveLength(1)
  })

  it('minds no file that others left among its leases', async () => {
    const [storage, clock] = [new Away(), new Clock()]
    const put = (path: string) => storage.write(path, new Uint8Array([0, 1]))
    await put('_moraine/leases/bronze.orders/.DS_Store')
    await put('_moraine/leases/bronze.orders/notes.txt')
    await put('_moraine/leases/bronze.orders/deeper/000000000001.json')
    await put('_moraine/leases/bronze.orders/000000000007.json')
    await put('_moraine/paused/.DS_Store')
    const { runs } = begin(storage, clock, {})
    await until(() => runs.length === 1)
  })
})

/** What a test resolves when it likes. */
function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

/** A storage that does what it is told, and whose next answer comes otherwise, or never. */
class Unheard extends MemoryStorage {
  answer: (() => Promise<void>) | undefined
  override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    const isNew = await super.createIfAbsent(path, bytes)
    const { answer } = this
    this.answer = undefined
    await answer?.()
    return isNew
  }
}

describe('a run that says that it is still there', () => {
  /** One that goes on until it is let end, and whose beats a test makes. */
  async function running() {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const [storage, clock] = [new Unheard(), new Clock()]
    const { opened: over, open: end } = gate()
    const { events, runs } = start(storage, clock, {
      job: jobOf(every('1h')),
      run: async (_, signal) => {
        const stopped = new Promise((aborted) => signal.addEventListener('abort', aborted))
        await Promise.race([over, stopped])
        return record(signal.aborted ? 'cancelled' : 'done')
      },
    })
    await until(() => runs.length === 1)
    const beat = () => {
      clock.forward(10)
      vi.advanceTimersByTime(10_000)
    }
    const newest = async () => (await storage.list('_moraine/leases/')).at(-1)?.path
    const next = async (make: () => void) => {
      const before = await newest()
      make()
      await until(async () => (await newest()) !== before)
    }
    const ended = async () => {
      end()
      const seen = new Lease(storage, 'bronze.orders')
      await until(async () => (await seen.look()).holder === null)
      const outcomes = events.flatMap((one) =>
        one.type === 'job-finished' ? one.record.outcome : one.type === 'job-lost' ? 'lost' : [],
      )
      return { outcomes, runs: runs.length, left: (await storage.list('_moraine/')).length }
    }
    return { storage, beat, next, end, ended }
  }

  it('goes on where that was stored and the answer was lost', async () => {
    const { storage, beat, next, ended } = await running()
    storage.answer = async () => {
      throw new MoraineError('storage', 'connection reset', { retryable: true })
    }
    await next(beat)
    await next(beat)
    await next(beat)
    expect(await ended()).toEqual({ outcomes: ['done'], runs: 1, left: 3 })
  })

  it('goes on where the answer is slow, and what it did is noted behind it', async () => {
    const { storage, beat, next, end, ended } = await running()
    const slow = gate()
    storage.answer = () => slow.opened
    await next(beat)
    beat()
    beat()
    end()
    await sleep(20)
    slow.open()
    expect(await ended()).toMatchObject({ outcomes: ['done'], runs: 1 })
  })
})

describe('a scheduler', () => {
  it('runs a new job at once, and then at each of its times', async () => {
    const [storage, clock] = [new MemoryStorage(), new Clock()]
    const { runs } = start(storage, clock, { job: jobOf(every('10m')) })
    await until(() => runs.length === 1)
    clock.forward(599)
    await sleep(30)
    expect(runs.length).toBe(1)
    clock.forward(2)
    await until(() => runs.length === 2)
    await sleep(30)
    expect(runs.length).toBe(2)
  })

  it('makes up for what was missed with one run, or leaves it out', async () => {
    for (const [missed, expected] of [
      ['run', 1],
      ['skip', 0],
    ] as const) {
      const [storage, clock] = [new MemoryStorage(), new Clock()]
      const job = jobOf(every('10m', { missed }))
      const lease = new Lease(storage, job.name)
      await lease.acquire()
      await lease.release({ slot: clock.now().toISOString() })
      clock.forward(3 * 3600 + 60)
      const { runs } = start(storage, clock, { job })
      await until(() => runs.length === expected)
      await sleep(60)
      expect(runs.length).toBe(expected)
      clock.forward(600)
      await until(() => runs.length === expected + 1)
    }
  })

  it('runs each time once, however many schedulers there are', async () => {
    const [storage, clock] = [new MemoryStorage(), new Clock()]
    const all = Array.from({ length: 4 }, () =>
      start(storage, clock, { job: jobOf(cron('*/10 * * * *')) }),
    )
    const total = () => all.reduce((sum, { runs }) => sum + runs.length, 0)
    await until(() => total() === 1)
    for (let n = 2; n < 6; n++) {
      clock.forward(600)
      await until(() => total() === n)
      await sleep(30)
      expect(total()).toBe(n)
    }
  })

  it('takes over from a process that is gone, once it has said nothing for a while', async () => {
    const [storage, clock] = [new MemoryStorage(), new Clock()]
    const dead = new Lease(storage, 'bronze.orders', () => clock.time)
    expect(await dead.acquire()).toBe(true)
    const { runs } = start(storage, clock, { job: jobOf(every('10m')) })
    await sleep(50)
    expect(runs).toEqual([])
    clock.forward(31)
    await until(() => runs.length === 1)
    // Whoever wakes up has lost it, and takes it from nobody.
    expect(await dead.renew()).toBe(false)
    const { slot, holder } = await new Lease(storage, 'bronze.orders').look()
    await dead.release({ slot: null })
    expect(await new Lease(storage, 'bronze.orders').look()).toMatchObject({ slot, holder })
  })

  it('leaves out times that pass during a run, or runs right after it', async () => {
    for (const [overlap, expected] of [
      ['skip', 1],
      ['queue', 2],
    ] as const) {
      const [storage, clock] = [new MemoryStorage(), new Clock()]
      let end = () => {}
      const { runs } = start(storage, clock, {
        job: jobOf(every('10m', { overlap })),
        run: () =>
          new Promise((resolve) => {
            end = () => resolve(record('done'))
          }),
      })
      await until(() => runs.length === 1)
      clock.forward(1300)
      end()
      await until(() => runs.length === expected)
      await sleep(60)
      expect(runs.length).toBe(expected)
      end()
    }
  })

  it('tries a failed run again, but not one that can not succeed', async () => {
    const policy = { retries: 2, backoff: '1ms' }
    for (const [kind, expected] of [
      ['source', 3],
      ['definition', 1],
    ] as const) {
      const [storage, clock] = [new MemoryStorage(), new Clock()]
      let outcome: RunRecord['outcome'] = 'failed'
      const { runs, events } = start(storage, clock, {
        job: jobOf(every('10m', policy)),
        run: async () => record(outcome, kind),
      })
      await until(() => events.some((e) => e.type === 'job-finished' && !e.again))
      await sleep(20)
      expect(runs.length).toBe(expected)
      // That it failed is known to whoever looks, until it succeeds.
      const failed = async () => (await new Lease(storage, 'bronze.orders').look()).failed
      expect(await failed()).toBe('2026-01-01T10:00:00.000Z')
      outcome = 'done'
      clock.forward(600)
      await until(async () => (await failed()) === null)
    }
  })

  it('does not read again what is held back, which waits for somebody, unless something else failed', async () => {
    const kinds = [['held'], ['held', 'source']]
    for (const [i, errors] of kinds.entries()) {
      let runs = 0
      const job = jobOf(every('1h', { retries: 2, backoff: '1ms' }))
      const steps = errors.map((kind) => ({
        dataset: kind,
        outcome: kind === 'held' ? ('held' as const) : ('failed' as const),
        reason: '',
        seconds: 0,
        error: { kind, message: 'no' },
      }))
      const { error: _, ...failed } = record('failed')
      const run = async () => {
        runs++
        return { ...failed, steps }
      }
      const { events } = start(new MemoryStorage(), new Clock(), { job, run })
      await until(() => events.some((event) => event.type === 'job-finished' && !event.again))
      expect(runs).toBe(i === 0 ? 1 : 3)
    }
  })

  it('stops a run that takes too long', async () => {
    const { events } = start(new MemoryStorage(), new Clock(), {
      job: jobOf(every('10m', { timeout: '30ms', retries: 0 })),
      run: async (_, signal) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        return record('cancelled')
      },
    })
    await until(() => events.some(({ type }) => type === 'job-finished'))
  })

  it('runs nothing that is paused, until it is resumed', async () => {
    const [storage, clock] = [new MemoryStorage(), new Clock()]
    const job = jobOf(undefined, true)
    await pause(storage, job.name, 'me')
    const { runs, scheduler } = start(storage, clock, { job })
    scheduler.notify(job.name)
    await sleep(30)
    expect(runs).toEqual([])
    await resume(storage, job.name)
    clock.forward(3)
    await until(() => runs.length === 1)
  })

  it('runs again for what arrives during a run', async () => {
    const [storage, clock] = [new MemoryStorage(), new Clock()]
    const job = jobOf(undefined, true)
    let end = () => {}
    const { runs, scheduler } = start(storage, clock, {
      job,
      run: () =>
        new Promise((resolve) => {
          end = () => resolve(record('done'))
        }),
    })
    scheduler.notify(job.name)
    await until(() => runs.length === 1)
    scheduler.notify(job.name)
    end()
    await until(() => runs.length === 2)
    end()
    await sleep(30)
    expect(runs.length).toBe(2)
  })

  it('goes on when the clock is put back', async () => {
    const [storage, clock] = [new MemoryStorage(), new Clock()]
    const job = jobOf(undefined, true)
    const other = new Lease(storage, job.name, () => clock.time)
    await other.acquire()
    const { runs, scheduler } = start(storage, clock, { job })
    scheduler.notify(job.name)
    await sleep(30)
    expect(runs).toEqual([])
    await other.release({})
    clock.forward(-7200)
    await until(() => runs.length === 1)
  })

  it('goes by the time that it is, after a clock was wrong by hours', async () => {
    const [storage, clock] = [new MemoryStorage(), new Clock()]
    const job = jobOf(every('10m'))
    const wrong = new Lease(storage, job.name, () => clock.time + 7_200_000)
    await wrong.acquire()
    await wrong.release({ slot: new Date(clock.time + 7_200_000).toISOString() })
    await wrong.acquire()
    const { runs } = start(storage, clock, { job })
    clock.forward(601)
    await until(() => runs.length === 1)
    clock.forward(600)
    await until(() => runs.length === 2)
  })

  it('leaves few objects behind, however often it runs', async () => {
    const [storage, clock] = [new MemoryStorage(), new Clock()]
    const lease = new Lease(storage, 'a', () => clock.time)
    for (let i = 0; i < 50; i++) {
      expect(await lease.acquire()).toBe(true)
      await lease.release({ succeeded: clock.now().toISOString() })
    }
    expect((await storage.list('_moraine/leases/')).length).toBeLessThanOrEqual(3)
    expect((await new Lease(storage, 'a').look()).succeeded).toBe(clock.now().toISOString())
  })
})
