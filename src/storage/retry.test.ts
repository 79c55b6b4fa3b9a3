import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { MoraineError } from '../errors.js'
import { MemoryStorage } from './memory.js'
import { createOnce, patiently, type StorageEvent, wasWaitedFor, watchStorages } from './retry.js'

const events: StorageEvent[] = []
let unwatch: () => void
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: 0 })
  events.length = 0
  unwatch = watchStorages((event) => events.push(event))
})
afterEach(() => {
  unwatch()
  vi.useRealTimers()
})

const pause = async (milliseconds: number) => void vi.setSystemTime(Date.now() + milliseconds)
const away = async () => {
  throw new MoraineError('storage', 'no longer exists', { retryable: true })
}
const minute = { total: 60_000, pause }

it('work that asks for one object after another waits a minute in total, not for each', async () => {
  const storage = 'file:///one'
  for (let call = 1; call <= 4; call++) {
    const error = await patiently(storage, minute, away).catch((error) => error)
    expect(wasWaitedFor(error)).toBe(true)
    await pause(100)
  }
  expect(Date.now()).toBeGreaterThan(30_000)
  expect(Date.now()).toBeLessThanOrEqual(60_000 + 400)
  expect(events.every(({ type }) => type === 'failing')).toBe(true)
  // Once it has answered it is waited for as long as ever.
  expect(await patiently(storage, minute, async () => 'here')).toBe('here')
  expect(events.at(-1)).toMatchObject({ type: 'answering', since: 0 })
  const begun = Date.now()
  await expect(patiently(storage, minute, away)).rejects.toThrow('no longer exists')
  expect(Date.now() - begun).toBeGreaterThan(30_000)
})

it('an object whose creation got no answer is created once, and never in the place of another', async () => {
  const bytes = (text: string) => new TextEncoder().encode(text)
  const lost = () => new MoraineError('storage', 'socket hang up', { retryable: true })
  for (const isCreated of [true, false]) {
    const inner = new MemoryStorage()
    let attempts = 0
    const storage = {
      readIfPresent: (path: string) => inner.readIfPresent(path),
      async createIfAbsent(path: string, body: Uint8Array) {
        if (++attempts > 1) return inner.createIfAbsent(path, body)
        if (isCreated) await inner.createIfAbsent(path, body)
        throw lost()
      },
    }
    expect(await createOnce(storage, 'a', bytes('one'))).toBe(true)
    expect(attempts).toBe(isCreated ? 1 : 2)
    expect(await createOnce(storage, 'a', bytes('two'))).toBe(false)
    attempts = 0
    expect(await createOnce(storage, 'a', bytes('three'))).toBe(false)
    expect(String(Buffer.from(inner.objects.get('a') as Uint8Array))).toBe('one')
  }
})

it('what failed long ago is no reason to give up what fails now', async () => {
  const storage = 'file:///two'
  await expect(patiently(storage, { total: 0, pause }, away)).rejects.toThrow('no longer exists')
  await pause(600_000)
  let attempts = 0
  const flaky = async () => (++attempts < 4 ? away() : 'here')
  expect(await patiently(storage, minute, flaky)).toBe('here')
})
