import { readFileSync } from 'node:fs'
import type { QueryStatistics } from './request.js'

export const noStatistics = (): QueryStatistics => ({
  bytesEstimated: 0,
  bytesRead: 0,
  rows: 0,
  queuedMs: 0,
  runMs: 0,
  price: 0,
  reused: false,
})

/**
 * Bytes that a process has read so far, of files and buckets; `undefined` where the system does not
 * tell (it does on Linux, see proc_pid_io(5)).
 */
function bytesReadBy(pid: number | undefined): number | undefined {
  try {
    const found = /^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]
    return found === undefined ? undefined : Number(found)
  } catch {
    return undefined
  }
}

/** Milliseconds between two looks at a process. */
const EVERY = 50

/**
 * Looks at what a query's process reads, and stops it once that is more than it may.
 *
 * @param most with what it is stopped where it reads more.
 */
export function watchReading(
  process: { pid: number | undefined; stop: (reason: unknown) => void },
  { most, error }: { most: number; error: (bytes: number) => Error },
): { end: () => number | undefined } {
  const before = bytesReadBy(process.pid)
  let last: number | undefined
  const look = () => {
    const now = bytesReadBy(process.pid)
    if (now === undefined || before === undefined) return last
    last = now - before
    if (last > most) process.stop(error(last))
    return last
  }
  const timer = most < Number.POSITIVE_INFINITY ? setInterval(look, EVERY).unref() : undefined
  return {
    end: () => {
      clearInterval(timer)
      return look()
    },
  }
}

/** Of a query that names no table: its process reads the statement alone, and may open no file. */
export const readsNothing: ReturnType<typeof watchReading> = { end: () => 0 }
