import { workerData } from 'node:worker_threads'
import { removeScratch } from '../storage/scratch.js'
import { endings } from './child.js'
import type { Watched } from './watchdog.js'

/* The thread of `watchdog.ts`. It has no events to wait for: it sleeps, looks, and sleeps again. */

/** Milliseconds between two looks, at most and at least. */
const LONGEST = 100
const SHORTEST = 10
/** Bytes by which memory may grow in a millisecond. */
const GROWTH = 8 * 2 ** 20

/**
 * Milliseconds in which work neither gets on nor takes processor time: what it waits for does not
 * come.
 */
const SILENT = 30 * 60_000

const { parent, limits, work } = workerData as Watched
const numbers = new Float64Array(limits)
const progress = new Int32Array(work)
const sleeper = new Int32Array(new SharedArrayBuffer(4))

/** The work that was seen last, and the processor time and time when it last got on. */
let seen = { work: 0, begun: 0, progress: 0, since: { cpu: 0, time: 0 } }

for (let pause = SHORTEST; ; Atomics.wait(sleeper, 0, 0, pause)) {
  if (process.ppid !== parent) {
    removeScratch()
    process.kill(process.pid, 'SIGKILL')
  }
  const most = numbers[0] ?? 0
  const room = most > 0 ? most - process.memoryUsage.rss() : Number.POSITIVE_INFINITY
  // At once: the parent is there to remove what it leaves.
  if (room < 0) process.kill(process.pid, endings.memory)
  if (numbers[1]) lookAtWork(numbers[1], numbers[2] ?? 0)
  pause = Math.max(SHORTEST, Math.min(LONGEST, room / GROWTH))
}

function lookAtWork(seconds: number, total: number): void {
  const { user, system } = process.cpuUsage()
  const now = { cpu: (user + system) / 1e6, time: Date.now() }
  const [got, current] = [Atomics.load(progress, 0), Atomics.load(progress, 1)]
  if (current !== seen.work) seen = { ...seen, work: current, begun: now.cpu, since: now }
  if (got !== seen.progress) seen = { ...seen, progress: got, since: now }
  const { begun, since } = seen
  if (now.cpu - since.cpu > seconds || now.cpu - begun > total)
    process.kill(process.pid, endings.stalled)
  // That says nothing of the work: the parent takes it for an end from outside.
  if (now.time - since.time > SILENT) process.kill(process.pid, 'SIGKILL')
}
