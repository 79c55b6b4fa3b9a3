import { expect, it } from 'vitest'
import { Threads } from './threads.js'

const answering =
  "import { parentPort } from 'node:worker_threads'; parentPort.on('message', (job) => parentPort.postMessage({ found: job * 2 }))"

it('a thread is started once as much work has come as that costs, and then has all of it', async () => {
  const threads = new Threads(new URL(`data:text/javascript,${answering}`), 1, 100)
  expect([threads.isWorth(60), threads.isWorth(40)]).toEqual([false, false])
  expect(threads.isWorth(1)).toBe(true)
  expect(await threads.ask(21)).toBe(42)
  expect(threads.isWorth(1)).toBe(true)
})

it('a work that is larger than what starting costs is handed over at once', () => {
  const threads = new Threads(new URL(`data:text/javascript,${answering}`), 1, 100)
  expect(threads.isWorth(101)).toBe(true)
})
