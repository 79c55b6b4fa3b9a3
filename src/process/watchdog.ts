import { writeFileSync } from 'node:fs'
import { SHARE_ENV, Worker } from 'node:worker_threads'
import { builtFile } from '../home.js'
import { removeScratch } from '../storage/scratch.js'

/** What a watchdog sees to, in a process that was started by `startChild`. */
export interface Watchdog {
  /** Starts the thread, where it was not started at once. */
  begin(): void
  /**
   * Ends the process when it holds more bytes of memory than that; without a number there is no
   * limit.
   */
  limitMemory(bytes?: number): void
  /**
   * Ends the process when the work that begins now does not get on; without limits no work is
   * watched.
   */
  watchWork(limits?: WorkLimits): void
  /** Counts how often the work got on; whoever does it adds to the first number, by `Atomics`. */
  readonly progress: Int32Array
}

/** Limits of processor time, in seconds. */
export interface WorkLimits {
  /** Without progress. */
  seconds: number
  /** In all. */
  total: number
}

/** What the thread of a watchdog is given. */
export interface Watched {
  parent: number
  /**
   * Numbers: the bytes that the process may hold, and the seconds of its work without progress and
   * in all; 0: no limit.
   */
  limits: SharedArrayBuffer
  /** Whole numbers: how often the work got on, and which one it is. */
  work: SharedArrayBuffer
}

/**
 * Has this process end with the one that started it: when the channel closes, and, as a thread sees
 * it, when the parent is another than it was. The thread also works while the main thread is busy,
 * or waits for the engine. A parent that is stopped is there.
 *
 * @param starts `later` where the thread is started by `begin`, before anything that may take long:
 *   its start takes time of the
 *   process's own.
 */
export function watchParent(
  starts: 'now' | 'later' = 'now',
  parent = Number(process.argv[2]),
): Watchdog {
  // The terminal sends Ctrl-C to all: the parent decides.
  process.on('SIGINT', () => {})
  process.once('disconnect', end)
  if (!process.connected || process.ppid !== parent) end()
  sacrifice()
  const limits = new SharedArrayBuffer(3 * Float64Array.BYTES_PER_ELEMENT)
  const work = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)
  let hasBegun = false
  const begin = () => {
    if (!hasBegun) startThread({ parent, limits, work })
    hasBegun = true
  }
  if (starts === 'now') begin()
  const numbers = new Float64Array(limits)
  const progress = new Int32Array(work)
  return {
    begin,
    progress,
    limitMemory: (bytes = 0) => {
      numbers[0] = bytes
    },
    watchWork: ({ seconds, total } = { seconds: 0, total: 0 }) => {
      numbers[1] = seconds
      numbers[2] = total
      Atomics.add(progress, 1, 1)
    },
  }
}

/**
 * The same for a process that anybody may have started, without a channel: it ends with its parent,
 * as the thread sees it.
 */
export function watchStarter(): void {
  process.on('SIGINT', () => {})
  sacrifice()
  const limits = new SharedArrayBuffer(3 * Float64Array.BYTES_PER_ELEMENT)
  const work = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)
  startThread({ parent: process.ppid, limits, work })
}

function startThread(workerData: Watched): void {
  const thread = new Worker(builtFile('process/watchdog-thread.cjs'), {
    workerData,
    env: SHARE_ENV,
    execArgv: [],
    trackUnmanagedFds: false,
    // It holds next to nothing, and starts sooner.
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2, codeRangeSizeMb: 4 },
  })
  thread.unref()
  // Without its watchdog a process does not go on.
  thread.once('error', end)
}

function end(): void {
  removeScratch()
  process.kill(process.pid, 'SIGKILL')
}

/**
 * Where the system has to end a process because memory is short, it is to be this one, and not the
 * one that started it.
 */
function sacrifice(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000')
  } catch {
    // Not on Linux, or not allowed.
  }
}
