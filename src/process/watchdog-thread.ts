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

const { parent, limits } = workerData as Watched
const memory = new Float64Array(limits)
const sleeper = new Int32Array(new SharedArrayBuffer(4))

for (let pause = SHORTEST; ; Atomics.wait(sleeper, 0, 0, pause)) {
  if (process.ppid !== parent) {
    removeScratch()
    process.kill(process.pid, 'SIGKILL')
  }
  const most = memory[0] ?? 0
  const room = most > 0 ? most - process.memoryUsage.rss() : Number.POSITIVE_INFINITY
  // At once: the parent is there to remove what it leaves.
  if (room < 0) process.kill(process.pid, endings.memory)
  pause = Math.max(SHORTEST, Math.min(LONGEST, room / GROWTH))
}
