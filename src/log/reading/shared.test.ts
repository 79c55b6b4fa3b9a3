import { expect, it } from 'vitest'
import { MemoryStorage } from '../../storage/memory.js'
import { CommitLog } from '../log.js'
import { Shared } from './shared.js'

it('what many ask for at once is done once for all of them, and never began before they asked', async () => {
  let begun = 0
  let end = () => {}
  const shared = new Shared(async () => {
    const turn = ++begun
    await new Promise<void>((done) => {
      end = done
    })
    if (turn === 2) throw new Error('the second fails')
    return turn
  })
  const first = shared.next()
  const late = [shared.next(), shared.next()]
  end()
  expect(await first).toBe(1)
  await new Promise(setImmediate)
  const last = shared.next()
  end()
  expect((await Promise.allSettled(late)).map(({ status }) => status)).toEqual([
    'rejected',
    'rejected',
  ])
  await new Promise(setImmediate)
  end()
  expect(await last).toBe(3)
  expect(begun).toBe(3)
})

it('looking for the newest commit a hundred times at once takes two looks, and shows what was committed before', async () => {
  const storage = new MemoryStorage()
  const [log, other] = [new CommitLog(storage), new CommitLog(storage)]
  const info = { author: 'ada', run: null, message: 'test' }
  const change = (id: string) => ({ watermarks: { 'bronze.a': id } })
  await log.commit(await log.head(), change('1'), info)
  let reads = 0
  const read = storage.readIfPresent.bind(storage)
  storage.readIfPresent = async (path) => {
    if (/log\/main\/\d+\.json$/.test(path)) reads++
    return read(path)
  }
  const early = log.head()
  await other.commit(await other.head(), change('2'), info)
  reads = 0
  const all = Array.from({ length: 100 }, () => log.head())
  for (const state of await Promise.all(all)) expect(state.watermarks['bronze.a']).toBe('2')
  expect((await early).number).toBeLessThanOrEqual(2)
  // Two looks, of which one finds the commit and looks for some behind it.
  expect(reads).toBeLessThan(20)
})
