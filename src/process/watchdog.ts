import { writeFileSync } from 'node:fs'
import { SHARE_ENV, Worker } from 'node:worker_threads'
import { removeScratch } from '../storage/scratch.js'

/** What a watchdog sees to, in a process that was started by `startChild`. */
export interface Watchdog {
  /** Ends the process when it holds more bytes of memory than that; without a number there is no limit. */
  limitMemory(bytes?: number): void
}

/** What the thread of a watchdog is given. */
export interface Watched {
  parent: number
  /** One number: the bytes that the process may hold, or 0. */
  limits: SharedArrayBuffer
}

/**
 * Has this process end with the one that started it: when the channel closes, and, as a thread sees it, when the parent is
 * another than it was. The thread also works while the main thread is busy, or waits for the engine. A parent that is
 * stopped is there.
 */
export function watchParent(parent = Number(process.argv[2])): Watchdog {
  // The terminal sends Ctrl-C to all: the parent decides.
  process.on('SIGINT', () => {})
  process.once('disconnect', end)
  if (!process.connected || process.ppid !== parent) end()
  sacrifice()
  const limits = new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT)
  // Also from the one file that the build makes of a script and what it loads.
  const built = import.meta.url.replace(/\/src\/(\w+)\/[\w-]+\.ts$/, '/dist/$1/script.js')
  const thread = new Worker(new URL('../process/watchdog-thread.cjs', built), {
    workerData: { parent, limits } satisfies Watched,
    env: SHARE_ENV,
    execArgv: [],
    trackUnmanagedFds: false,
    // It holds next to nothing, and starts sooner.
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2, codeRangeSizeMb: 4 },
  })
  thread.unref()
  // Without its watchdog a process does not go on.
  thread.once('error', end)
  const memory = new Float64Array(limits)
  return {
    limitMemory: (bytes = 0) => {
      memory[0] = bytes
    },
  }
}

function end(): void {
  removeScratch()
  process.kill(process.pid, 'SIGKILL')
}

/** Where the system has to end a process because memory is short, it is to be this one, and not the one that started it. */
function sacrifice(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000')
  } catch {
    // Not on Linux, or not allowed.
  }
}
